"""Miniature files of COCO's format, official and other ones."""

import json

import archives

from data_builders.coco_keypoints import annotations

PERSON = {"id": 1, "name": "person", "keypoints": list(annotations.COCO)}
# Two kinds of animals with five keypoints in common, and a thing without any.
ANIMALS = [
    {
        "id": 3,
        "name": "cat",
        "keypoints": ["nose", "left_ear", "right_ear", "back", "tail"],
        "skeleton": [[1, 2], [1, 3], [1, 4], [4, 5]],
    },
    {
        "id": 7,
        "name": "dog",
        "keypoints": ["nose", "left_ear", "right_ear", "back", "tail"],
        "skeleton": [[1, 2], [1, 3], [1, 4], [4, 5]],
    },
    {"id": 8, "name": "basket"},
]


def size(number: int) -> tuple[int, int]:
    """(height, width) of `archives.photograph(number)`."""
    return 8 + number % 5, 10 + number % 7


def image(number: int, name: str = "") -> dict:
    height, width = size(number)
    file_name = name or f"{number:012}.jpg"
    return {"id": number, "file_name": file_name, "height": height, "width": width}


def annotation(number: int, shown: int, points: int = 17, **fields) -> dict:
    """A person whose first keypoint is visible at (2, 3) and second hidden at (4, 5)."""
    keypoints = [2, 3, 2, 4, 5, 1] + [0] * 3 * (points - 2)
    return {
        "id": number,
        "image_id": shown,
        "category_id": 1,
        "iscrowd": 0,
        "keypoints": keypoints,
        "num_keypoints": 2,
        "bbox": [1.0, 2.0, 5.0, 4.0],
        "area": 12.5,
        "segmentation": [[1, 2, 6, 2, 6, 6, 1, 6]],
    } | fields


def nobody(number: int, shown: int, **fields) -> dict:
    """A person without a labeled keypoint."""
    unlabeled = {"keypoints": [0] * 51, "num_keypoints": 0}
    return annotation(number, shown, **(unlabeled | fields))


def content(images: list[dict], people: list[dict], categories=(PERSON,)) -> bytes:
    data = {"images": images, "annotations": people, "categories": list(categories)}
    return json.dumps(data).encode()


def people() -> list[dict]:
    """On images 2 (a large one over a small one, a crowd), and 5 (nobody known)."""
    runs = {"counts": [0, 22, 10 * 12 - 22], "size": [10, 12]}
    return [
        annotation(11, 2),
        annotation(
            12, 2, area=4.0, bbox=[2, 3, 2, 2], segmentation=[[2, 3, 4, 3, 4, 5, 2, 5]]
        ),
        nobody(13, 2, iscrowd=1, segmentation=runs, bbox=[0, 0, 3, 10], area=22),
        nobody(14, 5, segmentation=[], area=2.0),
    ]


def official(year: int = 2017) -> archives.Files:
    """Both splits: images 1, 2 and 5 train, image 3 and 4 validate; 1 and 3 are empty."""
    names = {"train": (1, 2, 5), "val": (3, 4)}
    prefix = {"train": "COCO_train2014_", "val": "COCO_val2014_"}
    files, lists = {}, {}
    for split, numbers in names.items():
        start = prefix[split] if year == 2014 else ""
        lists[split] = [image(n, f"{start}{n:012}.jpg") for n in numbers]
        for n, entry in zip(numbers, lists[split]):
            files[f"{split}{year}/{entry['file_name']}"] = archives.photograph(n)
    folder = "annotations/person_keypoints"
    files[f"{folder}_train{year}.json"] = content(lists["train"], people())
    files[f"{folder}_val{year}.json"] = content(lists["val"], [annotation(21, 4)])
    return files


def animals(number: int = 24) -> tuple[list[dict], list[dict]]:
    """Images and annotations of cats and dogs, and of a basket that does not count."""
    images = [image(n, f"photographs/{n}.jpg") for n in range(1, number + 1)]
    some = [
        annotation(100 + n, n, 5, category_id=3 if n % 2 else 7)
        for n in range(1, number + 1)
    ]
    basket = {"id": 1, "image_id": 1, "category_id": 8, "bbox": [0, 0, 3, 3]}
    return images, [*some, basket]
