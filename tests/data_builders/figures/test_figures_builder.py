"""`figures` as a prepared data set."""

import dataclasses

import numpy as np
import pytest
import tensorflow_datasets as tfds
from scipy import stats

from data_builders.figures import figures_dataset_builder as figures
from data_builders.figures import keypoints
from jaxpose import rarity, records, regions, skeletons


def small(config: figures.Config, **pictures: int) -> figures.Config:
    return figures.own(recipe=config.recipe, pictures=pictures)


def open_split(tmp_path, config, split, skeleton):
    source = records.Split(
        builder=figures.Builder,
        config=config,
        split=split,
        region=regions.WholeImage(),
    )
    return source.open(str(tmp_path), str(tmp_path / "manual"), skeleton)


@pytest.fixture(scope="module")
def single(tmp_path_factory):
    folder = tmp_path_factory.mktemp("single")
    config = small(figures.SINGLE, train=700, test=4)
    return open_split(folder, config, "train", skeletons.LSP), folder, config


@pytest.mark.parametrize(
    "skeleton", [skeletons.COCO, skeletons.MPII, skeletons.LSP], ids=lambda s: s.name
)
def test_every_keypoint_of_the_great_data_sets_is_there(single, skeleton):
    _, folder, config = single
    people = open_split(folder, config, "test", skeleton)
    assert people.keypoints.shape == (4, len(skeleton.keypoints), 2)
    assert (people.visibility > 0).mean() > 0.7
    order = [keypoints.KEYPOINTS.index(name) for name in skeleton.keypoints]
    for row in range(4):
        record = people.photographs.read(int(people.record[row]))
        np.testing.assert_array_equal(
            people.keypoints[row], record["keypoints"][0][order]
        )


def test_several_people_and_every_feature_are_read(tmp_path):
    people = open_split(
        tmp_path, small(figures.MULTI, train=6, test=1), "train", skeletons.COCO
    )
    record = people.photographs.read(0)
    assert isinstance(record["instances"], bytes)
    assert len(people) == sum(
        len(people.photographs.read(n)["keypoints"]) for n in range(6)
    )
    assert record["filename"] == b"train_000000.jpg"
    assert people.photographs.image(0).shape[:2] == (record["height"], record["width"])


def test_it_is_drawn_without_a_download_and_names_its_content(single):
    _, folder, config = single
    builder = figures.Builder(
        config=config, data_dir=folder, file_format="array_record"
    )
    assert builder.is_prepared()
    assert {k: v.num_examples for k, v in builder.info.splits.items()} == {
        "train": 700,
        "test": 4,
    }
    assert len(builder.info.metadata["content_sha256"]) == 64


def test_the_content_decides_its_digest(tmp_path, single):
    digests = set()
    for n, seed in ((3, 0), (3, 1), (4, 0)):
        recipe = dataclasses.replace(figures.SINGLE.recipe, seed=seed)
        config = figures.own(recipe=recipe, pictures={"test": n})
        open_split(tmp_path, config, "test", skeletons.LSP)
        made = figures.Builder(
            config=config, data_dir=tmp_path, file_format="array_record"
        )
        digests.add(made.info.metadata["content_sha256"])
    assert len(digests) == 3


def test_the_two_configs_are_there():
    assert [c.name for c in figures.Builder.BUILDER_CONFIGS] == ["single", "multi"]
    assert isinstance(figures.Builder.BUILDER_CONFIGS[0], tfds.core.BuilderConfig)


def test_rarity_ranks_the_true_densities(single):
    """Weights estimated from keypoints in pictures against densities of joint angles."""
    people, _, _ = single
    density = np.concatenate(
        [people.photographs.read(n)["log_density"] for n in range(len(people))]
    )
    for bounds in (None, (0.5, 2.0)):
        weights = rarity.Rarity(bounds=bounds)(
            people.keypoints, people.visibility, people.size
        )
        assert stats.spearmanr(weights, -density).statistic > 0.8
