"""People to learn from and to be measured on, out of prepared data sets."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import tensorflow_datasets as tfds
from jaxtyping import Bool, Float, Int, Shaped

from jaxpose import ignored, prepared, regions
from jaxpose.prepared import Photographs
from jaxpose.regions import Region
from jaxpose.skeletons import Skeleton
from jaxpose.types import Annotations, Regions

# What a record may tell of each person; data_builders/README.md has the meanings.
PERSON = (
    "box",
    "head_box",
    "torso_box",
    "area",
    "center",
    "scale",
    "separate",
    "log_density",
    "person_id",
    "category_id",
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class People:
    """Every person of some splits, one row each, in source pixels.

    Attributes:
        record: number of the photograph within `photographs`.
        box: region of the photograph that a canvas shows; the box around what is seen
            of the person is `more["box"]`.
        size: (height, width) of the photograph.
        names: file name of the photograph.
        more: what else the data sets tell of people, under the names of
            data_builders/README.md, `image_id`, `place`, which person of the record it
            is, from 0, and `listed`, who belongs to the split. Where one of several
            data sets does not tell, nan, -1 or False.
        ignored: crowds and people with too few keypoints, where the data set has boxes.
            Its `image_id` is the number within `photographs`.
        listing: every photograph, also of nobody; None of several data sets.
        truth: what is annotated, where these are not the annotated people but found
            ones; None where they are.
    """

    photographs: Photographs
    record: Int[np.ndarray, "m"]
    keypoints: Float[np.ndarray, "m k 2"]
    visibility: Int[np.ndarray, "m k"]
    box: Float[np.ndarray, "m 4"]
    size: Int[np.ndarray, "m 2"]
    names: tuple[str, ...]
    more: Mapping[str, Shaped[np.ndarray, "m ..."]] = dataclasses.field(
        default_factory=dict
    )
    ignored: Regions | None = None
    listing: prepared.Listing | None = None
    truth: Annotations | None = None

    def __len__(self) -> int:
        return len(self.record)

    def describe(self, row: int) -> str:
        """Names a row as one finds it: data set, record, file, and the person's id."""
        place = self.photographs.describe(int(self.record[row]), self.names[row])
        known = self.more.get("person_id", np.full(len(self), -1))[row]
        return place if known < 0 else f"{place}, person_id {known}"

    def annotations(self) -> Annotations:
        """The truth about these people, one a row."""
        if self.truth is not None:
            return self.truth
        more = {
            name: self.more[name][:, None]
            for name in ("head_box", "box", "area")
            if name in self.more
        }
        number = self.more.get("image_id", self.record)
        # Of several data sets some do not number theirs, or two have the same numbers.
        if (number < 0).any() or _count(number) < _count(self.record):
            number = self.record
        return Annotations(
            keypoints=self.keypoints[:, None],
            visibility=self.visibility[:, None],
            size=self.size,
            names=self.names,
            image_id=number,
            ignored=self.ignored
            and ignored.renumber(self.ignored, self.record, number),
            **more,
        )

    def take(self, rows: Int[np.ndarray, "r"]) -> "People":
        """Some rows, in the order given; the photographs stay as they are.

        Raises: ValueError of people who were found, whose truth cannot be divided.
        """
        self._check_annotated()
        return dataclasses.replace(
            self,
            names=tuple(self.names[row] for row in rows),
            more={name: values[rows] for name, values in self.more.items()},
            **{name: getattr(self, name)[rows] for name in _ARRAYS},
        )

    def _check_annotated(self) -> None:
        if self.truth is not None:
            raise ValueError(
                "people whom a detector found are evaluated all together, and by "
                "themselves; give them an eval of their own"
            )


def _count(numbers: Int[np.ndarray, "m"]) -> int:
    return len(np.unique(numbers))


_ARRAYS = ("record", "keypoints", "visibility", "box", "size")


