"""Prepared data sets on disk: built where they are missing, photographs by number.

Layout of a record: data_builders/README.md.
"""

import bisect
import contextlib
import dataclasses
import itertools
import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import cv2
import jax
import numpy as np
import tensorflow_datasets as tfds
from jax.experimental import multihost_utils
from jaxtyping import Int, UInt8

from jaxpose.skeletons import Skeleton


@dataclasses.dataclass(frozen=True)
class Chosen:
    """Some records of a split, by number, in the order given."""

    split: Sequence[Any]
    numbers: Int[np.ndarray, "r"]

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, number: int) -> Any:
        return self.split[int(self.numbers[number])]


@dataclasses.dataclass(frozen=True)
class Photographs:
    """JPEG bytes by record number, over one or several prepared splits."""

    names: tuple[str, ...]
    splits: tuple[Sequence[Any] | Chosen, ...]

    def __len__(self) -> int:
        return sum(map(len, self.splits))

    def locate(self, record: int) -> tuple[int, int]:
        """(split, record within it) of a record number over all splits."""
        starts = [0, *itertools.accumulate(len(split) for split in self.splits)]
        split = bisect.bisect_right(starts, record) - 1
        return split, record - starts[split]

    def describe(self, record: int, name: str) -> str:
        """Names a record of the photograph `name` as one finds it."""
        split, number = self.locate(record)
        return f"{self.names[split]} record {number} ({name})"

    def jpeg(self, record: int) -> bytes:
        """Raises: as `read`."""
        return self.read(record)["image"]

    def read(self, record: int) -> dict[str, Any]:
        """Raises: ValueError naming the record if it cannot be read."""
        split, number = self.locate(record)
        with readable(f"{self.names[split]} record {number}"):
            example = self.splits[split][number]
            # What a truncated file no longer holds comes back as None.
            if any(value is None for value in example.values()):
                raise EOFError("the record is empty")
        return example

    def image(self, record: int) -> UInt8[np.ndarray, "h w 3"]:
        """RGB. Raises: as `jpeg` and `decode`."""
        return decode(self.jpeg(record))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Listing:
    """What the records of a split tell of their photographs, one a row.

    Attributes:
        image_id: the data set's own numbers; -1 if it does not number them.
        size: (height, width).
        names: of their files.
    """

    image_id: Int[np.ndarray, "r"]
    size: Int[np.ndarray, "r 2"]
    names: tuple[str, ...]


def photograph_of(example: Mapping[str, Any]) -> tuple[int, int, int, str]:
    """Number, height, width and name of a record's photograph."""
    numbers = example.get("image_id", -1), example["height"], example["width"]
    return *map(int, numbers), example["filename"].decode()


def listing(shown: Sequence[tuple[int, int, int, str]]) -> Listing:
    """From `photograph_of` every record of a split, in order."""
    numbers, heights, widths, names = zip(*shown, strict=True)
    size = np.array([heights, widths]).T
    return Listing(image_id=np.array(numbers), size=size, names=names)


def join(listings: Sequence[Listing]) -> Listing:
    """All photographs, under their own numbers if these tell them apart."""
    number = np.concatenate([listing.image_id for listing in listings])
    if (number < 0).any() or len(np.unique(number)) < len(number):
        number = np.arange(len(number))
    return Listing(
        image_id=number,
        size=np.concatenate([listing.size for listing in listings]),
        names=sum((listing.names for listing in listings), ()),
    )


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


def prepare(
    builder: type[tfds.core.GeneratorBasedBuilder],
    data_dir: str,
    manual_dir: str,
    config: str | tfds.core.BuilderConfig | None = None,
) -> tfds.core.DatasetBuilder:
    """The data set, built first if it is missing; by one of several processes.

    Args:
        data_dir: where prepared data sets stand.
        manual_dir: where originals lie that a person put there.
        config: which variant, of a builder that has several.

    Raises: ValueError if the builder has no such variant.
    """
    _check_config(builder, config)
    data_path, manual_path = (
        pathlib.Path(path).expanduser().absolute() for path in (data_dir, manual_dir)
    )
    for process in range(jax.process_count()):
        # One after the other: hosts that share a disk find it built, others build.
        if process == jax.process_index():
            made = builder(
                config=config, data_dir=os.fspath(data_path), file_format="array_record"
            )
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


def _check_config(builder: type[tfds.core.DatasetBuilder], config: Any) -> None:
    named = config is not None and not isinstance(config, tfds.core.BuilderConfig)
    if named and config not in builder.builder_configs:
        known = ", ".join(sorted(builder.builder_configs)) or "only one, without a name"
        raise ValueError(
            f"{builder.name} has no variant {config!r}; it has {known}; files of one's "
            "own are described by a config object, such as "
            "coco_keypoints_dataset_builder.Format, and not by their path"
        )


def title(builder: tfds.core.DatasetBuilder) -> str:
    """Name of a data set and of its variant, if it has several."""
    config = builder.builder_config
    return f"{builder.name}/{config.name}" if config else builder.name


def open_split(
    builder: tfds.core.DatasetBuilder, split: str
) -> tuple[Photographs, str]:
    """The photographs of a split, and the feature that lists its people.

    The feature is empty where everybody on the photographs belongs to the split.

    Raises: ValueError if there is no such split, or its files are damaged.
    """
    name = title(builder)
    known: dict[str, dict[str, Any]] = {
        key: {"splits": [key], "people": ""} for key in builder.info.splits
    }
    known |= builder.info.metadata.get("subsets", {})
    if split not in known:
        raise ValueError(
            f"{name} has no split {split!r}; it has {', '.join(sorted(known))}"
        )
    subset = known[split]
    names = tuple(f"{name}/{part}" for part in subset["splits"])
    with readable(f"{name}/{split}"):
        parts = builder.as_data_source(
            split=subset["splits"], decoders=_undecoded(builder.info.features)
        )
    if "records" in subset:
        # They are counted anew, so that they go by the name of the subset.
        names = (f"{name}/{split}",) * len(parts)
        parts = [
            Chosen(part, np.array(numbers, np.int64))
            for part, numbers in zip(parts, subset["records"], strict=True)
        ]
    return Photographs(names, tuple(parts)), subset["people"]


def order(
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


def _undecoded(
    features: tfds.features.FeaturesDict,
) -> dict[str, tfds.decode.Decoder]:
    """Leaves pictures as the bytes that they are stored as."""
    return {
        name: tfds.decode.SkipDecoding()
        for name, feature in features.items()
        if isinstance(feature, tfds.features.Image)
    }


@contextlib.contextmanager
def readable(what: str) -> Iterator[None]:
    """Turns what damaged files raise into a message that says what to do."""
    try:
        yield
    except Exception as error:
        raise ValueError(
            f"{what} cannot be read ({type(error).__name__}: {error}); the prepared "
            "files are damaged: delete the data set's folder in data_dir, and the next "
            "run builds it again"
        ) from error
