"""`python -m jaxpose score`: prediction files against the ground truth, by any metric."""

import argparse
import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxpose import pose_files, skeletons, tables
from jaxpose.metrics import coco, coco_errors, mse, pck, pckh, pcp
from jaxpose.pose_files import coco_results, coco_truth
from jaxpose.skeletons import Skeleton
from jaxpose.types import Annotations, Metric, Poses, Table

ALL = "all"
SKELETONS = {
    skeleton.name.lower(): skeleton
    for skeleton in vars(skeletons).values()
    if isinstance(skeleton, Skeleton)
}


@dataclasses.dataclass(frozen=True)
class _Kind:
    """A metric of one person a photograph, as a subcommand."""

    about: str
    conventions: Mapping[str, Any]
    skeleton: str = "lsp"
    has_threshold: bool = True


_KINDS = {
    "pck": _Kind("percent of keypoints near the truth", pck.CONVENTIONS),
    "pckh": _Kind(
        "percent of keypoints near the truth, by the size of the head",
        pckh.CONVENTIONS,
        skeleton="mpii",
    ),
    "pcp": _Kind("percent of limbs with both ends near the truth", pcp.CONVENTIONS),
    "mse": _Kind(
        "mean squared error of coordinates; truth needs sizes",
        mse.CONVENTIONS,
        has_threshold=False,
    ),
}


_COCO_KINDS: dict[str, tuple[str, Metric]] = {
    "coco": (
        "COCO's average precision and recall, of several people a photograph",
        coco.AP(),
    ),
    "coco-errors": (
        "what is wrong with COCO's keypoints, and what average precision that costs",
        coco_errors.Errors(),
    ),
}


def add(commands: Any) -> None:
    """Adds the command, with a subcommand a metric, to those of a parser."""
    about = "score predictions against the ground truth"
    metrics = commands.add_parser("score", help=about, description=about)
    chosen = metrics.add_subparsers(title="metrics", required=True, metavar="METRIC")
    for name, kind in _KINDS.items():
        one = chosen.add_parser(name, help=kind.about, description=kind.about)
        _add_files(one, "mat, npz or csv file of the {}; jaxpose.pose_files tells how")
        _add_choices(one, kind)
        one.set_defaults(run=score, conventions=kind.conventions)
    for name, (about, metric) in _COCO_KINDS.items():
        one = chosen.add_parser(name, help=about, description=about)
        _add_coco_options(one)
        one.set_defaults(run=score_coco, metric=metric)


def _add_coco_options(one: argparse.ArgumentParser) -> None:
    _add_files(one, "JSON file of the {} in COCO's format, such as results")
    one.add_argument(
        "--sigmas",
        type=float,
        nargs="+",
        default=(),
        help="how far keypoints may be off, in square roots of a person's area: one a "
        "keypoint, or one for all (default for COCO's own keypoints: COCO's)",
    )


def _add_files(parser: argparse.ArgumentParser, what: str) -> None:
    for file in ("truth", "predictions"):
        parser.add_argument(
            f"--{file}", type=pathlib.Path, required=True, help=what.format(file)
        )
    parser.add_argument("--json", action="store_true", help="end with a line of JSON")


def _add_choices(parser: argparse.ArgumentParser, kind: _Kind) -> None:
    default = next(iter(kind.conventions))
    parser.add_argument(
        "--convention",
        choices=[*kind.conventions, ALL],
        default=default,
        help=f"how to count (default: {default}), or all, side by side",
    )
    parser.add_argument(
        "--skeleton",
        choices=list(SKELETONS),
        default=kind.skeleton,
        help=f"which keypoints the files hold (default: {kind.skeleton})",
    )
    if kind.has_threshold:
        parser.add_argument(
            "--threshold",
            type=float,
            default=argparse.SUPPRESS,
            help="instead of the convention's, in its normalizing length",
        )


def score(options: argparse.Namespace) -> None:
    """Prints the table of one metric, in one convention or in all side by side.

    Conventions that ask for more than the truth tells are named below the others.
    """
    skeleton = SKELETONS[options.skeleton]
    truth = pose_files.read_truth(options.truth, skeleton)
    found = pose_files.read_predictions(options.predictions, skeleton)
    truth, part = _matching_part(truth, found)
    scored: dict[str, Table] = {}
    refused: dict[str, list[str]] = {}  # conventions by why
    for name, metric in options.conventions.items():
        if options.convention in (name, ALL):
            if "threshold" in options:
                metric = dataclasses.replace(metric, threshold=options.threshold)
            try:
                table = metric(_poses(found), truth, skeleton)
            except ValueError as error:
                refused.setdefault(str(error), []).append(name)
                continue
            convention = f"[{name}] {table.convention}{part}"
            scored[name] = dataclasses.replace(table, convention=convention)
    if not scored:
        raise ValueError("; ".join(refused))
    if options.convention == ALL:
        _print_all(scored, refused, with_json=options.json)
    else:
        _print(scored[options.convention], with_json=options.json)


def score_coco(options: argparse.Namespace) -> None:
    """Prints what a metric of several people tells of a file of results."""
    file = coco_truth.read(options.truth)
    skeleton = coco_truth.skeleton_of(file, options.sigmas)
    truth = coco_truth.annotations_of(file, skeleton)
    image_id = coco_truth.image_id_of(file)
    poses = coco_results.read(
        options.predictions, image_id, skeleton, categories=file.categories
    )
    _print(options.metric(poses, truth, skeleton), with_json=options.json)


def _print(table: Table, *, with_json: bool) -> None:
    print(tables.text(table))
    if with_json:
        print(json.dumps(tables.as_data(table), allow_nan=False))


def _print_all(
    scored: Mapping[str, Table],
    refused: Mapping[str, Sequence[str]],
    *,
    with_json: bool,
) -> None:
    print(tables.side_by_side(scored))
    for why, names in refused.items():
        print(f"no {', '.join(names)}: {why}")
    if with_json:
        data = {name: tables.as_data(table) for name, table in scored.items()}
        print(json.dumps(data, allow_nan=False))


def _matching_part(
    truth: Annotations, found: pose_files.Predictions
) -> tuple[Annotations, str]:
    """The people of the truth that were predicted, and a note if not all were.

    Raises: ValueError if the predictions are of other people.
    """
    n, predicted, part = len(truth.keypoints), len(found.keypoints), ""
    if (n, predicted) == (2000, 1000):  # all of LSP, and its official test half
        truth = truth.take(slice(1000, None))
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
