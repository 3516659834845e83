import cv2
import numpy as np

from jaxpose import evaluations, tables
from jaxpose.types import Table


def table(mean: float, convention: str = "<=") -> Table:
    return Table(
        name="PCK@0.2", convention=convention, values={"ankle": mean}, mean=mean
    )


def picture(color: tuple[int, int, int] = (250, 10, 10)) -> np.ndarray:
    return np.full((32, 48, 3), color, np.uint8)


def test_what_was_saved_is_loaded_by_split_and_step(tmp_path):
    for split, step in (("test_hard", 5), ("test", 10), ("test", 5)):
        evaluations.save(tmp_path, split, step, [table(step)], picture())
    found = evaluations.load(tmp_path)
    names = [(one.split, one.step, one.tables) for one in found]
    assert names == [
        ("test", 5, (table(5),)),
        ("test", 10, (table(10),)),
        ("test_hard", 5, (table(5),)),
    ]
    # OpenCV reads blue first.
    colors = cv2.imread(str(found[0].picture)).reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(colors, (10, 10, 250), atol=8)
    assert found[0].picture == tmp_path / "pictures" / "test_0000005.jpg"


def test_people_read_text(tmp_path):
    evaluations.save(tmp_path, "test", 5, [table(5), table(6)], picture())
    text = (tmp_path / "evaluations" / "test_0000005.txt").read_text()
    assert text == f"{tables.text(table(5))}\n\n{tables.text(table(6))}\n"


def test_evaluating_again_replaces(tmp_path):
    for mean in (1.0, 2.0):
        evaluations.save(tmp_path, "test", 5, [table(mean)], picture())
    (found,) = evaluations.load(tmp_path)
    assert found.tables == (table(2.0),)


def test_heatmaps_stand_beside_the_picture(tmp_path):
    evaluations.save(tmp_path, "test", 5, [table(5)], picture(), picture((10, 250, 10)))
    evaluations.save(tmp_path, "test", 10, [table(5)], picture())
    first, second = evaluations.load(tmp_path)
    assert first.heatmaps == tmp_path / "pictures" / "test_0000005_heatmaps.jpg"
    colors = cv2.imread(str(first.heatmaps)).reshape(-1, 3).mean(axis=0)
    np.testing.assert_allclose(colors, (10, 250, 10), atol=8)
    assert second.picture.exists() and not second.heatmaps.exists()
    evaluations.drop_after(tmp_path, 4)
    assert not [*(tmp_path / "pictures").iterdir()]


def test_later_steps_are_dropped(tmp_path):
    for step in (5, 10, 15):
        evaluations.save(tmp_path, "test", step, [table(1)], picture())
    evaluations.drop_after(tmp_path, 10)
    assert [found.step for found in evaluations.load(tmp_path)] == [5, 10]
    assert len([*(tmp_path / "pictures").iterdir()]) == 2
    assert len([*(tmp_path / "evaluations").iterdir()]) == 4
    assert evaluations.load(tmp_path / "nowhere") == []
