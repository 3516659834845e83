"""Leeds Sports Pose: 2000 photographs of athletes, one annotated person each."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import tensorflow_datasets as tfds

if TYPE_CHECKING or __name__.startswith("data_builders."):
    from data_builders.parts import contract, joints, leeds
else:  # `tfds build` imports `lsp.lsp_dataset_builder`, from inside data_builders.
    from parts import contract, joints, leeds

ARCHIVE = leeds.Archive(
    folder="lsp_dataset",
    homepage="http://sam.johnson.io/research/lsp.html",
    # The authors' present and former host, and what the Internet Archive has of them.
    addresses=(
        "https://sam.johnson.io/research/lsp_dataset.zip",
        "http://sam.johnson.io/research/lsp_dataset.zip",
        "http://www.comp.leeds.ac.uk/mat4saj/lsp_dataset.zip",
        "https://web.archive.org/web/2020id_/http://sam.johnson.io/research/lsp_dataset.zip",
        "https://web.archive.org/web/2014id_/http://www.comp.leeds.ac.uk/mat4saj/lsp_dataset.zip",
    ),
    digits=4,
    people=2000,
    cut=False,
    # Of a copy whose joints.mat MATLAB wrote on 6 May 2010, as the authors did.
    content_sha256=("45575da28b628fc43bdbd87b6412445a0b9bb7ffd0da4128204bc9db9d6cbc65"),
    layout=joints.Layout(
        axes=("value", "joint", "person"),
        # Flag 1 means occluded, the inverse of the extended set's.
        visibility=(contract.VISIBLE, contract.HIDDEN),
    ),
)
_NUM_TRAIN = 1000

_CITATION = """@inproceedings{Johnson10,
  title = {Clustered Pose and Nonlinear Appearance Models for Human Pose Estimation},
  author = {Johnson, Sam and Everingham, Mark},
  year = {2010},
  booktitle = {Proceedings of the British Machine Vision Conference},
  note = {doi:10.5244/C.24.12}
}"""


class Builder(tfds.core.GeneratorBasedBuilder):
    """Photographs 1 to 1000 are `train`, 1001 to 2000 `test`, in their order."""

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = ARCHIVE.instructions

    def _info(self) -> tfds.core.DatasetInfo:
        """The features, and the keypoints' names as metadata."""
        return contract.dataset_info(
            self,
            keypoint_names=joints.NAMES,
            description=__doc__,
            homepage=ARCHIVE.homepage,
            citation=_CITATION,
        )

    def _split_generators(
        self, dl_manager: tfds.download.DownloadManager
    ) -> dict[str, Iterator[tuple[str, dict[str, Any]]]]:
        """Checks the whole archive before the first record is written."""
        contents = leeds.load(ARCHIVE, dl_manager)
        self.info.metadata["content_sha256"] = contents.sha256
        return {
            "train": self._generate_examples(contents, range(_NUM_TRAIN)),
            "test": self._generate_examples(
                contents, range(_NUM_TRAIN, ARCHIVE.people)
            ),
        }

    def _generate_examples(
        self, contents: leeds.Contents, rows: range
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Key and record of each of the archive's rows."""
        return leeds.examples(contents, rows)
