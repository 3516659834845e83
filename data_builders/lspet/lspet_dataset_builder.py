"""Leeds Sports Pose Extended Training: 10,000 photographs, one person each.

The photographs show parkour, gymnastics and athletics; the annotations were collected
on Amazon Mechanical Turk, are not exact, and leave out joints that cannot be seen.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import tensorflow_datasets as tfds

if TYPE_CHECKING or __name__.startswith("data_builders."):
    from data_builders.parts import contract, joints, leeds
else:  # `tfds build` imports `lspet.lspet_dataset_builder`, from inside data_builders.
    from parts import contract, joints, leeds

ARCHIVE = leeds.Archive(
    folder="lspet_dataset",
    homepage="http://sam.johnson.io/research/lspet.html",
    # The authors' present and former host, and what the Internet Archive has of them.
    addresses=(
        "https://sam.johnson.io/research/lspet_dataset.zip",
        "http://sam.johnson.io/research/lspet_dataset.zip",
        "http://www.comp.leeds.ac.uk/mat4saj/lspet_dataset.zip",
        "https://web.archive.org/web/2020id_/http://sam.johnson.io/research/lspet_dataset.zip",
        "https://web.archive.org/web/2014id_/http://www.comp.leeds.ac.uk/mat4saj/lspet_dataset.zip",
    ),
    digits=5,
    people=10_000,
    cut=True,
    content_sha256=None,  # No complete copy was at hand when this was written.
    layout=joints.Layout(
        axes=("joint", "value", "person"),
        # Flag 1 means annotated, the inverse of LSP's.
        visibility=(contract.UNLABELED, contract.VISIBLE),
    ),
)

_CITATION = """@inproceedings{Johnson11,
  title = {Learning Effective Human Pose Estimation from Inaccurate Annotation},
  author = {Johnson, Sam and Everingham, Mark},
  year = {2011},
  booktitle = {Proceedings of Computer Vision and Pattern Recognition (CVPR) 2011}
}"""


class Builder(tfds.core.GeneratorBasedBuilder):
    """Every photograph is `train`, in order; an archive cut short is read as it is."""

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
        rows = range(len(contents.photographs))
        return {"train": self._generate_examples(contents, rows)}

    def _generate_examples(
        self, contents: leeds.Contents, rows: range
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        """Key and record of each of the archive's rows."""
        return leeds.examples(contents, rows)
