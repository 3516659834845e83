"""The command line: one function a subcommand, added to the parser in `_parser`."""

import argparse
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

from jaxpose.apps import score
from jaxpose.apps.check_data import report as check_data
from jaxpose.apps.doctor import examination

USER_ERROR = 2  # as argparse exits


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command of the process, or of `arguments`; returns the exit status."""
    parser = _parser()
    options = parser.parse_args(arguments)
    if "run" not in options:
        parser.print_help()
        return 0
    try:
        status: int | None = options.run(options)
    except (ValueError, OSError) as error:
        print(f"jaxpose: {error}", file=sys.stderr)
        return USER_ERROR
    return status or 0


def plot_curves(options: argparse.Namespace) -> None:
    """Draws the learning curves of runs into a file."""
    from jaxpose.apps import curves  # matplotlib, which scoring does not wait for

    curves.draw(options.runs, options.metric, options.out)
    print(options.out)


def write_report(options: argparse.Namespace) -> None:
    """Writes the page of a run."""
    from jaxpose.apps import report  # matplotlib, as above

    print(report.write(options.run_folder))


def draw_sheet(options: argparse.Namespace) -> None:
    """Draws a config's data into a picture."""
    from jaxpose.apps import sheet  # JAX and data sets, which scoring does not wait for

    where = {"data_dir": options.data_dir, "manual_dir": options.manual_dir}
    sheet.write(
        options.config,
        options.out,
        split=options.split,
        count=options.count,
        **{name: folder for name, folder in where.items() if folder is not None},
    )
    print(options.out)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="jaxpose", description="2D human pose.")
    commands = parser.add_subparsers(title="commands")
    score.add(commands)
    _add_curves(commands)
    _add_report(commands)
    _add_doctor(commands)
    _add_sheet(commands)
    check_data.add(commands)
    return parser


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


def _add_report(commands: Any) -> None:
    about = "write report.html of a run: pictures, numbers, learning curves"
    one = commands.add_parser("report", help=about, description=about)
    one.add_argument("run_folder", type=pathlib.Path, metavar="run", help="its workdir")
    one.set_defaults(run=write_report)


def _add_doctor(commands: Any) -> None:
    about = "say what is installed, what of it is broken, and what mends it"
    one = commands.add_parser("doctor", help=about, description=about)
    examination.add_options(one)
    one.set_defaults(run=examination.run)


def _add_sheet(commands: Any) -> None:
    about = "draw photographs of a config's data with their true poses into one picture"
    one = commands.add_parser("sheet", help=about, description=about)
    one.add_argument("--config", required=True, help="its file")
    one.add_argument("--split", help="one of its evals (default: what it trains on)")
    one.add_argument("--count", type=int, default=64, help="photographs (default: 64)")
    one.add_argument("--data-dir", help="prepared data (default: the config's)")
    one.add_argument("--manual-dir", help="originals (default: the config's)")
    one.add_argument("--out", type=pathlib.Path, default="sheet.png", help="picture")
    one.set_defaults(run=draw_sheet)
