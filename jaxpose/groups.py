"""People by photograph: everybody on one in one row."""

import numpy as np
from jaxtyping import Int

from jaxpose import ignored, records
from jaxpose.pose_files import coco_parts
from jaxpose.prepared import Listing
from jaxpose.types import Annotations


def annotations(
    people: records.People, shown: Listing, record: Int[np.ndarray, "n"]
) -> Annotations:
    """Everybody in the first row that shows their photograph, nobody in other rows.

    Args:
        shown: every photograph, with numbers that tell them apart.
        record: which of them each row shows; those of the people must be among them.
    """
    n, k = len(record), people.keypoints.shape[1]
    _, first, which = np.unique(
        np.concatenate([record, people.record]), return_index=True, return_inverse=True
    )
    at, shape = coco_parts.places(first[which[n:]], n)
    keypoints = np.zeros((*shape, k, 2), np.float32)
    visibility = np.zeros((*shape, k), np.int32)
    keypoints[at], visibility[at] = people.keypoints, people.visibility
    more = {}
    for name in ("box", "area", "head_box"):
        if name in people.more:
            known = people.more[name]
            more[name] = np.full((*shape, *known.shape[1:]), np.nan, np.float32)
            more[name][at] = known
    image_id = shown.image_id[record]
    return Annotations(
        keypoints=keypoints,
        visibility=visibility,
        size=shown.size[record],
        names=tuple(shown.names[number] for number in record),
        image_id=image_id,
        ignored=people.ignored and ignored.renumber(people.ignored, record, image_id),
        **more,
    )
