import numpy as np

from jaxpose.types import Annotations, Regions


def test_rows_are_taken_of_everything_that_is_known():
    """Regions belong to photographs, not to rows."""
    regions = Regions(
        image_id=np.array([8]),
        box=np.zeros((1, 4)),
        area=np.zeros(1),
        crowd=np.ones(1, bool),
    )
    whole = Annotations(
        keypoints=np.arange(4.0)[:, None, None, None] + np.zeros((4, 1, 14, 2)),
        visibility=np.zeros((4, 1, 14), int),
        size=np.arange(8).reshape(4, 2),
        names=tuple("abcd"),
        image_id=np.array([5, 6, 7, 8]),
        head_box=np.arange(16.0).reshape(4, 1, 4),
        ignored=regions,
    )
    part = whole.take(slice(1, 3))
    np.testing.assert_array_equal(part.keypoints[:, 0, 0, 0], [1, 2])
    np.testing.assert_array_equal(part.image_id, [6, 7])
    np.testing.assert_array_equal(part.head_box, whole.head_box[1:3])
    assert part.visibility.shape == (2, 1, 14) and part.size.shape == (2, 2)
    assert part.names == ("b", "c") and part.ignored is regions
    assert part.box is None and part.area is None
    bare = Annotations(keypoints=whole.keypoints, visibility=whole.visibility)
    assert bare.take(slice(2)).names == ()
