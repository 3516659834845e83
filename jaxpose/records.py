"""Prepared data sets on disk: people to learn from, photographs by number.

Layout of a record: data_builders/README.md.
"""

import bisect
import contextlib
import dataclasses
import itertools
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any, Protocol

import cv2
import jax
import numpy as np
import tensorflow_datasets as tfds
from jax.experimental import multihost_utils
from jaxtyping import Float, Int, UInt8

from jaxpose.regions import Region
from jaxpose.skeletons import Skeleton


@dataclasses.dataclass(frozen=True)
class Photographs:
    """JPEG bytes by record number, over one or several prepared splits."""

    names: tuple[str, ...]
    splits: tuple[Sequence[Any], ...]

    def locate(self, record: int) -> tuple[int, int]:
        """(split, record within it) of a record number over all splits."""
        starts = [0, *itertools.accumulate(len(split) for split in self.splits)]
        split = bisect.bisect_right(starts, record) - 1
        return split, record - starts[split]

    def jpeg(self, record: int) -> bytes:
        """Raises: as `read`."""
        return self.read(record)["image"]

    def read(self, record: int) -> dict[str, Any]:
        """Raises: ValueError naming the record if it cannot be read."""
        split, number = self.locate(record)
        with _readable(f"{self.names[split]} record {number}"):
            example = self.splits[split][number]
            # What a truncated file no longer holds comes back as None.
            if any(value is None for value in example.values()):
                raise EOFError("the record is empty")
        return example

    def image(self, record: int) -> UInt8[np.ndarray, "h w 3"]:
        """RGB. Raises: as `jpeg` and `decode`."""
        return decode(self.jpeg(record))


_REDUCED = {
    1: cv2.IMREAD_COLOR,
    2: cv2.IMREAD_REDUCED_COLOR_2,
    4: cv2.IMREAD_REDUCED_COLOR_4,
    8: cv2.IMREAD_REDUCED_COLOR_8,
}


def decode(jpeg: bytes, factor: int = 1) -> UInt8[np.ndarray, "h w 3"]:
    """RGB at 1 / factor of its size, rounded up.

    Raises: ValueError if the bytes are no JPEG that can be decoded.
    """
    # Annotations are in the stored orientation, whatever a camera wrote beside it.
    flags = _REDUCED[factor] | cv2.IMREAD_IGNORE_ORIENTATION
    image = cv2.imdecode(np.frombuffer(jpeg, np.uint8), flags) if jpeg else None
    if image is None:
        raise ValueError(
            f"{len(jpeg)} bytes are not a JPEG that can be decoded; repair the original "
            "and delete the prepared data set, and the next run builds it again"
        )
    return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)


@dataclasses.dataclass(frozen=True, kw_only=True)
class People:
    """Every person of some splits, one row each, in source pixels.

    Attributes:
        record: number of the photograph within `photographs`.
        box: region of the photograph that a canvas shows.
        size: (height, width) of the photograph.
        names: file name of the photograph.
    """

    photographs: Photographs
    record: Int[np.ndarray, "m"]
    keypoints: Float[np.ndarray, "m k 2"]
    visibility: Int[np.ndarray, "m k"]
    box: Float[np.ndarray, "m 4"]
    size: Int[np.ndarray, "m 2"]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.record)

    def describe(self, row: int) -> str:
        """Names a row as a person finds it: data set, record, file."""
        split, number = self.photographs.locate(int(self.record[row]))
        return f"{self.photographs.names[split]} record {number} ({self.names[row]})"

    def take(self, rows: Int[np.ndarray, "r"]) -> "People":
        """Some rows, in the order given; the photographs stay as they are."""
        return dataclasses.replace(
            self,
            names=tuple(self.names[row] for row in rows),
            **{name: getattr(self, name)[rows] for name in _ARRAYS},
        )


_ARRAYS = ("record", "keypoints", "visibility", "box", "size")


