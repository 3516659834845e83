"""Whole photographs with everybody on them; the five of `crowded.py` and LSPET's."""

import dataclasses

import crowded
import numpy as np
import people
import pytest

from data_builders.lspet import lspet_dataset_builder
from jaxpose import geometry, records, regions, scenes, skeletons
from jaxpose.apps import sheet
from jaxpose.apps.overfit import examples as overfit_examples


@pytest.fixture(scope="module")
def format(tmp_path_factory):
    return crowded.write(tmp_path_factory.mktemp("crowded") / "manual")


@pytest.fixture(scope="module")
def opened(format, tmp_path_factory):
    """Opens the five photographs with fields of `Scenes`; they are prepared once."""
    root = str(tmp_path_factory.mktemp("prepared"))
    return lambda **fields: crowded.data(format, **fields).open(root, root)


def batches(examples, start=0, stop=6, part=slice(None), seed=0, batch_size=4):
    return list(
        examples.train_batches(
            seed=seed, batch_size=batch_size, start=start, stop=stop, part=part
        )
    )


def rows_of(loaded) -> list[list[int]]:
    return [batch.index.tolist() for batch in loaded]


def test_photographs_keep_their_proportions_in_the_middle_of_the_canvas(opened):
    """48 x 64 fills 24 rows of 32, 60 x 40 fills 21.3 columns: factors 0.5 and 32/60."""
    batch = opened().load(np.array([0, 1]))
    first, second = batch.to_source
    np.testing.assert_allclose(first, [[2, 0, 0.5], [0, 2, 0.5 - 8]], atol=1e-5)
    np.testing.assert_allclose(
        second, [[1.875, 0, 19.5 - 15.5 * 1.875], [0, 1.875, 29.5 - 15.5 * 1.875]]
    )
    rows = np.flatnonzero(batch.image[0].any(axis=(1, 2)))
    columns = np.flatnonzero(batch.image[1].any(axis=(0, 2)))
    assert (rows[0], rows[-1]) == (4, 27) and (columns[0], columns[-1]) == (5, 26)


def test_everybody_labeled_is_on_the_canvas_where_they_are_in_the_photograph(opened):
    examples = opened()
    batch = examples.load(np.array([0, 2]))
    assert batch.keypoints.shape == (2, 4, 3, 2) and batch.visibility.shape == (2, 4, 3)
    assert batch.visibility[0].tolist() == [[2, 1, 0], [2, 1, 2], [2, 1, 2], [0, 0, 0]]
    back = geometry.apply(batch.to_source[0], batch.keypoints[0, :3].reshape(-1, 2))
    expected, _ = examples.shown(0)
    labeled = batch.visibility[0, :3].ravel() > 0
    np.testing.assert_allclose(
        back[labeled], expected.reshape(-1, 2)[labeled], atol=1e-5
    )
    # Roots of the areas 64, 256 and 64, at half their size; 1 where nobody is.
    assert batch.scale[0].tolist() == [4, 8, 4, 1]
    assert not batch.visibility[1].any() and batch.weight.tolist() == [1, 1]


def blocks(*boxes: tuple[int, ...]) -> np.ndarray:
    """A mask of photograph 0, but for (x0, y0, x1, y1) in its pixels, ends exclusive."""
    mask = np.zeros((32, 32), np.uint8)
    mask[4:28] = 1
    for x0, y0, x1, y1 in np.array(boxes, int).reshape(-1, 4) // 2:
        mask[4 + y0 : 4 + y1, x0:x1] = 0
    return mask


CROWD, UNLABELED = (40, 32, 52, 44), (40, 8, 48, 16)


def test_the_loss_looks_at_neither_crowds_nor_unlabeled_people(opened):
    """Of the mask's 2 x 2 pixels for one all are alike, so that it is exact."""
    row = np.array([0])
    masked, shown = opened(), opened(unlabeled="shown")
    np.testing.assert_array_equal(masked.load(row).mask[0], blocks(CROWD, UNLABELED))
    np.testing.assert_array_equal(shown.load(row).mask[0], blocks(CROWD))