class Source(Protocol):
    """Where people come from; a config field."""

    @property
    def boxes(self) -> str:
        """What cuts its canvases, to be told beside a score."""

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
        config: which variant, of a builder that has several: its name, or what
            describes it, such as `coco_keypoints_dataset_builder.Format`.
        at_least: leaves out people with fewer labeled keypoints of the skeleton; AP
            then ignores them. 0 takes everybody, for predictions where nobody is
            annotated.
    """

    builder: type[tfds.core.GeneratorBasedBuilder]
    split: str
    region: Region
    offset: float = 0.0
    config: str | tfds.core.BuilderConfig | None = None
    at_least: int = 1

    @property
    def boxes(self) -> str:
        return str(self.region)

    def open(
        self,
        data_dir: str,
        manual_dir: str,
        skeleton: Skeleton,
        *,
        everybody: bool = False,
    ) -> People:
        """Who belongs to the split, or everybody on its photographs.

        Raises: ValueError for an unknown split or keypoint, and where nobody is left.
        """
        builder = prepared.prepare(self.builder, data_dir, manual_dir, self.config)
        photographs, listed = prepared.open_split(builder, self.split)
        name = f"{prepared.title(builder)}/{self.split}"
        order = prepared.order(name, builder.info.metadata["keypoints"], skeleton)
        rows, passed, shown = [], [], []
        for number in range(len(photographs)):
            example = photographs.read(number)
            seen = np.where(order >= 0, example["visibility"][:, order], 0)
            counts = (seen > 0).sum(axis=1) >= self.at_least
            of_split = example[listed] if listed else np.ones_like(counts)
            counts &= of_split | everybody
            own = {"listed": of_split[counts]}
            rows.append(own | self._rows(example, number, order, counts))
            passed.append(ignored.of_record(example, number, ~counts))
            shown.append(prepared.photograph_of(example))
        found = {key: np.concatenate([row[key] for row in rows]) for key in rows[0]}
        if not len(found["record"]):
            raise ValueError(
                f"{name} has nobody with {self.at_least} labeled keypoints of "
                f"{skeleton.name}; take another split or at_least=0"
            )
        people = self._people(photographs, found)
        return dataclasses.replace(
            people, ignored=ignored.join(passed), listing=prepared.listing(shown)
        )

    def _rows(
        self,
        example: Mapping[str, Any],
        number: int,
        order: Int[np.ndarray, "k"],
        counts: Bool[np.ndarray, "p"],
    ) -> dict[str, Shaped[np.ndarray, "n ..."]]:
        """What one record tells of each of its people who count."""
        seen = np.where(order >= 0, example["visibility"][:, order], 0)
        n = int(counts.sum())
        fields = {
            "record": np.full(n, number),
            "keypoints": example["keypoints"][counts][:, order]
            + np.float32(self.offset),
            "visibility": seen[counts].astype(np.int32),
            "size": np.full((n, 2), (example["height"], example["width"])),
            "names": np.full(n, example["filename"].decode(), object),
            "place": np.flatnonzero(counts),
        }
        if "image_id" in example:
            fields["image_id"] = np.full(n, example["image_id"])
        return fields | {key: example[key][counts] for key in PERSON if key in example}

    def _people(
        self,
        photographs: Photographs,
        found: dict[str, Shaped[np.ndarray, "m ..."]],
    ) -> People:
        own = ("record", "keypoints", "visibility", "size", "names")
        more = {key: values for key, values in found.items() if key not in own}
        people = People(
            photographs=photographs,
            record=found["record"],
            keypoints=found["keypoints"],
            visibility=found["visibility"],
            box=np.zeros((len(found["record"]), 4)),
            size=found["size"],
            names=tuple(found["names"]),
            more=more,
        )
        return dataclasses.replace(people, box=self._boxes(people))

    def _boxes(self, people: People) -> Float[np.ndarray, "m 4"]:
        """Raises: ValueError naming the first person without a region."""
        labeled = people.visibility > 0
        try:
            return self.region(people.keypoints, labeled, people.size, people.more)
        except regions.NoRegionError as error:
            raise ValueError(f"{people.describe(error.person)}: {error}") from error


def concatenate(parts: Sequence[People]) -> People:
    """People of several sources, one after the other.

    Raises: ValueError if one of several sources is of people who were found.
    """
    if len(parts) == 1:
        return parts[0]
    for part in parts:
        part._check_annotated()
    starts = np.cumsum([0] + [len(part.photographs) for part in parts])[:-1]
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(p, name) for p in parts]) for name in _ARRAYS
    }
    arrays["record"] = np.concatenate(
        [part.record + start for part, start in zip(parts, starts, strict=True)]
    )
    passed = [
        part.ignored
        and dataclasses.replace(part.ignored, image_id=part.ignored.image_id + start)
        for part, start in zip(parts, starts, strict=True)
    ]
    return People(
        photographs=Photographs(
            sum((p.photographs.names for p in parts), ()),
            sum((p.photographs.splits for p in parts), ()),
        ),
        names=sum((p.names for p in parts), ()),
        more={name: _fill(parts, name) for name in {k for p in parts for k in p.more}},
        ignored=ignored.join(passed),
        **arrays,
    )


def _fill(parts: Sequence[People], name: str) -> Shaped[np.ndarray, "m ..."]:
    """One of `more` over several sources, of which some do not have it."""
    known = next(part.more[name] for part in parts if name in part.more)
    unknown = {"f": np.nan, "i": -1, "b": False}[known.dtype.kind]
    return np.concatenate(
        [
            part.more.get(
                name, np.full((len(part), *known.shape[1:]), unknown, known.dtype)
            )
            for part in parts
        ]
    )
