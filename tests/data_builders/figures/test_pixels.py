"""Labels against pixels: every keypoint lies on what is drawn, and is seen if that is."""

import dataclasses

import cv2
import numpy as np
import pytest

from data_builders.figures import (
    bodies,
    cameras,
    figure,
    looks,
    painting,
    poses,
    scenes,
)
from data_builders.figures.keypoints import FACE, HOLDS, KEYPOINTS, PARTS, holders

SIZE = (300, 300)
LIGHT = painting.Light(direction=np.array([0.0, 0.0, 1.0]), ambient=0.5)
BONES = [
    (f"{side}_{part}", f"{side}_{first}", f"{side}_{last}")
    for side in ("left", "right")
    for part, first, last in (
        ("upper_arm", "shoulder", "elbow"),
        ("forearm", "elbow", "wrist"),
        ("thigh", "hip", "knee"),
        ("shank", "knee", "ankle"),
    )
]


def blank() -> painting.Canvas:
    return painting.Canvas(
        image=np.zeros((*SIZE, 3), np.uint8),
        owner=np.zeros(SIZE, np.uint16),
        light=LIGHT,
    )


def somebody(seed: int) -> figure.Figure:
    """A random person in a random pose, whole in the picture."""
    rng = np.random.default_rng(seed)
    body = bodies.pose(bodies.proportions(rng), poses.sample(rng, 1)[0][0])
    camera = cameras.Camera(
        scale=130, center=np.array([150.0, 150.0]), distance=rng.uniform(2.2, 7)
    )
    return figure.figure(body, looks.random_look(rng), camera)


def only(person: figure.Figure, part: str) -> np.ndarray:
    """Pixels (h, w) of one part, drawn alone."""
    canvas = blank()
    for layer in person.layers:
        if layer.part == part:
            painting.paint(canvas, layer.shape, 1)
    return canvas.owner == 1


@pytest.mark.parametrize("seed", range(12))
def test_every_keypoint_lies_on_each_part_that_holds_it(seed):
    person = somebody(seed)
    drawn = {layer.part for layer in person.layers}
    assert drawn >= {*PARTS} - {"hair"}  # Some are bald.
    for name, place in zip(KEYPOINTS, person.keypoints, strict=True):
        for part in drawn.intersection(holders(name)):
            x, y = np.rint(place).astype(int)
            missed = "" if only(person, part)[y, x] else f"{part} at {x}, {y}"
            assert not missed, name


@pytest.mark.parametrize("seed", range(12))
def test_a_limb_is_drawn_from_joint_to_joint(seed):
    """Its pixels end one radius beyond the keypoint at either end, not elsewhere."""
    person = somebody(seed)
    keypoints = dict(zip(KEYPOINTS, person.keypoints, strict=True))
    measured = 0
    for part, first, last in BONES:
        start, end = keypoints[first], keypoints[last]
        length = np.linalg.norm(end - start)
        if length < 15:  # Towards the viewer: it has no ends in the picture.
            continue
        measured += 1
        along = (end - start) / length
        y, x = np.nonzero(only(person, part))
        position = (np.stack([x, y], axis=-1) - start) @ along
        side = (np.stack([x, y], axis=-1) - start) @ np.array([-along[1], along[0]])
        thickest = np.abs(side).max()
        assert -1.5 * thickest - 1 < position.min() < -0.25 * thickest
        assert 0.25 * thickest < position.max() - length < 1.5 * thickest + 1
        # The bone is in the middle of the flesh.
        assert abs(side.max() + side.min()) < 1.5
    assert measured >= 2


def test_every_keypoint_has_a_part_and_every_part_but_none_a_stranger():
    assert HOLDS.shape == (21, 17)
    assert HOLDS.any(axis=1).all()
    for keypoint, row in zip(KEYPOINTS, HOLDS, strict=True):
        side = keypoint.split("_")[0]
        held = {PARTS[n] for n in np.flatnonzero(row)}
        other = {"left": "right", "right": "left"}.get(side, "no")
        assert not any(part.startswith(other) for part in held)


def seen(owner: np.ndarray, person: figure.Figure) -> dict[str, int]:
    """Visibility by keypoint, as records tell it."""
    record = scenes.annotations(owner, [person], np.zeros(1))
    return dict(zip(KEYPOINTS, record["visibility"][0].tolist(), strict=True))


def painted(person: figure.Figure) -> painting.Canvas:
    """One person alone, as person 0 of a scene."""
    canvas = blank()
    person.paint(canvas, scenes.PERSON, 1)
    return canvas


def facing(**angles: float) -> figure.Figure:
    row = np.array([angles.get(name, 0.0) for name in poses.ANGLES])
    rng = np.random.default_rng(0)
    body = bodies.pose(bodies.proportions(rng), row)
    camera = cameras.Camera(scale=130, center=np.array([150.0, 150.0]), distance=5.0)
    return figure.figure(body, looks.random_look(rng), camera)


