"""Drawn people, whose joints are known exactly; nothing is downloaded."""

import contextlib
import dataclasses
import hashlib
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import tensorflow_datasets as tfds

from . import scenes, workers
from .keypoints import KEYPOINTS

if TYPE_CHECKING or __name__.startswith("data_builders."):
    from data_builders.parts import contract
else:  # `tfds build` imports `figures.figures_dataset_builder`, from data_builders.
    from parts import contract


@dataclasses.dataclass(kw_only=True)
class Config(tfds.core.BuilderConfig):
    """One set of pictures.

    Attributes:
        recipe: what they have in common.
        pictures: split -> number of pictures.
    """

    recipe: scenes.Recipe
    pictures: Mapping[str, int]


SINGLE = Config(
    name="single",
    description="One person in the middle of the picture, as in Leeds Sports Pose.",
    recipe=scenes.Recipe(
        sizes=((256, 256), (256, 192), (256, 224)),
        people=(1, 1),
        stature=(0.65, 1.0),
        in_sight=8,
        crowd=0.0,
    ),
    pictures={"train": 6000, "test": 1000},
)
MULTI = Config(
    name="multi",
    description="One to eight people, some before others, and crowds behind them.",
    recipe=scenes.Recipe(
        sizes=((256, 256), (256, 192), (192, 256)),
        people=(1, 8),
        stature=(0.3, 1.0),
        in_sight=1,
        crowd=0.25,
    ),
    pictures={"train": 4000, "test": 500},
)


def own(*, recipe: scenes.Recipe, pictures: Mapping[str, int]) -> Config:
    """A set of one's own; its name tells what it is made from."""
    said = hashlib.sha256(f"{recipe} {sorted(pictures.items())}".encode()).hexdigest()
    return Config(
        name=f"own_{said[:12]}",
        description=f"{recipe}",
        recipe=recipe,
        pictures=pictures,
    )


class Builder(tfds.core.GeneratorBasedBuilder):
    """Draws on all cores: the same labels everywhere, pixels by OpenCV's version."""

    VERSION = tfds.core.Version("1.1.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.1.0": "Areas of crowds."}
    BUILDER_CONFIGS: ClassVar = [SINGLE, MULTI]

    def _info(self) -> tfds.core.DatasetInfo:
        """The features, and the keypoints' names as metadata."""
        return contract.dataset_info(
            self,
            keypoint_names=KEYPOINTS,
            description=__doc__,
            homepage="",
            citation="",
            more=(
                "box",
                "head_box",
                "area",
                "crowd_box",
                "crowd_area",
                "instances",
                "log_density",
            ),
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[str, dict[str, Any]]]]:
        """Nothing to download; the pictures are drawn as they are written."""
        return {
            name: self._generate_examples(name) for name in self.builder_config.pictures
        }

    def _generate_examples(self, split: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Name and record of each picture."""
        config = self.builder_config
        digest = hashlib.sha256(self.info.metadata.get("content_sha256", "").encode())
        count = config.pictures[split]
        drawn = workers.records(
            config.recipe, split, count, processes=max(1, min(cores(), count // 50))
        )
        for record in drawn:
            for name in ("image", "instances"):
                digest.update(record[name])
            digest.update(record["keypoints"].tobytes())
            yield record["filename"], record
        self.info.metadata["content_sha256"] = digest.hexdigest()


def cores() -> int:
    """Those this program may use, in a container too."""
    count = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    with contextlib.suppress(OSError, ValueError):  # No Linux, or no limit.
        quota, period = pathlib.Path("/sys/fs/cgroup/cpu.max").read_text().split()
        count = min(count, max(1, int(quota) // int(period)))
    return count
