"""COCO's official archives: found in the manual directory, or downloaded."""

import dataclasses
import functools
import logging
import pathlib
from typing import TYPE_CHECKING

import tensorflow_datasets as tfds

if TYPE_CHECKING or __name__.startswith("data_builders."):
    from data_builders.parts import downloads, sources
else:  # `tfds build` imports `coco_keypoints.archives`, from inside data_builders.
    from parts import downloads, sources

_LOG = logging.getLogger(__name__)
HOMEPAGE = "https://cocodataset.org"
_HOST = "http://images.cocodataset.org"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Archive:
    """One zip: its name without `.zip`, the folder in it, and what is known of it."""

    name: str
    folder: str
    address: str
    sha256: str
    size: str


def _photographs(name: str, size: str, sha256: str) -> Archive:
    address = f"{_HOST}/zips/{name}.zip"
    return Archive(name=name, folder=name, address=address, size=size, sha256=sha256)


def _annotations(year: int, sha256: str) -> Archive:
    name = f"annotations_trainval{year}"
    return Archive(
        name=name,
        folder="annotations",
        address=f"{_HOST}/annotations/{name}.zip",
        size="0.25 GB",
        sha256=sha256,
    )


# Digests as TensorFlow Datasets records them.
ARCHIVES = {
    archive.name: archive
    for archive in (
        _annotations(
            2014, "031296bbc80c45a1d1f76bf9a90ead27e94e99ec629208449507a4917a3bf009"
        ),
        _annotations(
            2017, "113a836d90195ee1f884e704da6304dfaaecff1f023f49b6ca93c4aaae470268"
        ),
        _photographs(
            "train2014",
            "13.5 GB",
            "ede4087e640bddba550e090eae701092534b554b42b05ac33f0300b984b31775",
        ),
        _photographs(
            "val2014",
            "6.6 GB",
            "fe9be816052049c34717e077d9e34aa60814a55679f804cd043e3cbee3b9fde0",
        ),
        _photographs(
            "train2017",
            "19.3 GB",
            "69a8bb58ea5f8f99d24875f21416de2e9ded3178e903f1f7603e283b9e06d929",
        ),
        _photographs(
            "val2017",
            "0.8 GB",
            "4f7e2ccb2866ec5041993c9cf2a952bbed69647b115d0f74da7ce8f4bef82f05",
        ),
    )
}
INSTRUCTIONS = (
    f"Get annotations_trainval2017.zip, train2017.zip and val2017.zip (or those of "
    f"2014) from {HOMEPAGE} and put them into the manual directory, as they are or "
    "unpacked as coco/annotations/, coco/train2017/ and coco/val2017/"
)


def load(name: str, dl_manager: tfds.download.DownloadManager) -> sources.Source:
    """What is in the folder of an archive: unpacked, as a zip, or downloaded.

    Raises:
        FileNotFoundError: it is not there and cannot be downloaded.
        ValueError: the zip is not readable.
    """
    archive = ARCHIVES[name]
    manual = sources.manual_directory(dl_manager)
    for directory in (manual / "coco", manual):
        source = sources.find(directory, archive.folder, archive=name)
        if source is not None:
            return source
    target = pathlib.Path(dl_manager.download_dir) / f"{name}.zip"
    if not target.is_file():
        _LOG.warning("downloading %s (%s)", archive.address, archive.size)
    accept = functools.partial(downloads.check_sha256, archive.sha256)
    try:
        path = downloads.fetch([archive.address], target=target, accept=accept)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"Neither coco/{archive.folder}/ nor {name}.zip is in {manual}, and it "
            f"could not be downloaded:\n{error}\n{INSTRUCTIONS}"
        ) from None
    return sources.open_zip(path, folder=archive.folder)