def test_arms_apart_and_facing_the_viewer_everything_is_in_sight():
    person = facing(left_shoulder_spread=40, right_shoulder_spread=40)
    visibility = seen(painted(person).owner, person)
    ears = {"left_ear", "right_ear"}  # At the rim of the head.
    assert {k for k, v in visibility.items() if v != 2} <= ears


def test_from_behind_the_face_is_hidden_by_the_head():
    person = facing(yaw=180, left_shoulder_spread=40, right_shoulder_spread=40)
    visibility = seen(painted(person).owner, person)
    assert {visibility[name] for name in ("nose", "left_eye", "right_eye")} == {1}
    assert visibility["left_shoulder"] == visibility["right_knee"] == 2


def test_from_the_side_the_far_side_is_hidden_by_the_trunk():
    person = facing(yaw=90)
    visibility = seen(painted(person).owner, person)
    assert visibility["right_elbow"] == visibility["right_shoulder"] == 2
    assert visibility["left_shoulder"] == visibility["left_elbow"] == 1
    assert visibility["right_ear"] == 2
    assert visibility["left_ear"] == 1


def test_from_the_side_only_the_near_hip_is_in_sight():
    person = facing(yaw=90, left_shoulder_raise=90, right_shoulder_raise=90)
    visibility = seen(painted(person).owner, person)
    assert visibility["right_hip"] == 2
    assert visibility["left_hip"] == 1


@pytest.mark.parametrize("seed", range(8))
def test_what_a_board_covers_is_hidden_and_nothing_else_changes(seed):
    person = somebody(seed)
    canvas = painted(person)
    before = seen(canvas.owner, person)
    board = painting.Shape(
        outline=np.array([[0, 0], [150, 0], [150, 300], [0, 300]], np.float64),
        start=np.array([75.0, 0.0]),
        end=np.array([75.0, 300.0]),
        width=150.0,
        texture=looks.flat((0, 0, 255)),
    )
    painting.paint(canvas, board, scenes.THING)
    record = scenes.annotations(canvas.owner, [person], np.zeros(1))
    if not len(record["visibility"]):
        pytest.fail("the board covers half of the picture, not the person")
    after = seen(canvas.owner, person)
    red = (canvas.image[..., 2] > 100) & (canvas.image[..., :2].max(axis=-1) < 30)
    for name, place in zip(KEYPOINTS, person.keypoints, strict=True):
        x, y = np.rint(place).astype(int)
        if abs(place[0] - 150) > 1.5:  # The board's edge is blended.
            assert after[name] == (1 if red[y, x] else before[name]), name


def test_the_nearer_of_two_hides_the_farther():
    person = facing()
    canvas = painted(person)
    person.paint(canvas, scenes.PERSON + len(PARTS), 1)
    record = scenes.annotations(canvas.owner, [person, person], np.zeros(2))
    # The first has no pixel left and is not annotated.
    assert record["keypoints"].shape == (1, 21, 2)
    assert record["area"][0] == (canvas.owner > 0).sum()
    assert not len(record["crowd_box"])


def test_outside_the_picture_nothing_is_labeled():
    person = facing()
    canvas = painted(person)
    cut = canvas.owner[:, :150]
    visibility = seen(cut, person)
    for name, place in zip(KEYPOINTS, person.keypoints, strict=True):
        assert (visibility[name] == 0) == (np.rint(place[0]) >= 150), name


@pytest.mark.parametrize("seed", range(6))
def test_the_head_box_is_around_the_head(seed):
    person = somebody(seed)
    skull = next(layer for layer in person.layers if layer.part == "head")
    canvas = blank()
    painting.paint(canvas, skull.shape, 1)
    y, x = np.nonzero(canvas.owner)
    around = [x.min(), y.min(), x.max(), y.max()]
    np.testing.assert_allclose(person.head_box, around, atol=1.0)


def test_a_face_has_its_features_where_faces_have_them():
    person = facing()
    place = dict(zip(KEYPOINTS, person.keypoints, strict=True))
    x0, y0, x1, y1 = person.head_box
    width, height = x1 - x0, y1 - y0
    assert place["left_ear"][0] == pytest.approx(x1, abs=0.06 * width)
    assert place["right_ear"][0] == pytest.approx(x0, abs=0.06 * width)
    eyes = place["left_eye"] - place["right_eye"]
    assert eyes[0] == pytest.approx(0.39 * width, abs=0.04 * width)
    assert place["nose"][0] == pytest.approx((x0 + x1) / 2, abs=0.03 * width)
    assert place["left_eye"][1] < place["nose"][1] < y0 + 0.65 * height


def dressed(look: looks.Look, **angles: float) -> figure.Figure:
    row = np.array([angles.get(name, 0.0) for name in poses.ANGLES])
    body = bodies.pose(bodies.proportions(np.random.default_rng(0)), row)
    camera = cameras.Camera(scale=130, center=np.array([150.0, 150.0]), distance=5.0)
    return figure.figure(body, look, camera)


