"""Frames Labeled In Cinema: upper bodies in 5003 frames of thirty films."""

import functools
import hashlib
import logging
import pathlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow_datasets as tfds

from . import examples

if TYPE_CHECKING or __name__.startswith("data_builders."):
    from data_builders.parts import contract, downloads, photographs, sources
else:  # `tfds build` imports `flic.flic_dataset_builder`, from inside data_builders.
    from parts import contract, downloads, photographs, sources

_LOG = logging.getLogger(__name__)
HOMEPAGE = "https://bensapp.github.io/flic-dataset.html"
# The authors' present and former host. The digest is what TensorFlow Datasets records.
ADDRESSES = (
    "https://drive.google.com/uc?id=0B4K3PZp8xXDJN0Fpb0piVjQ3Y3M&export=download",
    "http://vision.grasp.upenn.edu/video/FLIC.zip",
)
SHA256 = "778a4847f068592af40e959381c153838e4f68bb1d798e3824a9d88e5b881955"
PEOPLE = {"train": 3987, "test": 1016}
_FOLDER = "FLIC"
INSTRUCTIONS = (
    f"Get {_FOLDER}.zip (0.3 GB, not FLIC-full) from {HOMEPAGE} and put it into the "
    f"manual directory, as it is or unpacked as {_FOLDER}/examples.mat and "
    f"{_FOLDER}/images/"
)
_CITATION = """@inproceedings{sapp13,
  title = {{MODEC}: Multimodal Decomposable Models for Human Pose Estimation},
  author = {Sapp, Benjamin and Taskar, Ben},
  booktitle = {IEEE Conference on Computer Vision and Pattern Recognition (CVPR)},
  year = {2013}
}"""


class Builder(tfds.core.GeneratorBasedBuilder):
    """`train` 3987 and `test` 1016 people; who share a frame share a record."""

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = INSTRUCTIONS

    def _info(self) -> tfds.core.DatasetInfo:
        """The features, and the keypoints' names as metadata."""
        return contract.dataset_info(
            self,
            keypoint_names=examples.NAMES,
            description=__doc__,
            homepage=HOMEPAGE,
            citation=_CITATION,
            more=("torso_box",),
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[str, dict[str, Any]]]]:
        """Checks the whole archive before the first record is written."""
        source = _source(dl_manager)
        frames, mat = _frames(source)
        digest = hashlib.sha256(hashlib.sha256(mat).digest())
        generators = {}
        for split, shown in frames.items():
            files = [f"images/{frame.name}" for frame in shown]
            sizes, digests = photographs.check(source, files)
            digest.update(digests)
            generators[split] = self._generate_examples(source, shown, sizes)
        self.info.metadata["content_sha256"] = digest.hexdigest()
        return generators

    def _generate_examples(
        self, source: sources.Source, frames: list[examples.Frame], sizes: np.ndarray
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Key and record of each frame, in the archive's order."""
        for frame, (height, width) in zip(frames, sizes, strict=True):
            yield (
                frame.name,
                {
                    "image": source.read(f"images/{frame.name}"),
                    "filename": frame.name,
                    "height": height,
                    "width": width,
                    "keypoints": frame.keypoints,
                    "visibility": frame.visibility,
                    "torso_box": frame.torso_box,
                },
            )


def _source(dl_manager: tfds.download.DownloadManager) -> sources.Source:
    """The archive, downloaded if it is not in the manual directory."""
    manual = sources.manual_directory(dl_manager)
    source = sources.find(manual, _FOLDER)
    if source is not None:
        return source
    target = pathlib.Path(dl_manager.download_dir) / f"{_FOLDER}.zip"
    accept = functools.partial(downloads.check_sha256, SHA256)
    try:
        path = downloads.fetch(ADDRESSES, target=target, accept=accept)
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"Neither {_FOLDER}/ nor {_FOLDER}.zip is in {manual}, and no address gave "
            f"it:\n{error}\n{INSTRUCTIONS}"
        ) from None
    return sources.open_zip(path, folder=_FOLDER)


def _frames(source: sources.Source) -> tuple[dict[str, list[examples.Frame]], bytes]:
    """The frames of each split that has some, and the file that tells them.

    Raises:
        ValueError: the file or a photograph is missing.
    """
    names = set(source.names())
    where = source.where("examples.mat")
    if "examples.mat" not in names:
        raise ValueError(f"{where} is missing. {INSTRUCTIONS}")
    mat = source.read("examples.mat")
    frames = examples.read(mat, where=where)
    shown = [frame.name for found in frames.values() for frame in found]
    missing = [name for name in shown if f"images/{name}" not in names]
    if missing:
        raise ValueError(
            f"{source.where()} lacks {len(missing)} of {len(shown)} photographs, such "
            f"as images/{missing[0]}; all must be there. {INSTRUCTIONS}"
        )
    people = {k: sum(len(f.keypoints) for f in found) for k, found in frames.items()}
    if people != PEOPLE:
        _LOG.warning("%s holds %s people, not the official %s", where, people, PEOPLE)
    return {split: found for split, found in frames.items() if found}, mat
