"""People whom a detector found, on records of COCO's format."""

import json

import archives
import coco_archive
import numpy as np
import pytest

from data_builders.coco_keypoints import coco_keypoints_dataset_builder as coco
from data_builders.lspet import lspet_dataset_builder as lspet
from jaxpose import detections, prepared, records, regions, skeletons
from jaxpose.metrics import coco as metric
from jaxpose.types import Poses


def split(folder, name="own.json", images="images", **fields) -> records.Split:
    config = coco.Format(
        annotations={"validation": str(folder / name)}, images=str(folder / images)
    )
    region = regions.WholeImage()
    return records.Split(
        builder=coco.Builder, config=config, split="validation", region=region, **fields
    )


@pytest.fixture
def own(tmp_path) -> records.Split:
    """Two people on the first photograph, one on the second, nobody on the third, and
    one with keypoints and one without on the fourth.
    """
    images = [coco_archive.image(n, f"{n}.jpg") for n in (2, 5, 6, 7)]
    people = [
        coco_archive.annotation(11, 2),
        coco_archive.annotation(12, 2, area=7.0),
        coco_archive.annotation(13, 5),
        coco_archive.annotation(14, 7),
        coco_archive.nobody(15, 7, bbox=[1, 1, 2, 2], area=3.0),
    ]
    files = {f"images/{n}.jpg": archives.photograph(n) for n in (2, 5, 6, 7)}
    files["own.json"] = coco_archive.content(images, people)
    archives.write_folder(tmp_path, "own", files)
    return split(tmp_path / "own")


def box(image_id: int, score: float, **fields) -> dict:
    known = {"image_id": image_id, "bbox": [1, 2, 4, 6], "score": score}
    return known | {"category_id": 1} | fields


FOUND = [
    box(6, 0.5),
    box(2, 0.9, bbox=[2, 3, 2, 4]),
    box(99, 0.9),
    box(2, 0.1),
    box(7, 0.8, category_id=2),
    box(7, 0.7),
]


def find(own, tmp_path, boxes=FOUND, **fields) -> records.People:
    (tmp_path / "found.json").write_text(json.dumps(boxes))
    source = detections.Detections(
        split=own,
        file=str(tmp_path / "found.json"),
        region=regions.KnownBox(padding=2.0, aspect=0.0),
        **fields,
    )
    return source.open(str(tmp_path), str(tmp_path), skeletons.COCO)


def test_every_box_is_an_example(own, tmp_path):
    found = find(own, tmp_path, threshold=0.2)
    # The last shows the photograph on which nothing was found: somebody is missed.
    assert found.names == ("6.jpg", "2.jpg", "7.jpg", "5.jpg")
    assert found.more["image_id"].tolist() == [6, 2, 7, 5]
    np.testing.assert_array_equal(found.more["score"], [0.5, 0.9, 0.7, np.nan])
    np.testing.assert_array_equal(found.more["box"][1], [1.5, 2.5, 3.5, 6.5])
    np.testing.assert_array_equal(found.box[1], [0.5, 0.5, 4.5, 8.5])
    assert not found.visibility.any()
    assert find(own, tmp_path).names.count("2.jpg") == 2


def test_the_truth_is_with_the_first_row_of_its_photograph(own, tmp_path):
    truth = find(own, tmp_path).annotations()
    assert truth.image_id.tolist() == [6, 2, 2, 7, 5]
    people = truth.labeled.any(axis=2)
    assert people.tolist() == [
        [False, False],
        [True, True],
        [False, False],
        [True, False],
        [True, False],
    ]
    np.testing.assert_array_equal(truth.area[1], [12.5, 7])
    assert np.isnan(truth.box[0]).all()
    assert truth.ignored.image_id.tolist() == [7]


def test_every_record_is_read_once(own, tmp_path, monkeypatch):
    read, numbers = prepared.Photographs.read, []

    def counted(photographs, record):
        numbers.append(record)
        return read(photographs, record)

    monkeypatch.setattr(prepared.Photographs, "read", counted)
    find(own, tmp_path)
    assert numbers == [0, 1, 2, 3]


def test_missed_people_lower_the_recall(own, tmp_path):
    found = find(own, tmp_path)
    truth = found.annotations()
    # Both boxes of photograph 2 find the same person; the poses are those of the truth.
    keypoints = np.zeros((5, 1, 17, 2))
    keypoints[[1, 2], 0], keypoints[3, 0] = truth.keypoints[1, 0], truth.keypoints[3, 0]
    scores = found.more["score"][:, None]
    ones = np.ones((5, 1, 17))
    poses = Poses(keypoints=keypoints, scores=ones, person_scores=scores)
    table = metric.AP()(poses, truth, skeletons.COCO)
    # Of four people two were found once, one of them again in the other's place, since
    # they stand at the same place; the one on photograph 5 was missed.
    assert table.extra["AR"] == pytest.approx(0.75)


