"""What the median pose scores on a config's tests: the floor for a network.

    python -m benchmarks.blind_pose --config configs/quickstart.py

The pose is the median of the labeled training keypoints as shares of each person's
canvas, put into each test person's canvas; no picture is looked at.
"""

import argparse
import dataclasses
import runpy

import numpy as np

from jaxpose import config as configs
from jaxpose import records, tables
from jaxpose.types import Poses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True)
    parser.add_argument("--data_dir", default="data")
    parser.add_argument("--manual_dir", default="data/manual")
    options = parser.parse_args()
    fields = configs.build(runpy.run_path(options.config)["get_config"]())
    where = options.data_dir, options.manual_dir
    pose = median_pose(fields["data"].open(*where).people)
    for name, spec in fields["evals"].items():
        people = spec.data.open(*where).people
        low, high = people.box[:, None, :2], people.box[:, None, 2:]
        keypoints = (low + pose * (high - low))[:, None]
        ones = np.ones(keypoints.shape[:-1])
        poses = Poses(keypoints=keypoints, scores=ones, person_scores=ones[..., 0])
        for metric in spec.metrics:
            table = metric(poses, people.annotations(), spec.data.skeleton)
            table = dataclasses.replace(table, name=f"{name}/{table.name}, blind")
            print(tables.text(table))


def median_pose(people: records.People) -> np.ndarray:
    """Keypoints (k, 2) from 0 to 1 over the canvas."""
    low, high = people.box[:, None, :2], people.box[:, None, 2:]
    shares = (people.keypoints - low) / (high - low)
    return np.nanmedian(
        np.where(people.visibility[..., None] > 0, shares, np.nan), axis=0
    )


if __name__ == "__main__":
    main()
