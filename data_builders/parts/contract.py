"""The record that every builder writes; README.md tells it in words."""

from collections.abc import Sequence

import numpy as np
import tensorflow_datasets as tfds

# COCO's meaning of a keypoint's visibility.
UNLABELED, HIDDEN, VISIBLE = 0, 1, 2


def dataset_info(
    builder: tfds.core.DatasetBuilder,
    *,
    keypoint_names: Sequence[str],
    description: str,
    homepage: str,
    citation: str,
) -> tfds.core.DatasetInfo:
    """Describes a dataset of photographs and keypoints; the order of records is kept.

    `keypoint_names` are stored as the metadata `keypoints`, in the order of the
    features' keypoint axis, so that readers find a joint by its name.
    """
    return tfds.core.DatasetInfo(
        builder=builder,
        description=description,
        homepage=homepage,
        citation=citation,
        features=features(len(keypoint_names)),
        metadata=tfds.core.MetadataDict(keypoints=list(keypoint_names)),
        disable_shuffling=True,
    )


def features(num_keypoints: int) -> tfds.features.FeaturesDict:
    """The features of one photograph with any number of people on it."""
    people = (None, num_keypoints)
    return tfds.features.FeaturesDict(
        {
            "image": tfds.features.Image(shape=(None, None, 3), encoding_format="jpeg"),
            "filename": tfds.features.Text(),
            "height": np.int32,
            "width": np.int32,
            "keypoints": tfds.features.Tensor(shape=(*people, 2), dtype=np.float32),
            "visibility": tfds.features.Tensor(shape=people, dtype=np.int32),
        }
    )
