"""Drawn people, whose joints are known exactly; nothing is downloaded."""

import dataclasses
import hashlib
import os
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


class Builder(tfds.core.GeneratorBasedBuilder):
    """Draws the same pictures on every machine, on all of its cores."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS: ClassVar = [SINGLE, MULTI]

    def _info(self) -> tfds.core.DatasetInfo:
        """The features, and the keypoints' names as metadata."""
        return contract.dataset_info(
            self,
            keypoint_names=KEYPOINTS,
            description=__doc__,
            homepage="",
            citation="",
            more=("box", "head_box", "area", "crowd_box", "instances", "log_density"),
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[str, dict[str, Any]]]]:
        """Nothing to download; the pictures are drawn as they are written."""
        config = self.builder_config
        said = f"{self.VERSION} {config.recipe} {dict(config.pictures)}"
        self.info.metadata["content_sha256"] = hashlib.sha256(said.encode()).hexdigest()
        return {name: self._generate_examples(name) for name in config.pictures}

    def _generate_examples(self, split: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Name and record of each picture."""
        config = self.builder_config
        drawn = workers.records(
            config.recipe, split, config.pictures[split], processes=cores()
        )
        for record in drawn:
            yield record["filename"], record


def cores() -> int:
    """Those this program may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