class Source(Protocol):
    """Where people come from; a config field."""

    def open(self, data_dir: str, manual_dir: str, skeleton: Skeleton) -> People: ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class Split:
    """One split of one data set, prepared on first use.

    Attributes:
        builder: the TFDS builder class, from data_builders/.
        split: its name, such as `train`.
        region: the part of each photograph that a canvas shows.
        offset: added to the keypoints, in source pixels. The weighted-loss DeepPose
            takes MATLAB's 1-based numbers as positions from the image's corner, which
            puts keypoints half a pixel right of and below where they are: 0.5.
    """

    builder: type[tfds.core.GeneratorBasedBuilder]
    split: str
    region: Region
    offset: float = 0.0

    def open(self, data_dir: str, manual_dir: str, skeleton: Skeleton) -> People:
        """Raises: ValueError for a split or a keypoint that the data set lacks."""
        builder = prepare(self.builder, data_dir, manual_dir)
        name = f"{builder.name}/{self.split}"
        if self.split not in builder.info.splits:
            raise ValueError(
                f"{builder.name} has no split {self.split!r}; it has "
                f"{', '.join(sorted(builder.info.splits))}"
            )
        with _readable(name):
            source = builder.as_data_source(
                split=self.split, decoders=_undecoded(builder.info.features)
            )
        order = _order(name, builder.info.metadata["keypoints"], skeleton)
        return self._people(Photographs((name,), (source,)), order)

    def _people(self, photographs: Photographs, order: Int[np.ndarray, "k"]) -> People:
        keypoints, visibility, size, names, record = [], [], [], [], []
        for number in range(len(photographs.splits[0])):
            example = photographs.read(number)
            count = len(example["keypoints"])
            keypoints.append(example["keypoints"][:, order] + np.float32(self.offset))
            visibility.append(np.where(order >= 0, example["visibility"][:, order], 0))
            size += [(example["height"], example["width"])] * count
            names += [example["filename"].decode()] * count
            record += [number] * count
        points, seen = np.concatenate(keypoints), np.concatenate(visibility)
        return People(
            photographs=photographs,
            record=np.array(record),
            keypoints=points,
            visibility=seen.astype(np.int32),
            box=self.region(points, seen > 0, np.array(size)),
            size=np.array(size),
            names=tuple(names),
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ordered:
    """Part of several sources in an order written down: a split of somebody's own.

    Attributes:
        order: text file of record numbers over all sources, separated by commas.
        start, stop: the part of the order to take.
    """

    sources: tuple[Source, ...]
    order: str
    start: int
    stop: int

    def open(self, data_dir: str, manual_dir: str, skeleton: Skeleton) -> People:
        """Raises: ValueError if the order names more people than there are."""
        order = np.loadtxt(self.order, delimiter=",", dtype=np.int64)
        people = concatenate(
            [source.open(data_dir, manual_dir, skeleton) for source in self.sources]
        )
        if len(order) != len(people):
            names = ", ".join(
                f"{name} {len(split)}"
                for name, split in zip(
                    people.photographs.names, people.photographs.splits, strict=True
                )
            )
            raise ValueError(
                f"{self.order} orders {len(order)} people, but the prepared data has "
                f"{len(people)} ({names}); this split needs the complete data sets"
            )
        return people.take(order[self.start : self.stop])


def concatenate(parts: Sequence[People]) -> People:
    """People of several sources, one after the other."""
    starts = np.cumsum([0] + [sum(map(len, p.photographs.splits)) for p in parts])
    arrays = {
        name: np.concatenate([getattr(p, name) for p in parts]) for name in _ARRAYS
    }
    arrays["record"] = np.concatenate(
        [part.record + start for part, start in zip(parts, starts, strict=False)]
    )
    return People(
        photographs=Photographs(
            sum((p.photographs.names for p in parts), ()),
            sum((p.photographs.splits for p in parts), ()),
        ),
        names=sum((p.names for p in parts), ()),
        **arrays,
    )


def prepare(
    builder: type[tfds.core.GeneratorBasedBuilder], data_dir: str, manual_dir: str
) -> tfds.core.DatasetBuilder:
    """The data set, built first if it is missing; by one of several processes.

    Args:
        data_dir: where prepared data sets stand.
        manual_dir: where originals lie that a person put there.
    """
    data_path, manual_path = (
        pathlib.Path(path).expanduser().absolute() for path in (data_dir, manual_dir)
    )
    for process in range(jax.process_count()):
        # One after the other: hosts that share a disk find it built, others build.
        if process == jax.process_index():
            made = builder(data_dir=os.fspath(data_path), file_format="array_record")
            if not made.is_prepared():
                print(f"preparing {made.name} in {made.data_path}", flush=True)
                made.download_and_prepare(
                    download_config=tfds.download.DownloadConfig(
                        manual_dir=os.fspath(manual_path)
                    )
                )
        if jax.process_count() > 1:
            multihost_utils.sync_global_devices(f"prepared by process {process}")
    return made


def _undecoded(
    features: tfds.features.FeaturesDict,
) -> dict[str, tfds.decode.Decoder]:
    """Leaves pictures as the bytes that they are stored as."""
    return {
        name: tfds.decode.SkipDecoding()
        for name, feature in features.items()
        if isinstance(feature, tfds.features.Image)
    }


def _order(
    name: str, available: Sequence[str], skeleton: Skeleton
) -> Int[np.ndarray, "k"]:
    """Where each keypoint of the skeleton stands in the data set; -1 where nowhere."""
    if not set(available) & set(skeleton.keypoints):
        raise ValueError(
            f"{name} has none of the keypoints of {skeleton.name}: {tuple(available)}"
        )
    return np.array(
        [available.index(k) if k in available else -1 for k in skeleton.keypoints]
    )


@contextlib.contextmanager
def _readable(what: str) -> Iterator[None]:
    """Turns what damaged files raise into a message that says what to do."""
    try:
        yield
    except Exception as error:
        raise ValueError(
            f"{what} cannot be read ({type(error).__name__}: {error}); the prepared "
            "files are damaged: delete the data set's folder in data_dir, and the next "
            "run builds it again"
        ) from error
