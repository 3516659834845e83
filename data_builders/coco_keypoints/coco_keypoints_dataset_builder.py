"""COCO's people with 17 keypoints, or any file of COCO's format with any keypoints."""

import dataclasses
import hashlib
import logging
import pathlib
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from . import annotations, archives, instances, subsets

if TYPE_CHECKING or __name__.startswith("data_builders."):
    from data_builders.parts import contract, photographs, sources
else:  # `tfds build` imports `coco_keypoints.coco_keypoints_dataset_builder`.
    from parts import contract, photographs, sources

_LOG = logging.getLogger(__name__)
_MORE = (
    "box",
    "area",
    "crowd_box",
    "crowd_area",
    "instances",
    "image_id",
    "person_id",
    "category_id",
)
# Splits as the archives' names have them, and the official number of photographs.
_THERE = {"train": "train", "validation": "val"}
_OFFICIAL = {
    "train2014": 82_783,
    "val2014": 40_504,
    "train2017": 118_287,
    "val2017": 5_000,
}
_CITATION = """@inproceedings{lin14coco,
  title = {Microsoft {COCO}: Common Objects in Context},
  author = {Lin, Tsung-Yi and Maire, Michael and Belongie, Serge and others},
  booktitle = {European Conference on Computer Vision (ECCV)},
  year = {2014}
}"""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Part:
    """What one split is read from; `photographs` is the official number, if any."""

    annotations: bytes
    where: str
    source: sources.Source
    photographs: int | None = None


@dataclasses.dataclass(eq=False, kw_only=True)
class Format(tfds.core.BuilderConfig):
    """Files of COCO's format, of any keypoints.

    Attributes:
        annotations: split -> JSON file.
        images: folder or zip that the `file_name` of every image starts from; or one
            for each split.
        with_nobody: splits that also hold the photographs that show nobody; there is
            nothing to learn from them, but false alarms on them count. By default
            those whose names do not begin with `train`.
        name: of the prepared data set. By default it holds a digest of the files, so
            that files that were changed are prepared anew.
    """

    annotations: Mapping[str, str]
    images: str | Mapping[str, str]
    with_nobody: tuple[str, ...] | None = None
    name: str = ""

    def __post_init__(self) -> None:
        """Raises: FileNotFoundError if a file of annotations is not there."""
        if self.with_nobody is None:
            self.with_nobody = tuple(
                split for split in self.annotations if not split.startswith("train")
            )
        if not self.name:
            digest = hashlib.sha256(repr((self.images, self.with_nobody)).encode())
            for split in self.annotations:
                digest.update(split.encode() + self._content(split))
            stem = re.sub(r"\W+", "_", self._path(split).stem)
            self.name = f"{stem}-{digest.hexdigest()[:8]}"

    def keypoint_names(self) -> tuple[str, ...]:
        """Raises: ValueError if the splits have different keypoints."""
        lists = {
            annotations.names(self._content(split), where=str(self._path(split)))
            for split in self.annotations
        }
        if len(lists) != 1:
            raise ValueError(
                f"{dict(self.annotations)} have different keypoints: {sorted(lists)}; "
                "splits of one data set must have the same"
            )
        return next(iter(lists))

    def parts(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Part]:
        """Every split's files; nothing is downloaded."""
        return {split: self._part(split) for split in self.annotations}

    def subsets(self, shown: Mapping[str, list[int]]) -> dict[str, dict[str, Any]]:
        """None: the numbers of one's own photographs mean nothing elsewhere."""
        return {}

    def _part(self, split: str) -> Part:
        path = self.images if isinstance(self.images, str) else self.images[split]
        images = pathlib.Path(path).expanduser()
        if not images.exists():
            raise FileNotFoundError(
                f"images of {split}, {images}, is not there; give the folder or the zip "
                "that `file_name` of each image starts from"
            )
        packed = images.is_file()
        return Part(
            annotations=self._content(split),
            where=str(self._path(split)),
            source=sources.open_zip(images, folder=images.stem)
            if packed
            else sources.Folder(path=images),
        )

    def _path(self, split: str) -> pathlib.Path:
        return pathlib.Path(self.annotations[split]).expanduser()

    def _content(self, split: str) -> bytes:
        path = self._path(split)
        if not path.is_file():
            raise FileNotFoundError(
                f"annotations of {split}, {path}, are not there; give the JSON file of "
                f"COCO's format (a relative path starts from {pathlib.Path.cwd()})"
            )
        return path.read_bytes()


