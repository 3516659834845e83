"""Photographs of several people, and predictions of them."""

import numpy as np

from jaxpose.types import Annotations, Poses


def people(n=6, p=3, seed=0):
    """Photographs of people in a row, far enough apart, and predictions near them."""
    random = np.random.default_rng(seed)
    truth = random.uniform(0, 80, (n, p, 17, 2))
    truth[..., 0] += 300 * np.arange(p)[:, None]
    visibility = random.choice([0, 1, 2], (n, p, 17), p=[0.2, 0.3, 0.5])
    visibility[..., 0] = 2
    noise = random.normal(0, 1, truth.shape) * random.uniform(0, 12, (n, p, 1, 1))
    annotations = Annotations(
        keypoints=truth,
        visibility=visibility,
        area=random.choice([900.0, 3000.0, 12000.0], (n, p)),
    )
    return poses(truth + noise, random.uniform(0.1, 1, (n, p))), annotations


def poses(keypoints, person_scores=None):
    if person_scores is None:
        person_scores = np.ones(keypoints.shape[:2])
    return Poses(
        keypoints=keypoints,
        scores=np.ones(keypoints.shape[:3]),
        person_scores=person_scores,
    )


def one_person(**fields):
    """One person, and predictions of that one and of somebody 5000 pixels away."""
    keypoints = np.random.default_rng(0).uniform(0, 80, (1, 1, 17, 2))
    annotations = Annotations(
        keypoints=keypoints,
        visibility=np.full((1, 1, 17), 2),
        area=np.full((1, 1), 4000.0),
        **fields,
    )
    both = np.concatenate([keypoints, keypoints + 5000], axis=1)
    # The false one is the surer one, so that precision is a half.
    return poses(both, np.array([[0.5, 0.9]])), annotations