def test_found_people_stand_alone(own, tmp_path):
    found = find(own, tmp_path)
    assert records.concatenate([found]) is found
    with pytest.raises(ValueError, match="give them an eval of their own"):
        records.concatenate([found, found])
    with pytest.raises(ValueError, match="give them an eval of their own"):
        found.take(np.array([0]))


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        ({}, "is no list of results"),
        ([], "or an empty one"),
        ([1], "result 0 is 1; it must have"),
        ([box(2, 0.5), {"image_id": 2, "score": 1}], "result 1 is"),
        ([box(2, 0.5, bbox=[1, 2, 0, 4])], "positive sides"),
        ([box(2, float("nan"))], "and score, a number"),
        ([box(2, "0.5")], "and score, a number"),
        ([box(2, None)], "and score, a number"),
        ([box([2], 0.5)], "image_id, a whole number"),
        ([box("2", 0.5)], "image_id, a whole number"),
        ([box(99, 0.5)], "none of its 1 boxes is of category 1"),
    ],
)
def test_what_is_no_file_of_boxes(boxes, message, own, tmp_path):
    with pytest.raises(ValueError, match=message):
        find(own, tmp_path, boxes)


def test_the_best_boxes_of_each_photograph(own, tmp_path):
    found = find(own, tmp_path, most=1)
    assert found.names == ("2.jpg", "7.jpg", "6.jpg", "5.jpg")
    np.testing.assert_array_equal(found.more["score"], [0.9, 0.7, 0.5, np.nan])


def test_photographs_without_numbers_are_known_by_their_files(tmp_path):
    files = archives.archive_files(lspet)
    archives.write_folder(tmp_path, "lspet_dataset", files)
    split = records.Split(
        builder=lspet.Builder, split="train", region=regions.WholeImage(), at_least=0
    )
    truth = split.open(str(tmp_path), str(tmp_path), skeletons.LSP)
    boxes = [
        {"file_name": truth.names[2], "bbox": [1, 2, 4, 6], "score": score}
        for score in (0.1, 0.8)
    ]
    (tmp_path / "found.json").write_text(json.dumps(boxes))
    source = detections.Detections(
        split=split,
        file=str(tmp_path / "found.json"),
        region=regions.KnownBox(padding=1.0, aspect=0.0),
        most=1,
    )
    found = source.open(str(tmp_path), str(tmp_path), skeletons.LSP)
    # One row a photograph, as metrics of single people need: the found one first.
    others = [n for n in range(len(truth)) if n != 2]
    assert found.record.tolist() == [2, *others]
    assert found.more["image_id"].tolist() == [2, *others]
    np.testing.assert_array_equal(found.box[0], [0.5, 1.5, 4.5, 7.5])
    assert found.more["score"][0] == 0.8
    rows = found.annotations().keypoints
    np.testing.assert_array_equal(rows[0, 0], truth.keypoints[2])
    assert rows.shape == (len(truth), 1, 14, 2)
    with pytest.raises(ValueError, match="by its file_name"):
        find(split, tmp_path, FOUND)


def test_the_published_predictions_have_their_published_score(tmp_path):
    """As if the published poses were what a network saw in boxes of their own."""
    data = archives.ROOT.parent / "shared" / "data" / "published"
    if not data.is_dir():
        pytest.skip(f"{data}, published predictions, are not here")
    own = split(data, "coco_4_images_ground_truth.json", "coco_4_images")
    predicted = json.loads((data / "coco_4_images_preds.json").read_text())
    boxes = [box(one["image_id"], one["score"]) for one in predicted]
    found = find(own, tmp_path, boxes)
    flat = np.array([one["keypoints"] for one in predicted]).reshape(-1, 1, 17, 3)
    poses = Poses(
        keypoints=flat[..., :2],
        scores=flat[..., 2],
        person_scores=found.more["score"][:, None],
    )
    table = metric.AP()(poses, found.annotations(), skeletons.COCO)
    stated = {"AP": 0.861, "AP50": 0.993, "AP75": 0.911, "APm": 0.776, "AR": 0.875}
    assert {key: round(table.extra[key], 3) for key in stated} == stated
