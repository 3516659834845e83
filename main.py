"""Trains or evaluates one experiment.

    python main.py --config configs/deeppose_small.py
    python main.py --config configs/deeppose_small.py --mode evaluate --checkpoint best

A config's fields can be changed on the command line: --config.batch_size=32.
"""

import pathlib
import sys
from collections.abc import Sequence

from absl import app, flags
from ml_collections import config_flags

from jaxpose.apps import launch

CONFIG = config_flags.DEFINE_config_file("config", None, "The experiment.")
WORKDIR = flags.DEFINE_string(
    "workdir", None, "Its folder; default runs/<config name>."
)
MODE = flags.DEFINE_enum(
    "mode",
    "train",
    ["train", "evaluate", "overfit"],
    "Train; evaluate checkpoints; or learn four examples by heart, to find a fault.",
)
CHECKPOINT = flags.DEFINE_string(
    "checkpoint", "latest", "To evaluate: latest, best, all or a step."
)
SPLIT = flags.DEFINE_string(
    "split", None, "To evaluate: the config's evals, such as test,train or 'test_*'."
)
DISTRIBUTED = flags.DEFINE_string(
    "distributed",
    None,
    "Several processes: `auto` on a cluster that JAX knows, or ADDRESS:PORT,COUNT,INDEX.",
)
flags.mark_flag_as_required("config")


def main(argv: Sequence[str]) -> None:
    del argv
    launch.start_devices(DISTRIBUTED.value)
    name = pathlib.Path(config_flags.get_config_filename(flags.FLAGS["config"])).stem
    launch.run(
        CONFIG.value,
        pathlib.Path(WORKDIR.value or f"runs/{name}"),
        mode=MODE.value,
        which=CHECKPOINT.value,
        split=SPLIT.value,
    )


if __name__ == "__main__":
    sys.excepthook = launch.report_error
    app.run(main, flags_parser=launch.parse_flags)
