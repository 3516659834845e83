"""People by photograph: everybody on one in one row, and how large each of them is."""

import numpy as np
from jaxtyping import Float, Int

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


def extents(people: records.People) -> Float[np.ndarray, "m"]:
    """Root of the area, else diagonal of the box, else that of the keypoints' box.

    In source pixels, 1 at least.
    """
    unknown = np.full((len(people), 4), np.nan)
    labeled = (people.visibility > 0)[..., None]
    high = np.where(labeled, people.keypoints, -np.inf).max(axis=1)
    low = np.where(labeled, people.keypoints, np.inf).min(axis=1)
    box = people.more.get("box", unknown)
    known = [
        np.sqrt(people.more.get("area", unknown[:, 0])),
        np.hypot(*(box[:, 2:] - box[:, :2]).T),
        np.hypot(*np.maximum(high - low, 0).T),
    ]
    extent = np.ones(len(people))
    for length in reversed(known):
        extent = np.where(length >= 1, length, extent)
    return extent