@pytest.mark.parametrize("hair_line", [-0.25, 0.0, 0.25, 1.0])
@pytest.mark.parametrize("long_hair", [False, True])
def test_hair_leaves_the_face_free_and_only_long_hair_hides_the_ears(
    hair_line, long_hair
):
    look = dataclasses.replace(
        looks.random_look(np.random.default_rng(0)),
        hair_line=hair_line,
        long_hair=long_hair,
        hair=looks.flat((0, 255, 0)),
    )
    person = dressed(look, left_shoulder_spread=40, right_shoulder_spread=40)
    canvas = painted(person)
    visibility = seen(canvas.owner, person)
    free = 1 if long_hair and hair_line < 1 else 2
    assert {visibility[k] for k in ("nose", "left_eye", "right_eye")} == {2}
    assert {visibility[k] for k in ("left_ear", "right_ear")} == {free}
    assert visibility["head_top"] == 2
    # Against the pixels, which tell hair by its colour.
    green = canvas.image.argmax(axis=-1) == 1
    green &= canvas.image[..., [0, 2]].max(axis=-1) < 30
    for name in FACE:
        x, y = np.rint(person.keypoints[KEYPOINTS.index(name)]).astype(int)
        assert not (green[y, x] and visibility[name] == 2), name


def test_a_pelvis_between_hanging_thighs_is_in_sight_and_not_behind_raised_ones():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        spread = rng.normal(5, 5, 2)
        hanging = facing(
            left_hip_spread=spread[0], right_hip_spread=spread[1], yaw=rng.normal(0, 15)
        )
        assert seen(painted(hanging).owner, hanging)["pelvis"] == 2
    assert seen(painted(hanging).owner, hanging)["left_hip"] == 2
    seated = facing(left_hip_raise=80, right_hip_raise=80, left_hip_spread=-5)
    canvas = painted(seated)
    x, y = np.rint(seated.keypoints[KEYPOINTS.index("pelvis")]).astype(int)
    part = PARTS[canvas.owner[y, x] - scenes.PERSON]
    assert seen(canvas.owner, seated)["pelvis"] == (2 if part == "pelvis" else 1)


def test_the_pelvis_shows_a_hip_from_the_front_but_not_from_its_far_side():
    hip, pelvis = KEYPOINTS.index("left_hip"), PARTS.index("pelvis")
    assert facing(yaw=0).held[hip, pelvis]
    assert facing(yaw=-80).held[hip, pelvis]
    assert not facing(yaw=80).held[hip, pelvis]


def test_somebody_of_whom_next_to_nothing_shows_is_a_crowd():
    person = facing()
    canvas = painted(person)
    x, y = np.rint(person.keypoints[KEYPOINTS.index("nose")]).astype(int)
    glimpse = canvas.owner[y - 2 : y + 3, x - 2 : x + 3].copy()
    canvas.owner[:] = scenes.THING
    canvas.owner[y - 2 : y + 3, x - 2 : x + 3] = glimpse
    record = scenes.annotations(canvas.owner, [person], np.zeros(1))
    assert not len(record["keypoints"])
    instances = cv2.imdecode(np.frombuffer(record["instances"], np.uint8), -1)
    np.testing.assert_array_equal(instances == 255, canvas.owner != scenes.THING)
    expected = np.array([[x - 2.5, y - 2.5, x + 2.5, y + 2.5]])
    np.testing.assert_array_equal(record["crowd_box"], expected)
    assert record["crowd_area"].tolist() == [25]


def test_cloth_is_darker_on_the_side_away_from_the_light():
    from_left = np.array([-1.0, 0.0, 0.2]) / np.hypot(1, 0.2)
    grey = looks.flat((200, 200, 200))
    shaded = looks.shade(grey, from_left, np.array([1.0, 0.0]), ambient=0.3)
    assert shaded[0, 2, 0] > 2 * shaded[0, -3, 0]
    assert (shaded == shaded[:1]).all()


def test_a_nearer_hand_is_drawn_larger():
    near, far = (
        cameras.Camera(scale=100, center=np.zeros(2), distance=d) for d in (2.0, 50.0)
    )
    hand = np.array([0.0, 0.0, 0.5])
    assert near.magnify(hand) == pytest.approx(100 * 2 / 1.5)
    assert far.magnify(hand) == pytest.approx(100 * 50 / 49.5)
    assert near.magnify(np.zeros(3)) == 100
    assert near.faces(np.zeros(3), np.array([0, 0, 1.0]))
    assert not near.faces(np.zeros(3), np.array([0, 0, -1.0]))


def test_shapes_stay_inside_the_picture():
    canvas = blank()
    for center in (-500.0, -3.0, 299.0, 900.0):
        places = np.full((1, 2), center)
        painting.paint(canvas, painting.limb(places, np.array([5.0]), looks.flat((9, 9, 9))), 7)  # fmt: skip
    assert set(np.unique(canvas.owner)) == {0, 7}
    assert (canvas.owner == 7).sum() < 80
