"""Who belongs to which split of MPII: the official halves, Tompson's and DeepPose's."""

import csv
import pathlib
from collections.abc import Sequence

import numpy as np

from . import release

# (photograph, person in it) of 2958 people, each from 1, and the photograph's name, in
# the order of the published predictions for them, which is that of the release.
# Source: Tompson et al. 2015, "Efficient object localization using convolutional
# networks"; the list goes around as `detections.mat` and in every later code.
TOMPSON = pathlib.Path(__file__).with_name("tompson_validation.csv")
PHOTOGRAPHS = 24_987  # in the complete release
# People with all 16 keypoints in the complete release, and the share of DeepPose's test.
DEEPPOSE_PEOPLE = 19_919
DEEPPOSE_TEST = 1_991


def tompson(photographs: Sequence[release.Photograph]) -> list[np.ndarray]:
    """Whether each person (people,) of each photograph is one of the 2958.

    Photographs are found by name, so that a part of the release has its part of them.

    Raises:
        ValueError: a listed person is not there, or not annotated; or the release is
            complete and has the photograph in another place, or not at all.
    """
    listed = _listed()
    whole = len(photographs) == PHOTOGRAPHS
    chosen = [np.zeros(len(p.visibility), bool) for p in photographs]
    for photograph, people in zip(photographs, chosen, strict=True):
        points = (photograph.visibility > 0).sum(axis=1)
        for number, person in listed.pop(photograph.name, []):
            moved = whole and number != photograph.number
            if moved or not points[person - 1 : person].any():
                raise ValueError(
                    f"photograph {photograph.number} ({photograph.name}) must be number "
                    f"{number} and have keypoints of person {person}, who is in the "
                    "validation split; take mpii_human_pose_v1_u12_1.mat again"
                )
            people[person - 1] = True
    if whole and listed:
        raise ValueError(
            f"{len(listed)} photographs of the validation split, such as "
            f"{next(iter(listed))}, are missing; take mpii_human_pose_v1_u12_1.mat again"
        )
    return chosen


def _listed() -> dict[str, list[tuple[int, int]]]:
    """Photograph's name -> (photograph, person) of its people in the validation split."""
    listed: dict[str, list[tuple[int, int]]] = {}
    with TOMPSON.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            place = int(row["release_image_index"]), int(row["release_person_index"])
            listed.setdefault(row["image"], []).append(place)
    return listed


def deeppose(
    photographs: Sequence[release.Photograph],
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Whether each person of each photograph is in DeepPose's train and in its test.

    Of the 19,919 people with all 16 keypoints 1991 are drawn; one photograph may have
    people of both. In a part of the release the draw would be another, and nobody is in
    either.

    Source: the TensorFlow DeepPose's `mpii_dataset.py`, and its README.
    """
    complete = [(p.visibility > 0).all(axis=1) for p in photographs]
    train = [np.zeros_like(people) for people in complete]
    test = [np.zeros_like(people) for people in complete]
    rows = [(i, j) for i, ok in enumerate(complete) for j in np.flatnonzero(ok)]
    if len(rows) == DEEPPOSE_PEOPLE:
        for place, row in enumerate(deeppose_order()):
            photograph, person = rows[row]
            (test if place < DEEPPOSE_TEST else train)[photograph][person] = True
    return train, test


def deeppose_order() -> np.ndarray:
    """The draw: the first 1991 of these numbers are test, the others train."""
    return np.random.RandomState(1701).permutation(DEEPPOSE_PEOPLE)
