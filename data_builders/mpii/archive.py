"""MPII's two archives: where they are, and whether they hold what they should."""

import dataclasses
import hashlib
import logging
import pathlib
import posixpath
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import tensorflow_datasets as tfds

from . import person_list, release, splits

if TYPE_CHECKING or __name__.startswith("data_builders."):
    from data_builders.parts import photographs, sources
else:  # `tfds build` imports `mpii.archive`, from inside data_builders.
    from parts import photographs, sources

_LOG = logging.getLogger(__name__)
HOMEPAGE = "http://human-pose.mpi-inf.mpg.de"
_ANNOTATIONS = "mpii_human_pose_v1_u12_2"
_IMAGES = "mpii_human_pose_v1"
_MAT = "mpii_human_pose_v1_u12_1.mat"
INSTRUCTIONS = (
    f"Get {_IMAGES}.tar.gz (12.9 GB) and {_ANNOTATIONS}.zip (12.5 MB) from {HOMEPAGE} "
    "and put both into the manual directory, as they are or unpacked as "
    f"mpii/images/005808361.jpg ... and mpii/{_MAT}"
)
# A few photographs with annotations are not in every copy of the image archive.
_MAY_LACK = 10


@dataclasses.dataclass(frozen=True, kw_only=True)
class Contents:
    """The checked archives: row i of every list is one photograph.

    Attributes:
        files: names in `source`.
        sizes: int32 (photographs, 2), (height, width).
        split: `train`, `validation` or `test`: whose photographs it is one of.
        people: name -> for every photograph bool (people,), who belongs to that list.
        sha256: of the SHA-256 digests of the annotations and of every photograph.
    """

    source: sources.Source
    photographs: list[release.Photograph]
    files: list[str]
    sizes: np.ndarray
    split: list[str]
    people: dict[str, list[np.ndarray]]
    sha256: str


def load(dl_manager: tfds.download.DownloadManager, *, listed: str = "") -> Contents:
    """Finds the archives in the manual directory and checks all of them.

    Args:
        listed: a JSON file that takes the place of the release's; see `person_list`.

    Raises:
        FileNotFoundError: one is not there.
        ValueError: they are not as they should be; the file is named.
    """
    manual = sources.manual_directory(dl_manager)
    unpacked = pathlib.Path(dl_manager.download_dir) / "unpacked"
    read = _listed(manual, listed) if listed else _released(manual)
    content, entries, people = read
    source, images = _find_images(manual, unpacked)
    validation = people["in_validation"]
    kept = _kept(entries, images, validation, source.where())
    files = [images[entries[row].name] for row in kept]
    sizes, digests = photographs.check(source, files)
    return Contents(
        source=source,
        photographs=[entries[row] for row in kept],
        files=files,
        sizes=sizes,
        split=[_split(entries[row], validation[row]) for row in kept],
        people={name: [rows[row] for row in kept] for name, rows in people.items()},
        sha256=hashlib.sha256(hashlib.sha256(content).digest() + digests).hexdigest(),
    )


_Read = tuple[bytes, list[release.Photograph], dict[str, list[np.ndarray]]]


def _released(manual: pathlib.Path) -> _Read:
    """The release's file, its photographs, and the lists of people."""
    annotations, name = _find_annotations(manual)
    content = annotations.read(name)
    entries = release.read(content, where=annotations.where(name))
    if len(entries) != splits.PHOTOGRAPHS:
        _LOG.warning(
            "the annotations are of %d photographs, not of the official %d: without "
            "DeepPose's split, and with only a part of Tompson's",
            len(entries),
            splits.PHOTOGRAPHS,
        )
    train, test = splits.deeppose(entries)
    return (
        content,
        entries,
        {
            "in_validation": splits.tompson(entries),
            "in_deeppose_train": train,
            "in_deeppose_test": test,
        },
    )


def _listed(manual: pathlib.Path, name: str) -> _Read:
    """A JSON file, its photographs, and the lists of people, of which it has one."""
    places = manual / "mpii" / name, manual / name
    file = next((file for file in places if file.is_file()), None)
    if file is None:
        raise FileNotFoundError(
            f"{name} is in neither {places[0].parent} nor {manual}; put it there, or "
            f"take the builder's own variant, of the release. {INSTRUCTIONS}"
        )
    content = file.read_bytes()
    entries, validation = person_list.read(content, where=str(file))
    nobody = [np.zeros(len(people), bool) for people in validation]
    return (
        content,
        entries,
        {
            "in_validation": validation,
            "in_deeppose_train": nobody,
            "in_deeppose_test": nobody,
        },
    )


def _split(photograph: release.Photograph, validation: np.ndarray) -> str:
    """The photographs of the validation people train nobody."""
    if not photograph.training:
        return "test"
    return "validation" if validation.any() else "train"


def _find_annotations(manual: pathlib.Path) -> tuple[sources.Source, str]:
    """The annotations and their file's name there; FileNotFoundError without them."""
    for directory, name in _places(manual, _ANNOTATIONS):
        source = sources.find(directory, name)
        for file in source.names() if source else ():
            if source and posixpath.basename(file) == _MAT:
                return source, file
    raise FileNotFoundError(
        f"{_MAT} is not in {manual}/mpii, {manual}/{_ANNOTATIONS} or the zip of it. "
        f"{INSTRUCTIONS}"
    )


def _find_images(
    manual: pathlib.Path, unpacked: pathlib.Path
) -> tuple[sources.Source, dict[str, str]]:
    """The photographs, and file name -> name there; FileNotFoundError without them."""
    for directory, name in _places(manual, _IMAGES):
        source = sources.find(directory, name) or sources.find_tar(
            directory, name, unpack_to=unpacked
        )
        images = {
            posixpath.basename(file): file
            for file in (source.names() if source else ())
            if file.endswith(".jpg")
        }
        if source and images:
            return source, images
    raise FileNotFoundError(
        f"no photograph is in {manual}/mpii, {manual}/{_IMAGES}, or the tar.gz, tar or "
        f"zip of it. {INSTRUCTIONS}"
    )


def _places(manual: pathlib.Path, archive: str) -> list[tuple[pathlib.Path, str]]:
    """(directory, name) of where an archive may be, packed or not."""
    return [(manual, "mpii"), (manual / "mpii", archive), (manual, archive)]


def _kept(
    entries: Sequence[release.Photograph],
    images: dict[str, str],
    validation: Sequence[np.ndarray],
    where: str,
) -> list[int]:
    """Rows of the entries whose photograph is there; who is missing is warned of.

    Raises:
        ValueError: photographs with keypoints are missing: of the validation people,
            or more than a few.
    """
    missing = [i for i, entry in enumerate(entries) if entry.name not in images]
    labeled = [i for i in missing if (entries[i].visibility > 0).any()]
    if len(labeled) > _MAY_LACK or any(validation[i].any() for i in labeled):
        raise ValueError(
            f"{where} lacks {len(labeled)} photographs with keypoints, such as "
            f"{entries[labeled[0]].name}; all of the validation people must be there, "
            f"and all but {_MAY_LACK} of the others. {INSTRUCTIONS}"
        )
    if missing:
        names = ", ".join(entries[i].name for i in missing[:_MAY_LACK])
        _LOG.warning(
            "%s lacks %d of %d photographs, which are left out: %s%s",
            where,
            len(missing),
            len(entries),
            names,
            " ..." if len(missing) > _MAY_LACK else "",
        )
    return sorted(set(range(len(entries))) - set(missing))
