"""MPII's annotations out of the two JSON lists of people that go around."""

import json

import archives
import mpii_archive
import numpy as np
import pytest

from data_builders.mpii import mpii_dataset_builder as mpii
from jaxpose import records, regions, skeletons
from jaxpose.pose_files import mpii_json

NAMES = {"theirs": "mpii_annotations.json", "original": "mpi_annotations.json"}


def joints(seed: int, lacking: tuple[int, ...] = (), missing: float = 0) -> list:
    """16 of a person, one of them hidden; missing ones as one of the files has them."""
    points = mpii_archive.everywhere(seed)
    stored = [[p["x"], p["y"], float(i != 3)] for i, p in enumerate(points)]
    for i in lacking:
        stored[i] = [0.0, 0.0, missing]
    return stored


def entry(name, own, others, *, validation=0.0, original=False) -> dict:
    """As one of the two files has it; people are joints, center and scale."""
    told = {
        "validation" if original else "isValidation": validation,
        "img_paths": name,
        "joint_self": own[0],
        "objpos": own[1],
        "scale_provided": own[2],
        "numOtherPeople": float(len(others)),
    }
    for key, place in (
        ("joint_others", 0),
        ("objpos_other", 1),
        ("scale_provided_other", 2),
    ):
        values = [other[place] for other in others]
        # MATLAB's JSON has no list of one.
        told[key] = values[0] if len(values) == 1 and not original else values
    return told


def miniature(original: bool = False) -> list[dict]:
    """A photograph of three of whom two have entries, and one of one person."""
    missing = 2.0 if original else 0.0
    a = joints(1, (0, 5), missing), [50.0, 60.0], 1.5
    b = joints(2), [20.0, 30.0], 2.5
    c = joints(3, (15,), missing), [70.0, 10.0], 0.5
    alone, last = (joints(4), [5.0, 6.0], 3.0), (joints(5), [8.0, 9.0], 4.0)
    kind = {"original": original}
    return [
        entry("1.jpg", a, [b, c], validation=1.0, **kind),
        entry("2.jpg", alone, [], **kind),
        entry("1.jpg", b, [a, c], **kind),
        entry("3.jpg", last, [(joints(6), [1.0, 2.0], 1.0)], **kind),
    ]


def build(tmp_path, entries, file=NAMES["theirs"]):
    photographs = {
        f"images/{name}": archives.photograph(i)
        for i, name in enumerate(dict.fromkeys(e["img_paths"] for e in entries))
    }
    files = {file: json.dumps(entries).encode(), **photographs}
    archives.write_folder(tmp_path / "manual", "mpii", files)
    return archives.build(mpii, tmp_path, mpii.listed(file))


@pytest.fixture(scope="module", params=[False, True], ids=["theirs", "original"])
def built(request, tmp_path_factory):
    file = NAMES["original" if request.param else "theirs"]
    root = tmp_path_factory.mktemp("listed")
    return root, build(root, miniature(request.param), file)


def by_name(builder, name) -> dict:
    return next(r for r in archives.read(builder) if r["filename"].decode() == name)


def test_a_photograph_has_everybody_once_and_those_with_entries_first(built):
    record = by_name(built[1], "1.jpg")
    assert record["scale"].tolist() == [1.5, 2.5, 0.5]
    np.testing.assert_array_equal(record["center"], [[49, 59], [19, 29], [69, 9]])
    assert record["separate"].tolist() == [True, True, False]
    assert record["in_validation"].tolist() == [True, False, False]
    assert np.isnan(record["head_box"]).all()


def test_keypoints_count_from_zero_and_both_kinds_of_missing_are_unlabeled(built):
    record = by_name(built[1], "1.jpg")
    stored = np.array(joints(1))[:, :2] - 1
    lacking = np.isin(np.arange(16), (0, 5))
    np.testing.assert_array_equal(record["keypoints"][0][~lacking], stored[~lacking])
    assert not record["keypoints"][0][lacking].any()
    expected = np.where(lacking, 0, np.where(np.arange(16) == 3, 1, 2))
    assert record["visibility"][0].tolist() == expected.tolist()
    assert record["visibility"][2, 15] == 0 and (record["visibility"][1] > 0).all()


