import dataclasses

import numpy as np
import people
import pytest

from data_builders.figures import figures_dataset_builder as figures
from data_builders.lspet import lspet_dataset_builder
from jaxpose import prepared, records, regions, skeletons

SPLIT = records.Split(
    builder=lspet_dataset_builder.Builder, split="train", region=regions.WholeImage()
)


def open_split(root, split=SPLIT, skeleton=skeletons.LSP) -> records.People:
    return split.open(str(root / "data"), str(root / "manual"), skeleton)


def test_people_are_those_of_the_archive(lspet):
    root, truth = lspet
    opened = open_split(root)
    np.testing.assert_allclose(opened.keypoints, truth, atol=1e-5)  # float32
    assert opened.size[:2].tolist() == [[40, 64], [60, 48]]
    assert opened.names[:2] == ("im00001.jpg", "im00002.jpg")
    assert (opened.visibility == 0).sum() == 1 and opened.visibility[1, 13] == 0
    assert opened.photographs.image(1).shape == (60, 48, 3)
    assert opened.describe(5) == "lspet/train record 5 (im00006.jpg)"


def test_keypoints_are_found_by_name(lspet):
    root, truth = lspet
    short = skeletons.Skeleton(
        name="two", keypoints=("neck", "nose", "left_hip"), flip=(0, 1, 2), limbs=()
    )
    opened = open_split(root, skeleton=short)
    np.testing.assert_allclose(opened.keypoints[:, 0], truth[:, 12], atol=1e-5)
    assert opened.visibility[0].tolist() == [2, 0, 2]
    nowhere = skeletons.Skeleton(name="none", keypoints=("tail",), flip=(0,), limbs=())
    with pytest.raises(
        ValueError, match="lspet/train has none of the keypoints of none"
    ):
        open_split(root, skeleton=nowhere)


def test_offset_moves_keypoints_only(lspet):
    root, truth = lspet
    moved = records.Split(
        builder=SPLIT.builder, split="train", region=SPLIT.region, offset=0.5
    )
    opened = open_split(root, moved)
    np.testing.assert_allclose(opened.keypoints, truth + 0.5, atol=1e-5)
    np.testing.assert_array_equal(opened.box, open_split(root).box)


def test_unknown_split_names_the_known_ones(lspet):
    wrong = records.Split(builder=SPLIT.builder, split="val", region=SPLIT.region)
    with pytest.raises(ValueError, match="no split 'val'; it has train"):
        open_split(lspet[0], wrong)


@pytest.mark.parametrize(
    ("builder", "config", "message"),
    [
        (
            figures.Builder,
            "2018",
            "figures has no variant '2018'; it has multi, single",
        ),
        (
            figures.Builder,
            "own/train.json",
            "a config object, .*, and not by their path",
        ),
        (
            SPLIT.builder,
            "2017",
            "lspet has no variant '2017'; it has only one, without",
        ),
    ],
)
def test_an_unknown_variant_names_the_known_ones(builder, config, message, tmp_path):
    wrong = dataclasses.replace(SPLIT, builder=builder, config=config)
    with pytest.raises(ValueError, match=message):
        open_split(tmp_path, wrong)


def test_a_missing_data_set_says_where_to_put_it(tmp_path, monkeypatch):
    # No address answers in a test.
    monkeypatch.setattr("urllib.request.urlopen", _unreachable)
    with pytest.raises(Exception, match="lspet_dataset"):
        open_split(tmp_path)


def _unreachable(*args, **kwargs):
    raise OSError("no network in tests")


def test_a_truncated_file_of_records_is_refused(tmp_path):
    people.write_lspet(tmp_path / "manual")
    open_split(tmp_path)
    for path in (tmp_path / "data").rglob("*.array_record*"):
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
    with pytest.raises(
        ValueError, match="files are damaged: delete the data set's folder"
    ):
        open_split(tmp_path)


def test_bytes_that_are_no_jpeg():
    with pytest.raises(ValueError, match="3 bytes are not a JPEG"):
        prepared.decode(b"abc")
    with pytest.raises(ValueError, match="0 bytes are not a JPEG"):
        prepared.decode(b"")


def test_people_without_labels_are_left_out_unless_asked_for(lspet):
    root, truth = lspet
    head = skeletons.Skeleton(name="h", keypoints=("head_top",), flip=(0,), limbs=())
    # Person 1 lacks the head top.
    assert len(open_split(root, skeleton=head)) == len(truth) - 1
    everybody = dataclasses.replace(SPLIT, at_least=0)
    assert len(open_split(root, everybody, head)) == len(truth)
    with pytest.raises(ValueError, match="lspet/train has nobody with 15 labeled"):
        open_split(root, dataclasses.replace(SPLIT, at_least=15))
