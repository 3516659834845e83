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
    more: Sequence[str] = (),
) -> tfds.core.DatasetInfo:
    """Describes a dataset of photographs and keypoints; the order of records is kept.

    `keypoint_names` are stored as the metadata `keypoints`, in the order of the
    features' keypoint axis, so that readers find a joint by its name. `more` names
    what of MORE the dataset knows.
    """
    return tfds.core.DatasetInfo(
        builder=builder,
        description=description,
        homepage=homepage,
        citation=citation,
        features=features(len(keypoint_names), more),
        metadata=tfds.core.MetadataDict(keypoints=list(keypoint_names)),
        disable_shuffling=True,
    )


def _numbers(*shape: int | None) -> tfds.features.Tensor:
    return tfds.features.Tensor(shape=shape, dtype=np.float32)


def _chosen() -> tfds.features.Tensor:
    return tfds.features.Tensor(shape=(None,), dtype=np.bool_)


# What only some datasets know; README.md has the meaning and the units.
MORE = {
    "box": _numbers(None, 4),
    "head_box": _numbers(None, 4),
    "torso_box": _numbers(None, 4),
    "center": _numbers(None, 2),
    "scale": _numbers(None),
    "separate": _chosen(),
    "area": _numbers(None),
    "crowd_box": _numbers(None, 4),
    "crowd_area": _numbers(None),
    "instances": tfds.features.Image(
        shape=(None, None, 1), dtype=np.uint8, encoding_format="png"
    ),
    "log_density": _numbers(None),
    "image_id": np.int64,
    "person_id": tfds.features.Tensor(shape=(None,), dtype=np.int64),
    "category_id": tfds.features.Tensor(shape=(None,), dtype=np.int64),
    "activity": tfds.features.Text(),
    "category": tfds.features.Text(),
    "activity_id": np.int32,
    "in_validation": _chosen(),
    "in_deeppose_train": _chosen(),
    "in_deeppose_test": _chosen(),
}
# The value of people in `instances` who are not annotated one by one.
CROWD = 255


def features(
    num_keypoints: int, more: Sequence[str] = ()
) -> tfds.features.FeaturesDict:
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
        | {name: MORE[name] for name in more}
    )