def test_who_finds_no_room_on_a_canvas_is_hidden_from_the_loss(opened):
    """Three and three keypoints win over two; of these, the area of 256 over 64."""
    two = opened(people=2, unlabeled="shown").load(np.array([0]))
    assert two.visibility[0].tolist() == [[2, 1, 2], [2, 1, 2]]
    np.testing.assert_array_equal(two.scale[0], [8, 4])
    np.testing.assert_array_equal(two.mask[0], blocks(CROWD, (8, 8, 16, 16)))
    one = opened(people=1).load(np.array([0]))
    assert one.scale[0].tolist() == [8]
    others = (8, 8, 16, 16), (24, 8, 32, 16)
    np.testing.assert_array_equal(one.mask[0], blocks(CROWD, UNLABELED, *others))


def test_annotations_have_every_photograph_and_everybody(opened):
    truth = opened(people=1).annotations()
    assert truth.keypoints.shape == (5, 3, 3, 2)
    assert truth.labeled.sum(axis=-1).tolist() == [
        [2, 3, 3],
        [3, 0, 0],
        [0, 0, 0],
        [0, 0, 0],
        [3, 0, 0],
    ]
    assert truth.image_id.tolist() == [10, 11, 12, 13, 14]
    assert truth.names == ("0.jpg", "1.jpg", "2.jpg", "3.jpg", "4.jpg")
    np.testing.assert_array_equal(truth.size, crowded.SIZES)
    assert truth.area[0].tolist() == [64, 256, 64] and np.isnan(truth.area[2]).all()
    # The unlabeled person and the crowd of photograph 0, the person of photograph 3.
    assert sorted(truth.ignored.image_id.tolist()) == [10, 10, 13]
    assert truth.ignored.crowd.sum() == 1


def test_training_draws_photographs_with_labels_once_an_epoch(opened):
    index = np.concatenate(rows_of(batches(opened()))).reshape(8, 3)
    assert all(sorted(epoch) == [0, 1, 4] for epoch in index.tolist())
    assert len({tuple(epoch) for epoch in index.tolist()}) > 1


def test_batch_n_depends_on_seed_and_n_alone(opened):
    examples = opened()
    everything = batches(examples)
    for a, b in zip(everything[3:], batches(examples, start=3), strict=True):
        for field in dataclasses.fields(a):
            np.testing.assert_array_equal(
                getattr(a, field.name), getattr(b, field.name)
            )
    parts = [batches(examples, part=slice(i, i + 2)) for i in (0, 2)]
    joined = [a + b for a, b in zip(*map(rows_of, parts), strict=True)]
    assert joined == rows_of(everything)
    assert rows_of(batches(examples, seed=1)) != rows_of(everything)


def test_worker_processes_load_the_same(opened):
    for a, b in zip(batches(opened(workers=1)), batches(opened()), strict=True):
        np.testing.assert_array_equal(a.image, b.image)
        np.testing.assert_array_equal(a.mask, b.mask)


def test_evaluation_sees_every_photograph_once_and_pads(opened):
    loaded = list(opened().eval_batches(batch_size=3, part=slice(None)))
    assert rows_of(loaded) == [[0, 1, 2], [3, 4, -1]]
    assert not loaded[-1].mask[-1].any() and loaded[-1].weight.tolist() == [1, 1, 0]
    # No loss looks there, and whoever is found in a crowd is judged by the metrics.
    np.testing.assert_array_equal(loaded[0].mask[0], blocks())
    part = opened().eval_batches(batch_size=3, part=slice(1, 3))
    assert rows_of(part) == [[1, 2], [4, -1]]


def test_buckets_hold_photographs_at_one_scale_in_batches_of_one_shape(opened):
    """Photographs of 3:4 fit into 24 x 32, the one of 60 x 40 into 32 x 22."""
    examples = opened(buckets=((24, 32), (32, 22), (8, 8)))
    loaded = list(examples.eval_batches(batch_size=3, part=slice(None)))
    assert [batch.image.shape[1:3] for batch in loaded] == [
        (32, 22),
        (24, 32),
        (24, 32),
    ]
    assert rows_of(loaded) == [[1, -1, -1], [0, 2, 3], [4, -1, -1]]
    square = examples.load(np.arange(5))
    for batch in loaded:
        rows = batch.index[batch.index >= 0]
        own, whole = batch.to_source[: len(rows)], square.to_source[rows]
        np.testing.assert_allclose(own[:, :, :2], whole[:, :, :2], atol=1e-6)
        assert (batch.mask[: len(rows)] != 0).any(axis=(1, 2)).all()
    # The whole canvas shows the photograph, whose middle is that of the canvas.
    assert loaded[1].mask[1].all()
    np.testing.assert_array_equal(loaded[1].image[0], square.image[0, 4:28])


