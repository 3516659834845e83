"""MPII's annotation file, written with the nesting and the gaps of the official one."""

import csv
import io

import archives
import numpy as np
import scipy.io

from data_builders.mpii import splits


def point(index: int, x: float, y: float, visible: object = archives.EMPTY) -> dict:
    """One keypoint, counted from 1; `visible` empty, a number or a letter."""
    return {"x": float(x), "y": float(y), "id": index, "is_visible": visible}


def person(points: list[dict], *, center=(50.0, 60.0), scale=1.5, head=True) -> dict:
    """One rectangle; without points it has no head box either."""
    rect = {
        "scale": scale,
        "objpos": archives.structs([{"x": center[0], "y": center[1]}]),
    }
    if head and points:
        rect |= {"x1": 10.0, "y1": 11.0, "x2": 30.0, "y2": 41.0}
    if points:
        rect["annopoints"] = archives.structs([{"point": archives.structs(points)}])
    return rect


def everywhere(seed: int = 0) -> list[dict]:
    """All 16 points, visible, but the two that never have a flag."""
    xy = np.random.default_rng(seed).integers(1, 80, (16, 2))
    flags = [archives.EMPTY if i in (8, 9) else 1 for i in range(16)]
    return [point(i, *xy[i], flags[i]) for i in range(16)]


def image(
    name: str, people: list[dict], *, train: bool = True, alone=(), activity=()
) -> dict:
    """One photograph; `activity` is its category, name and number."""
    return {
        "name": name,
        "people": people,
        "train": train,
        "alone": alone,
        "activity": activity,
    }


def mat(images: list[dict]) -> bytes:
    """The file; `single_person` is a cell array, the other lists are structs."""
    count = len(images)
    alone = np.empty((count, 1), object)
    for i, entry in enumerate(images):
        alone[i, 0] = np.array(entry["alone"], np.uint8).reshape(-1, 1)
    keys = ("cat_name", "act_name", "act_id")
    acts = [dict(zip(keys, entry["activity"])) for entry in images]
    release = {
        "annolist": archives.structs(
            [
                {
                    "image": archives.structs([{"name": entry["name"]}]),
                    "annorect": archives.structs(entry["people"]),
                    "frame_sec": archives.EMPTY,
                    "vididx": archives.EMPTY,
                }
                for entry in images
            ]
        ),
        "img_train": np.array([[entry["train"] for entry in images]], np.uint8),
        "version": "12",
        "single_person": alone,
        "act": archives.structs(
            [act or dict.fromkeys(keys, archives.EMPTY) for act in acts]
        ).T,
        "video_list": archives.EMPTY,
    }
    file = io.BytesIO()
    scipy.io.savemat(
        file, {"RELEASE": archives.structs([release])}, do_compression=True
    )
    return file.getvalue()


def validation_rows() -> list[tuple[str, int]]:
    """(photograph, person from 1) of the 2958 people, in their order."""
    with splits.TOMPSON.open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [(row["image"], int(row["release_person_index"])) for row in rows]


def files(images: list[dict], *, lacking: tuple[str, ...] = ()) -> archives.Files:
    """The unpacked archives, in one folder."""
    names = [entry["name"] for entry in images if entry["name"] not in lacking]
    photographs = {
        f"images/{name}": archives.photograph(i) for i, name in enumerate(names)
    }
    return {"mpii_human_pose_v1_u12_1.mat": mat(images), **photographs}


def miniature() -> list[dict]:
    """Two people who train, three photographs of validation people, nobody, a test."""
    (one, _), *_ = rows = validation_rows()
    later = next(row for row in rows if row[1] == 3)
    flags = [1, 0, "1", "0", np.array([[1]], np.uint8), np.array([[0.0]])]
    some = [point(i, 10 + i, 20 + i, flag) for i, flag in enumerate(flags)]
    some += [point(8, -3, 0.5), point(9, 5.25, 1)]
    return [
        image(
            "100.jpg",
            [person(some, center=(7, 8), scale=2.25), person([], scale=3)],
            alone=(1,),
            activity=("winter activities", "curling", 12),
        ),
        image(one, [person(everywhere(1)), person(everywhere(2))], alone=(1, 2)),
        image("102.jpg", []),
        image("103.jpg", [person([]), person([])], train=False),
        image(later[0], [person(everywhere(i)) for i in (3, 4, 5)], alone=(3,)),
        image("105.jpg", [person(everywhere(6))], activity=("", "", -1)),
    ]
