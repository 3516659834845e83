"""The command line: one function a subcommand, added to the parser in `_parser`."""

import argparse
import dataclasses
import json
import math
import pathlib
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxpose import pose_files, skeletons, tables
from jaxpose.metrics import mse, pck, pcp
from jaxpose.types import Annotations, Poses, Table

USER_ERROR = 2  # as argparse exits


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command of the process, or of `arguments`; returns the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if "run" not in options:
        parser.print_help()
        return 0
    try:
        options.run(options)
    except (ValueError, OSError) as error:
        print(f"jaxpose: {error}", file=sys.stderr)
        return USER_ERROR
    return 0


def score(options: argparse.Namespace) -> None:
    """Prints the table of one metric for predictions against the ground truth."""
    metric = options.conventions[options.convention]
    if "threshold" in options:
        metric = dataclasses.replace(metric, threshold=options.threshold)
    skeleton = skeletons.LSP
    truth = pose_files.read_truth(options.truth, skeleton)
    found = pose_files.read_predictions(options.predictions, skeleton)
    truth, part = _matching_part(truth, found)
    table = metric(_poses(found), truth, skeleton)
    convention = f"[{options.convention}] {table.convention}{part}"
    table = dataclasses.replace(table, convention=convention)
    print(tables.text(table))
    if options.json:
        print(_json(table))


def plot_curves(options: argparse.Namespace) -> None:
    """Draws the learning curves of runs into a file."""
    from jaxpose.apps import curves  # matplotlib, which scoring does not wait for

    curves.draw(options.runs, options.metric, options.out)
    print(options.out)


def _matching_part(
    truth: Annotations, found: pose_files.Predictions
) -> tuple[Annotations, str]:
    """The people of the truth that were predicted, and a note if not all were.

    Raises: ValueError if the predictions are of other people.
    """
    n, predicted, part = len(truth.keypoints), len(found.keypoints), ""
    if (n, predicted) == (2000, 1000):  # all of LSP, and its official test half
        truth = Annotations(
            keypoints=truth.keypoints[1000:],
            visibility=truth.visibility[1000:],
            size=None if truth.size is None else truth.size[1000:],
            names=truth.names[1000:],
        )
        part = "; truth is the official test half of LSP, people 1001-2000 of 2000"
    elif n != predicted:
        raise ValueError(
            f"{n} people in the truth, {predicted} in the predictions; they must be "
            "the same people in the same order (for LSP also its 1000 test people)"
        )
    if truth.names and found.names and truth.names != found.names:
        row = [a == b for a, b in zip(truth.names, found.names)].index(False)
        raise ValueError(
            f"person {row} is {truth.names[row]!r} in the truth, {found.names[row]!r} "
            "in the predictions; bring both into the same order"
        )
    return truth, part


def _poses(found: pose_files.Predictions) -> Poses:
    keypoints = found.keypoints[:, None]
    return Poses(
        keypoints=keypoints,
        scores=np.ones(keypoints.shape[:-1]),
        person_scores=np.ones(keypoints.shape[:2]),
    )


def _json(table: Table) -> str:
    """One line; `keypoints` holds one number a keypoint or, of PCP, a stick."""

    def numbers(values: Mapping[str, float]) -> dict[str, float | None]:
        return {k: None if math.isnan(v) else v for k, v in values.items()}

    fields: dict[str, Any] = numbers({"mean": table.mean}) | {
        "name": table.name,
        "keypoints": numbers(table.values),
        "extra": numbers(table.extra),
        "convention": table.convention,
    }
    return json.dumps(fields, allow_nan=False)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="jaxpose", description="2D human pose.")
    commands = parser.add_subparsers(title="commands")
    _add_score(commands)
    _add_curves(commands)
    return parser


def _add_score(commands: Any) -> None:
    about = "score predictions against the ground truth"
    metrics = commands.add_parser("score", help=about, description=about)
    chosen = metrics.add_subparsers(title="metrics", required=True, metavar="METRIC")
    for name, module, about, has_threshold in (
        ("pck", pck, "percent of keypoints near the truth", True),
        ("pcp", pcp, "percent of limbs with both ends near the truth", True),
        ("mse", mse, "mean squared error of coordinates; truth needs sizes", False),
    ):
        conventions: Mapping[str, Any] = module.CONVENTIONS
        default = next(iter(conventions))
        one = chosen.add_parser(name, help=about, description=about)
        for file in ("truth", "predictions"):
            one.add_argument(
                f"--{file}",
                type=pathlib.Path,
                required=True,
                help=f"mat, npz or csv file of the {file}; jaxpose.pose_files tells how",
            )
        one.add_argument(
            "--convention",
            choices=list(conventions),
            default=default,
            help=f"how to count (default: {default})",
        )
        if has_threshold:
            one.add_argument(
                "--threshold",
                type=float,
                default=argparse.SUPPRESS,
                help="instead of the convention's, in its normalizing length",
            )
        one.add_argument("--json", action="store_true", help="end with a line of JSON")
        one.set_defaults(run=score, conventions=conventions)


def _add_curves(commands: Any) -> None:
    about = "draw the learning curves of one or several runs"
    one = commands.add_parser("curves", help=about, description=about)
    one.add_argument("runs", type=pathlib.Path, nargs="+", help="their workdirs")
    one.add_argument(
        "--metric",
        nargs="+",
        default=["train/loss", "test/PCK@0.2"],
        help="names in metrics.jsonl (default: train/loss test/PCK@0.2)",
    )
    one.add_argument("--out", type=pathlib.Path, default="curves.png", help="picture")
    one.set_defaults(run=plot_curves)