def test_rounding_makes_no_photograph_too_large_for_its_canvas(opened):
    """60 rows on a canvas of 124 need 60 x (124 / 60) = 124.00000000000001."""
    examples = opened(size=(124, 124), buckets=((8, 8),)).take(np.array([1]))
    (batch,) = examples.eval_batches(batch_size=1, part=slice(None))
    assert batch.image.shape[1:3] == (124, 124)


def test_enlarged_canvases_show_the_same(opened):
    data = opened(buckets=((24, 32),)).data.enlarged(1.5)
    assert data.size == (48, 48) and data.buckets == ((36, 48),)


def test_a_source_without_outlines_is_masked_outside_the_photograph(lspet):
    root, _ = lspet
    split = records.Split(
        builder=lspet_dataset_builder.Builder,
        split="train",
        region=regions.WholeImage(),
    )
    data = scenes.Scenes(
        sources=(split,), skeleton=skeletons.LSP, size=(32, 32), people=2
    )
    examples = data.open(str(root / "data"), str(root / "manual"))
    assert len(examples) == people.PEOPLE and examples.category is None
    batch = examples.load(np.array([0]))
    # 40 x 64 pixels, at half their size.
    expected = np.zeros((32, 32), np.uint8)
    expected[6:26] = 1
    np.testing.assert_array_equal(batch.mask[0], expected)
    # Without box and area, the diagonal of the keypoints.
    span = np.ptp(examples.shown(0)[0][0], axis=0)
    np.testing.assert_allclose(batch.scale[0], [np.hypot(*span) / 2, 1], rtol=1e-6)
    assert examples.describe(5) == "lspet/train record 5 (im00006.jpg)"


def test_photographs_of_two_sources_are_told_apart(opened, format, tmp_path):
    data = opened().data
    both = dataclasses.replace(data, sources=data.sources * 2).open(str(tmp_path), "")
    truth = both.annotations()
    assert truth.image_id.tolist() == list(range(10))
    np.testing.assert_array_equal(truth.keypoints[:5], truth.keypoints[5:])
    assert sorted(truth.ignored.image_id.tolist()) == [0, 0, 3, 5, 5, 8]
    np.testing.assert_array_equal(
        both.load(np.array([6])).image, opened().load(np.array([1])).image
    )


def test_some_rows_are_examples_of_their_own(opened):
    examples = opened()
    some = examples.take(np.array([4, 0]))
    assert some.annotations().names == ("4.jpg", "0.jpg")
    assert some.annotations().labeled.sum(axis=(1, 2)).tolist() == [3, 8]
    np.testing.assert_array_equal(
        some.load(np.array([0])).image, examples.load(np.array([4])).image
    )


def test_the_first_looks_at_data_take_scenes(opened):
    examples = opened()
    height, width = sheet.TILE
    assert sheet.sheet(examples, 4).shape == (2 * height + 2, 2 * width + 2, 3)
    assert overfit_examples.choose(examples).tolist() == [0, 1, 4]
    assert examples.photograph(1).shape == (60, 40, 3) and examples.box_scores is None
    assert examples.category.tolist() == [1] * 5


def test_what_cannot_be_is_refused(opened, format):
    with pytest.raises(ValueError, match="people=0 on a canvas"):
        crowded.data(format, people=0)
    with pytest.raises(ValueError, match=r"unlabeled='mask' must be one of \['shown'"):
        crowded.data(format, unlabeled="mask")
    cut = dataclasses.replace(
        crowded.split(format), region=regions.PersonBox(padding=1)
    )
    with pytest.raises(ValueError, match="give region=regions.WholeImage"):
        scenes.Scenes(sources=(cut,), skeleton=crowded.TRIO, size=(32, 32))
    with pytest.raises(ValueError, match="nobody has a labeled keypoint on 2"):
        batches(opened().take(np.array([2, 3])))


def test_a_broken_photograph_is_named(opened):
    class Broken(list):
        def __getitem__(self, number):
            return {"image": b"\xff\xd8 not a photograph"}

    examples = opened()
    photographs = dataclasses.replace(
        examples.people.photographs, splits=(Broken(range(5)),)
    )
    broken = dataclasses.replace(
        examples, people=dataclasses.replace(examples.people, photographs=photographs)
    )
    with pytest.raises(ValueError, match=r"whole record 1 \(1.jpg\): 19 bytes are not"):
        broken.load(np.array([1]))