@dataclasses.dataclass(eq=False, kw_only=True)
class Year(tfds.core.BuilderConfig):
    """COCO itself; `name` begins with 2014 or 2017."""

    splits: tuple[str, ...] = ("train", "validation")
    with_nobody: tuple[str, ...] = ("validation",)

    def keypoint_names(self) -> tuple[str, ...]:
        return annotations.COCO

    def parts(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Part]:
        """The splits, from the official archives; those of other splits stay shut."""
        year = self.name[:4]
        source = archives.load(f"annotations_trainval{year}", dl_manager)
        parts = {}
        for split in self.splits:
            there = f"{_THERE[split]}{year}"
            file = f"person_keypoints_{there}.json"
            parts[split] = Part(
                annotations=source.read(file),
                where=source.where(file),
                source=archives.load(there, dl_manager),
                photographs=_OFFICIAL[there],
            )
        return parts

    def subsets(self, shown: Mapping[str, list[int]]) -> dict[str, dict[str, Any]]:
        """The lists of photographs that others split COCO by."""
        return subsets.metadata(shown)


class Builder(tfds.core.GeneratorBasedBuilder):
    """`train` and `validation` of a year, or the splits of a `Format`."""

    VERSION = tfds.core.Version("1.2.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {
        "1.1.0": "Areas of crowds, and categories of people.",
        "1.2.0": "`ae_valid` and `ae_train` of a year.",
    }
    MANUAL_DOWNLOAD_INSTRUCTIONS = archives.INSTRUCTIONS
    BUILDER_CONFIGS: ClassVar[list[tfds.core.BuilderConfig]] = [
        Year(name="2017", description="118,287 and 5,000 photographs"),
        Year(name="2014", description="82,783 and 40,504 photographs"),
        Year(
            name="2017_validation",
            splits=("validation",),
            description="the 5,000 photographs of 2017, to evaluate without the others",
        ),
    ]

    def _info(self) -> tfds.core.DatasetInfo:
        """The features, and the keypoints' names as metadata."""
        return contract.dataset_info(
            self,
            keypoint_names=self.builder_config.keypoint_names(),
            description=__doc__,
            homepage=archives.HOMEPAGE,
            citation=_CITATION,
            more=_MORE,
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[str, dict[str, Any]]]]:
        """Checks all files before the first record is written."""
        digest = hashlib.sha256()
        generators, shown = {}, {}
        for split, part in self.builder_config.parts(dl_manager).items():
            kept = _kept(part, with_nobody=split in self.builder_config.with_nobody)
            sizes, digests = photographs.check(part.source, [p.name for p in kept])
            _check_sizes(kept, sizes, part.where)
            digest.update(hashlib.sha256(part.annotations).digest() + digests)
            generators[split] = self._generate_examples(part.source, kept, sizes)
            shown[split] = [photograph.image_id for photograph in kept]
        self.info.metadata["subsets"] = self.builder_config.subsets(shown)
        self.info.metadata["content_sha256"] = digest.hexdigest()
        return generators

    def _generate_examples(
        self,
        source: sources.Source,
        kept: list[annotations.Photograph],
        sizes: np.ndarray,
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Key and record of each photograph, in the file's order."""
        names = self.info.metadata["keypoints"]
        for photograph, (height, width) in zip(kept, sizes, strict=True):
            yield (
                str(photograph.image_id),
                annotations.arrays(photograph, names)
                | {
                    "image": source.read(photograph.name),
                    "filename": photograph.name,
                    "height": height,
                    "width": width,
                    "image_id": photograph.image_id,
                    "instances": instances.png(photograph, (height, width)),
                },
            )


def _kept(part: Part, *, with_nobody: bool) -> list[annotations.Photograph]:
    """The photographs that become records; all of them must be there.

    Raises:
        ValueError: the annotations are not as they should be, or a photograph of them
            is missing.
    """
    file = annotations.read(part.annotations, where=part.where)
    if part.photographs not in (None, len(file.photographs)):
        _LOG.warning(
            "%s is used as it is, but it lists %d photographs, not the official %d",
            part.where,
            len(file.photographs),
            part.photographs,
        )
    kept = [p for p in file.photographs if with_nobody or p.people or p.crowds]
    there = set(part.source.names())
    missing = [p.name for p in kept if p.name not in there]
    if missing or not kept:
        raise ValueError(
            f"{part.where}: {len(missing)} of {len(kept)} photographs, such as "
            f"{missing[:1]}, are not in {part.source.where()}; every photograph with "
            "people must be there, and one at least; take the images out of the file, "
            "or unpack the archive again"
        )
    return kept


def _check_sizes(
    kept: list[annotations.Photograph], sizes: np.ndarray, where: str
) -> None:
    """ValueError where a photograph has another size than the file says."""
    for photograph, (height, width) in zip(kept, sizes.tolist(), strict=True):
        if photograph.size not in (None, (height, width)):
            raise ValueError(
                f"{where}: image {photograph.image_id} ({photograph.name}) is "
                f"{height} pixels high and {width} wide, not {photograph.size}; the "
                "annotations belong to another size of it; take the photograph that "
                "they were made on"
            )
        instances.check(photograph, (height, width), where)
