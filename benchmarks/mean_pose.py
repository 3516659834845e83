"""What predicting one pose for everybody scores on LSP test: the floor for a network.

    python -m benchmarks.mean_pose --data_dir data --manual_dir ../shared/data

The pose is the mean, or the median, of the labeled training keypoints as shares of their
photographs, put into each test photograph by its size.
"""

import argparse

import numpy as np
from jaxtyping import Float

from configs import deeppose_wl
from jaxpose import config as configs
from jaxpose import records
from jaxpose.metrics import pck, pcp
from jaxpose.skeletons import LSP
from jaxpose.types import Annotations, Poses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data_dir", default="data")
    parser.add_argument("--manual_dir", default="data/manual")
    options = parser.parse_args()
    config = deeppose_wl.get_config()
    where = (options.data_dir, options.manual_dir, LSP)
    lspet, lsp = (configs.build(source).open(*where) for source in config.data.sources)
    test = configs.build(config.evals.test.data).open(*where[:2]).annotations()
    print(
        "| training people | pose | PCK@0.2 | PCP@0.5, 10 sticks | 9, without torso |"
    )
    print("|---|---|---|---|---|")
    for name, people in (
        ("LSP 1-1000", lsp),
        ("LSPET and LSP 1-1000", records.concatenate([lspet, lsp])),
    ):
        for how in (np.nanmean, np.nanmedian):
            print(
                f"| {name} | {how.__name__[3:]} | {_scores(how(_shares(people), 0), test)}"
            )


def _shares(people: records.People) -> Float[np.ndarray, "m k 2"]:
    """Keypoints from 0 to 1 over their photograph; nan where unlabeled."""
    shares = (people.keypoints + 0.5) / people.size[:, None, ::-1]
    return np.where(people.visibility[..., None] > 0, shares, np.nan)


def _scores(pose: Float[np.ndarray, "k 2"], test: Annotations) -> str:
    if test.size is None:
        raise ValueError("the test annotations lack sizes")
    keypoints = (pose * test.size[:, None, ::-1] - 0.5)[:, None]
    ones = np.ones(keypoints.shape[:-1])
    poses = Poses(keypoints=keypoints, scores=ones, person_scores=ones[..., 0])
    near = pck.PCK(threshold=0.2)(poses, test, LSP)
    sticks = pcp.PCP()(poses, test, LSP)
    limbs = [value for name, value in sticks.values.items() if name != "torso"]
    return f"{near.mean:.2f} | {sticks.mean:.2f} | {np.mean(limbs):.2f} |"


if __name__ == "__main__":
    main()
