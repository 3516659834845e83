"""MPII Human Pose: 25,000 photographs of everyday activities with all their people."""

import dataclasses
import pathlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import tensorflow_datasets as tfds

from . import archive, release

if TYPE_CHECKING or __name__.startswith("data_builders."):
    from data_builders.parts import contract
else:  # `tfds build` imports `mpii.mpii_dataset_builder`, from inside data_builders.
    from parts import contract

_MORE = (
    "head_box",
    "center",
    "scale",
    "separate",
    "image_id",
    "activity",
    "category",
    "activity_id",
    "in_validation",
    "in_deeppose_train",
    "in_deeppose_test",
)
# Lists of people by name: the splits that hold their photographs, and the feature that
# tells who is on the list (empty: everybody).
_SUBSETS = {
    "validation": (["validation"], "in_validation"),
    "official_train": (["train", "validation"], ""),
    "deeppose_train": (["train", "validation"], "in_deeppose_train"),
    "deeppose_test": (["train", "validation"], "in_deeppose_test"),
}

_CITATION = """@inproceedings{andriluka14cvpr,
  title = {2D Human Pose Estimation: New Benchmark and State of the Art Analysis},
  author = {Andriluka, Mykhaylo and Pishchulin, Leonid and Gehler, Peter and Schiele, Bernt},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition (CVPR)},
  year = {2014},
  month = {June}
}"""


@dataclasses.dataclass(kw_only=True)
class Listed(tfds.core.BuilderConfig):
    """Annotations out of a JSON list of people, not out of the release's file.

    Attributes:
        file: its name in the manual directory, or in `mpii/` there.
    """

    file: str


def listed(file: str = "mpii_annotations.json") -> Listed:
    """The variant that reads this file, PyTorch-Pose's by default."""
    return Listed(
        name=pathlib.PurePath(file).stem,
        description=f"Annotations of {file}, without head boxes.",
        file=file,
    )


class Builder(tfds.core.GeneratorBasedBuilder):
    """Every photograph once, in `train`, `validation` (Tompson's) or `test`.

    Splits that share photographs are lists of people, see README.md. By default the
    annotations are the release's; `listed` is a config that reads others.
    """

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = archive.INSTRUCTIONS

    def _info(self) -> tfds.core.DatasetInfo:
        """The features, and the keypoints' names as metadata."""
        return contract.dataset_info(
            self,
            keypoint_names=release.NAMES,
            description=__doc__,
            homepage=archive.HOMEPAGE,
            citation=_CITATION,
            more=_MORE,
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[str, dict[str, Any]]]]:
        """Checks the whole archive before the first record is written."""
        config = self.builder_config
        contents = archive.load(dl_manager, listed=config.file if config else "")
        there = [s for s in ("train", "validation", "test") if s in contents.split]
        self.info.metadata["content_sha256"] = contents.sha256
        self.info.metadata["subsets"] = {
            name: {"splits": [s for s in splits if s in there], "people": people}
            for name, (splits, people) in _SUBSETS.items()
            if set(splits) & set(there)
            and (not people or any(rows.any() for rows in contents.people[people]))
        }
        return {split: self._generate_examples(contents, split) for split in there}

    def _generate_examples(
        self, contents: archive.Contents, split: str
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Key and record of each photograph of the split, in the archive's order."""
        for row, photograph in enumerate(contents.photographs):
            if contents.split[row] == split:
                height, width = contents.sizes[row]
                people = {name: rows[row] for name, rows in contents.people.items()}
                yield (
                    f"{photograph.number:05d}",
                    people
                    | {
                        "image": contents.source.read(contents.files[row]),
                        "filename": photograph.name,
                        "height": height,
                        "width": width,
                        "keypoints": photograph.keypoints,
                        "visibility": photograph.visibility,
                        "head_box": photograph.head_box,
                        "center": photograph.center,
                        "scale": photograph.scale,
                        "separate": photograph.separate,
                        "image_id": photograph.number,
                        "activity": photograph.activity,
                        "category": photograph.category,
                        "activity_id": photograph.activity_id,
                    },
                )