def test_photographs_of_validation_people_train_nobody(built):
    names = {
        split: [record["filename"] for record in archives.read(built[1], split)]
        for split in built[1].info.splits
    }
    assert names == {"train": [b"2.jpg", b"3.jpg"], "validation": [b"1.jpg"]}
    assert "deeppose_test" not in built[1].info.metadata["subsets"]
    assert built[1].info.full_name.startswith("mpii/mp")


def test_training_takes_the_variant_by_its_config(built):
    root, builder = built
    source = records.Split(
        builder=mpii.Builder,
        split="validation",
        region=regions.BodyScale(),
        config=mpii.listed(builder.builder_config.file),
    )
    found = source.open(str(root / "data"), str(root / "manual"), skeletons.MPII)
    assert len(found) == 1 and found.more["scale"].tolist() == [1.5]
    truth = mpii_json.read(root / "manual" / "mpii" / builder.builder_config.file)
    np.testing.assert_array_equal(found.keypoints, truth["keypoints"].astype("f4"))
    np.testing.assert_array_equal(found.visibility, truth["visibility"])


def test_what_an_entry_keeps_of_the_one_before_is_left_out(tmp_path):
    """A joint that others' entries lack, and others of another photograph."""
    entries = json.loads(json.dumps(miniature()))
    entries[0]["joint_self"][5] = [7.0, 8.0, 1.0]
    entries[3]["joint_others"] = entries[1]["joint_self"]
    assert by_name(build(tmp_path / "before", miniature()), "3.jpg")["scale"].size == 2
    builder = build(tmp_path, entries)
    assert by_name(builder, "1.jpg")["visibility"][0, 5] == 0
    assert by_name(builder, "1.jpg")["scale"].tolist() == [1.5, 2.5, 0.5]
    assert by_name(builder, "3.jpg")["scale"].tolist() == [4]


def test_the_release_is_found_without_the_config(tmp_path):
    files = mpii_archive.files(mpii_archive.miniature())
    files[NAMES["theirs"]] = json.dumps(miniature()).encode()
    archives.write_folder(tmp_path / "manual", "mpii", files)
    assert archives.build(mpii, tmp_path).info.full_name == "mpii/1.0.0"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"joint_self": [[1, 2, 1]] * 15}, "entry 0: .*joints must be 16 times x, y"),
        ({"joint_self": [[1, 2, 3]] * 16}, "visible 0, 1 or 2, not"),
        ({"joint_self": [[1, float("nan"), 1]] * 16}, "joints must be finite"),
        ({"objpos": [1]}, "centers two numbers"),
    ],
)
def test_what_is_no_person_is_refused_by_name(change, says, tmp_path):
    entries = miniature()
    entries[0] |= change
    with pytest.raises(ValueError, match=says):
        build(tmp_path, entries)


def test_what_is_no_list_of_people_is_refused(tmp_path):
    photographs = {"images/1.jpg": archives.photograph(1)}
    for content, says in (
        (b"{", "is no JSON"),
        (b"[]", "must be a list of people"),
        (b'[{"img_paths": "1.jpg"}]', "entry 0: it must have img_paths, objpos"),
    ):
        files = {NAMES["theirs"]: content, **photographs}
        archives.write_folder(tmp_path / "manual", "mpii", files)
        archives.refuse(mpii, tmp_path, NAMES["theirs"], says, config=mpii.listed())


def test_a_missing_file_is_told_of(tmp_path):
    (tmp_path / "manual").mkdir()
    says = "mpii_annotations.json is in neither", str(tmp_path / "manual")
    archives.refuse(
        mpii, tmp_path, *says, error=FileNotFoundError, config=mpii.listed()
    )
