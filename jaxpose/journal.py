"""What a run says while it goes on.

Console, metrics.jsonl, log.txt, TensorBoard, evaluations.
"""

import contextlib
import datetime
import json
import pathlib
import sys
import time
from collections.abc import Iterator, Mapping, Sequence

import jax
import numpy as np
import tensorboardX
from jaxtyping import UInt8
from tqdm import tqdm

from jaxpose import atomic, evaluations, log_table
from jaxpose.types import Table


class Journal:
    """Records of one run; only process 0 writes.

    After a resume the records go on where the checkpoint was: later lines and
    evaluations of the interrupted run are dropped, so that they are those of one run.
    """

    def __init__(self, workdir: pathlib.Path, *, start: int, stop: int):
        self._writes = jax.process_index() == 0
        self._workdir = workdir
        self._clock = Clock()
        # Without a terminal the bar is silent and the lines of `train` tell the story.
        self._bar = tqdm(
            total=stop,
            initial=start,
            unit="step",
            disable=None if self._writes else True,
            dynamic_ncols=True,
        )
        if self._writes:
            self._path = workdir / "metrics.jsonl"
            _drop_after(self._path, start)
            log_table.write(workdir)
            evaluations.drop_after(workdir, start)
            self._board = tensorboardX.SummaryWriter(
                str(workdir / "tensorboard"), purge_step=start + 1
            )

    def waited(self, seconds: float) -> None:
        """Time that a step spent waiting for its batch."""
        self._clock.waiting += seconds

    def stepped(self, images: int) -> None:
        self._clock.images += images
        self._clock.steps += 1
        self._bar.update()

    def train(self, step: int, metrics: Mapping[str, float]) -> None:
        """A line of training metrics, with the speed since the last one."""
        speed = self._clock.read()
        self.scalars(step, {f"train/{k}": v for k, v in {**metrics, **speed}.items()})
        left = (self._bar.total - step) * speed["seconds_per_step"]
        numbers = "  ".join(f"{name} {value:.4g}" for name, value in metrics.items())
        self.say(
            f"step {step}/{self._bar.total}  {numbers}  "
            f"{speed['images_per_second']:.1f} images/s  "
            f"waiting for input {speed['input_wait']:.0%}  "
            f"{datetime.timedelta(seconds=round(left))} left"
        )

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """To metrics.jsonl, whose lines carry step and time, and to TensorBoard."""
        if not self._writes:
            return
        line = {"step": step, "time": round(time.time(), 3)}
        numbers = {k: v if np.isfinite(v) else None for k, v in values.items()}
        with self._path.open("a") as file:
            file.write(json.dumps(line | numbers) + "\n")
        for name, value in values.items():
            self._board.add_scalar(name, value, step)

    def headline(self, step: int, values: Mapping[str, float]) -> None:
        """A line of the means of every metric of every split, and a row of log.txt."""
        self.scalars(step, values)
        if self._writes:
            log_table.write(self._workdir)
        numbers = "  ".join(f"{name} {value:.4g}" for name, value in values.items())
        self.say(f"step {step}  {numbers}")

    def evaluation(
        self,
        step: int,
        split: str,
        tables: Sequence[Table],
        picture: UInt8[np.ndarray, "h w 3"],
        heatmaps: UInt8[np.ndarray, "h w 3"] | None = None,
    ) -> None:
        """Tables and RGB pictures to the run's folder; poses to TensorBoard too."""
        if not self._writes:
            return
        evaluations.save(self._workdir, split, step, tables, picture, heatmaps)
        self._board.add_image(split, picture, step, dataformats="HWC")

    def say(self, text: str) -> None:
        if self._writes:
            self._bar.write(text)
            sys.stdout.flush()

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Leaves what happens meanwhile out of the speed."""
        self._clock.stop()
        yield
        self._clock.start()

    def close(self) -> None:
        self._bar.close()
        if self._writes:
            self._board.close()


class Clock:
    """Time, waiting and work since the last reading."""

    def __init__(self) -> None:
        self._reset()

    def _reset(self) -> None:
        self.waiting, self.images, self.steps, self._before = 0.0, 0, 0, 0.0
        self._since = time.perf_counter()

    def stop(self) -> None:
        self._before += time.perf_counter() - self._since

    def start(self) -> None:
        self._since = time.perf_counter()

    def read(self) -> dict[str, float]:
        seconds = max(self._before + time.perf_counter() - self._since, 1e-9)
        speed = {
            "images_per_second": self.images / seconds,
            "input_wait": self.waiting / seconds,
            "seconds_per_step": seconds / max(self.steps, 1),
        }
        self._reset()
        return speed


def _drop_after(path: pathlib.Path, step: int) -> None:
    """Removes the lines of later steps, and a last line that a kill cut short."""
    if not path.exists():
        return
    kept = []
    for line in path.read_text().splitlines(keepends=True):
        try:
            if line.endswith("\n") and json.loads(line)["step"] <= step:
                kept.append(line)
        except json.JSONDecodeError:
            continue
    atomic.write(path, "".join(kept))
