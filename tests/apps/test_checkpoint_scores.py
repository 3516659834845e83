import dataclasses
import json
import os

import numpy as np
import people
import pytest
from ml_collections import ConfigDict

from jaxpose import config, evaluate, skeletons, train
from jaxpose.apps import checkpoint_scores, command
from jaxpose.types import Annotations, Poses

COCO = skeletons.COCO


@pytest.fixture
def result():
    """Three people of two photographs, found as they are."""
    keypoints = np.random.default_rng(0).uniform(0, 100, (3, 1, 17, 2))
    truth = Annotations(
        keypoints=keypoints,
        visibility=np.full((3, 1, 17), 2),
        names=("a.jpg", "a.jpg", "b.jpg"),
        image_id=np.array([9, 9, 4]),
        area=np.full((3, 1), 3000.0),
    )
    ones = np.ones((3, 1, 17), np.float32)
    poses = Poses(keypoints=keypoints, scores=ones, person_scores=ones[..., 0])
    return evaluate.Result(tables=(), poses=poses, annotations=truth)


def test_poses_of_coco_are_results_that_score_reads(tmp_path, result, capsys):
    checkpoint_scores.save_poses(tmp_path / "val_0000001", result, COCO)
    assert sorted(os.listdir(tmp_path)) == [
        f"val_0000001.{ending}" for ending in ("csv", "json", "mat", "npz")
    ]
    person = {"id": 1, "name": "person", "keypoints": COCO.keypoints}
    annotations = [
        {"id": n, "image_id": image_id, "category_id": 1, "area": 3000.0}
        | {"keypoints": np.c_[points, np.full(17, 2)].ravel().tolist()}
        for n, (image_id, points) in enumerate(
            zip([9, 9, 4], result.annotations.keypoints[:, 0])
        )
    ]
    images = [{"id": 4}, {"id": 9}]
    truth = {"images": images, "annotations": annotations, "categories": [person]}
    (tmp_path / "truth.json").write_text(json.dumps(truth))
    files = [f"--truth={tmp_path}/truth.json"]
    files += [f"--predictions={tmp_path}/val_0000001.json"]
    assert command.main(["score", "coco", *files, "--json"]) == 0
    table = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert table["mean"] == pytest.approx(1)


def test_poses_without_areas_are_no_results(tmp_path, result):
    bare = dataclasses.replace(result.annotations, area=None)
    result = dataclasses.replace(result, annotations=bare)
    checkpoint_scores.save_poses(tmp_path / "test_0000001", result, COCO)
    assert "test_0000001.json" not in os.listdir(tmp_path)


@pytest.fixture(scope="module")
def fields(lspet):
    """Of a short run, with a test split and two that training does not watch."""
    fields = ConfigDict(people.fields(lspet[0]))
    fields.num_steps = 8
    test = fields.evals.test
    fields.evals = {
        "extension_2_0": ConfigDict({**test, "watch": False, "mirror": False}),
        "extension_1_0": ConfigDict({**test, "watch": False}),
        "test": ConfigDict({**test, "metrics": test.metrics[:1]}),
    }
    return config.build(fields)


@pytest.fixture(scope="module")
def workdir(fields, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    train.train(**fields, workdir=folder)
    assert {path.name for path in (folder / "evaluations").iterdir()} == {
        f"test_000000{step}.{ending}" for step in (6, 8) for ending in ("txt", "json")
    }
    return folder


def score(fields, workdir, split, which="latest"):
    names = ("learner", "evals", "checkpoints", "batch_size", "data_dir", "manual_dir")
    chosen = {name: fields[name] for name in names}
    return checkpoint_scores.score(workdir=workdir, which=which, split=split, **chosen)


def table_of_means(capsys):
    """The rows of the last table that was printed, split into cells."""
    printed = capsys.readouterr().out.rstrip().split("\n\n")[-1]
    return [line.split() for line in printed.splitlines()]


def test_a_sweep_ends_in_one_table(fields, workdir, capsys):
    results = score(fields, workdir, "extension_*")
    splits = ["extension_1_0", "extension_2_0"]
    assert [*results] == [(split, 8) for split in splits]
    expected = [["PCK@0.2", "MSE"]]
    for split in splits:
        near, error = (table.mean for table in results[split, 8].tables)
        expected.append([split, f"{near:.2f}", f"{error:.5f}"])
        row = (workdir / "evaluations" / f"{split}.csv").read_text().splitlines()[1]
        assert row == f"8,{near!r},{error!r}"
        assert (workdir / "evaluations" / f"{split}_0000008.txt").exists()
    assert table_of_means(capsys) == expected
    # The same network and people, in the mirror too or not: other results.
    assert expected[1][1:] != expected[2][1:]


def test_several_checkpoints_of_several_splits(fields, workdir, capsys):
    results = score(fields, workdir, "test, extension_1*", which="all")
    steps = sorted({step for _, step in results})
    assert len(steps) > 1 and steps[-1] == 8
    first, *rows = table_of_means(capsys)
    assert first == ["PCK@0.2", "MSE"]
    assert [" ".join(row[:3]) for row in rows] == [
        f"{split}, step {step}" for step in steps for split in ("extension_1_0", "test")
    ]
    # The test split has no second metric.
    assert [len(row) for row in rows] == [5, 4] * len(steps)


def test_one_split_has_its_own_table_alone(fields, workdir, capsys):
    assert [*score(fields, workdir, None)] == [("test", 8)]
    assert table_of_means(capsys)[0][0] == "predictions"


@pytest.mark.parametrize(
    "split, said",
    [
        ("tset", r"--split=tset is not one of .*; did you mean test\?"),
        (
            "test,extention_1_0",
            r"--split=extention_1_0 .* did you mean extension_1_0, ",
        ),
        ("ext_*,test", r"--split=ext_\* is not one of extension_1_0, extension_2_0, "),
        ("test,", r"--split= is not one of extension_1_0, extension_2_0, test$"),
    ],
)
def test_unknown_splits_are_refused_first(fields, tmp_path, split, said):
    """Also where there is no checkpoint: nothing was opened yet."""
    with pytest.raises(ValueError, match=said):
        score(fields, tmp_path / "nowhere", split)


def test_training_that_watches_nothing_says_what_to_do(fields, tmp_path):
    unwatched = {name: spec for name, spec in fields["evals"].items() if not spec.watch}
    with pytest.raises(ValueError, match="choose some of extension_1_0, extension_2_0"):
        score({**fields, "evals": unwatched}, tmp_path, None)
