"""From the command line to a run: flags, devices, modes, and errors worth reading."""

import argparse
import difflib
import functools
import inspect
import logging
import os
import pathlib
import re
import sys
import traceback
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import jax
from absl import app
from absl import logging as absl_logging
from ml_collections import ConfigDict

from jaxpose import config as configs
from jaxpose import saved_states, train
from jaxpose import workdir as workdirs
from jaxpose.apps import checkpoint_scores, overfit
from jaxpose.apps.doctor import disks
from jaxpose.learners import network
from jaxpose.types import Learner

# Where our own code stands, below the root of the project.
ROOMS = ("jaxpose", "data_builders")


def parse_flags(argv: list[str]) -> list[str]:
    """Absl's parser; an unknown config field gives its nearest names, no traceback."""
    try:
        return app.parse_flags_with_usage(argv)
    except (AttributeError, KeyError):
        known = _fields(_get_config(argv))
        for argument in argv:
            field = argument.partition("=")[0].lstrip("-").removeprefix("config.")
            if argument.lstrip("-").startswith("config.") and field not in known:
                near = difflib.get_close_matches(field, known, n=3, cutoff=0.5)
                there = near or [name for name in known if "." not in name]
                sys.exit(
                    f"{argument}: the config has no field {field!r}; "
                    f"{'did you mean' if near else 'it has'} {', '.join(there)}?"
                )
        raise


def _get_config(argv: Sequence[str]) -> ConfigDict:
    """The config file that the command line names, without its overrides."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--config", "-config")
    found, _ = parser.parse_known_args(argv[1:])
    return configs.load(found.config)


def _fields(config: ConfigDict, path: str = "") -> list[str]:
    names = []
    for name, value in config.items():
        names.append(path + name)
        if isinstance(value, ConfigDict):
            names += _fields(value, f"{path}{name}.")
    return names


def start_devices(distributed: str | None) -> None:
    """Joins the other processes, quietens the log, caches compiled programs.

    Args:
        distributed: None for one process, `auto`, or ADDRESS:PORT,COUNT,INDEX.
    Raises: ValueError if it is anything else.
    """
    if distributed == "auto":
        jax.distributed.initialize()
    elif distributed:
        match = re.fullmatch(r"(.+:\d+),(\d+),(\d+)", distributed)
        if match is None:
            raise ValueError(
                f"--distributed={distributed} is neither `auto` nor ADDRESS:PORT,COUNT,"
                "INDEX, such as 10.0.0.1:1234,2,0 in the first of two processes"
            )
        jax.distributed.initialize(match[1], int(match[2]), int(match[3]))
    # Orbax and TFDS tell every detail through absl's log; our builders' warnings stay.
    absl_logging.set_verbosity(absl_logging.ERROR)
    logging.getLogger("data_builders").setLevel(logging.WARNING)
    jax.config.update("jax_compilation_cache_dir", os.fspath(disks.programs()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 1.0)


def run(
    config: ConfigDict,
    workdir: pathlib.Path,
    *,
    mode: str,
    which: str,
    split: str | None,
) -> None:
    """Does what `--mode` says with the experiment that the config describes."""
    fields = configs.build(config)
    if mode == "overfit" or (mode == "train" and not saved_states.steps(workdir)):
        _check_start(fields["learner"])
    if mode == "train":
        with workdirs.claim(workdir, config):
            state = train.train(**fields, workdir=workdir)
            if int(state.step) >= fields["num_steps"] and jax.process_index() == 0:
                _report(workdir)
    elif mode == "evaluate":
        workdirs.check(workdir, config, free=workdirs.FREE_IN_EVALUATION)
        score = functools.partial(checkpoint_scores.score, which=which, split=split)
        score(**_taken_by(checkpoint_scores.score, fields), workdir=workdir)
    elif not overfit.overfit(**_taken_by(overfit.overfit, fields), workdir=workdir):
        sys.exit(1)


def _check_start(learner: Learner) -> None:
    """Looks for what a fresh state begins with, before data are prepared for it."""
    if isinstance(learner, network.PretrainedLearner) and learner.pretrained:
        learner.pretrained.check()


def _report(workdir: pathlib.Path) -> None:
    """Leaves the page of a run that came to its end, and its numbers on the terminal."""
    from jaxpose.apps import report  # matplotlib, which no start should wait for

    print(f"\n{report.text(workdir)}\n\nreport: {report.write(workdir)}", flush=True)


def _taken_by(function: Callable[..., Any], fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a config that a function has parameters for."""
    parameters = inspect.signature(function).parameters
    return {name: value for name, value in fields.items() if name in parameters}


def report_error(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """An exception hook: our own refusals without a traceback, all else with it.

    One of several processes ends at once: leaving in good order, it would wait minutes
    for the others, which wait for it.
    """
    if _is_ours(error):
        notes = "".join(f"\n({note})" for note in getattr(error, "__notes__", ()))
        print(f"\n{kind.__name__}: {error}{notes}", file=sys.stderr, flush=True)
    else:
        traceback.print_exception(kind, error, trace)
    if jax.process_count() > 1:
        os._exit(1)


def _is_ours(error: BaseException) -> bool:
    """Whether a `raise` of ours found the fault, and not a library or a bug."""
    if not isinstance(error, ValueError | OSError | FloatingPointError):
        return False
    last = traceback.extract_tb(error.__traceback__)[-1]
    root = pathlib.Path(__file__).parents[2]
    ours = any(pathlib.Path(last.filename).is_relative_to(root / r) for r in ROOMS)
    return ours and (last.line or "").startswith("raise ")
