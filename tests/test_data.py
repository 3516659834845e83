import dataclasses
import itertools

import numpy as np
import people
import pytest

from jaxpose import config, crops, data, geometry


@pytest.fixture(scope="module")
def examples(lspet) -> data.Examples:
    """Cropped at random, so that what is the same here is the same with crops."""
    root, _ = lspet
    fields = people.fields(root)
    spec = dataclasses.replace(
        config.build(fields["data"]), crop=crops.Crop(extension=(1.2, 2.0), shift=0.1)
    )
    return spec.open(fields["data_dir"], fields["manual_dir"])


def batches(examples, start=0, stop=9, part=slice(None), seed=0, batch_size=8):
    return list(
        examples.train_batches(
            seed=seed, batch_size=batch_size, start=start, stop=stop, part=part
        )
    )


def test_batch_n_depends_on_nothing_before_it(examples):
    everything = batches(examples)
    for a, b in zip(everything[5:], batches(examples, start=5), strict=True):
        for field in dataclasses.fields(a):
            np.testing.assert_array_equal(
                getattr(a, field.name), getattr(b, field.name)
            )


def test_epochs_hold_everybody_once_in_new_order(examples):
    index = np.concatenate([b.index for b in batches(examples)]).reshape(3, -1)
    assert all(sorted(epoch) == list(range(people.PEOPLE)) for epoch in index)
    assert len({tuple(epoch) for epoch in index}) == 3


def test_seeds_do_not_share_epochs(examples):
    def epochs(seed):
        index = np.concatenate([b.index for b in batches(examples, seed=seed)])
        return {tuple(epoch) for epoch in index.reshape(3, -1)}

    for a, b in itertools.combinations(range(4), 2):
        assert not epochs(a) & epochs(b)


def test_processes_load_the_parts_of_one_batch(examples):
    whole = batches(examples, stop=2)
    parts = [batches(examples, stop=2, part=slice(i, i + 4)) for i in (0, 4)]
    for step in range(2):
        joined = np.concatenate([part[step].image for part in parts])
        np.testing.assert_array_equal(joined, whole[step].image)


def test_worker_processes_load_the_same(examples):
    spec = dataclasses.replace(examples.data, workers=2)
    by_worker = dataclasses.replace(examples, data=spec)
    for a, b in zip(batches(by_worker, stop=4), batches(examples, stop=4), strict=True):
        np.testing.assert_array_equal(a.image, b.image)
        np.testing.assert_array_equal(a.index, b.index)


def test_everybody_is_cropped_anew_in_each_epoch_and_by_each_seed(examples):
    views = {}
    for seed, batch in ((s, b) for s in (0, 1) for b in batches(examples, seed=s)):
        for row, to_source in zip(batch.index, batch.to_source, strict=True):
            views.setdefault(int(row), []).append(to_source)
    # Two seeds of three epochs.
    for seen in map(np.array, views.values()):
        assert len(np.unique(seen[:, 0, 0])) == len(np.unique(seen[:, 1, 1])) == 6
        assert len(np.unique(seen[:, 0, 2])) == len(np.unique(seen[:, 1, 2])) == 6


def test_crops_of_training_show_what_is_drawn(examples):
    """Step 2 of 8 examples holds positions 16 to 23 of the run."""
    batch = batches(examples, start=2, stop=3, seed=5)[0]
    people = examples.people
    boxes = examples.data.crop(
        people.box[batch.index], people.size[batch.index], crops.draws(5, 16, 8)
    )
    corners = geometry.apply(
        batch.to_source, np.tile([[[-0.5, -0.5], [23.5, 23.5]]], (8, 1, 1))
    )
    # Places up to 64 pixels in float32.
    np.testing.assert_allclose(corners.reshape(8, 4), boxes, atol=2e-5)


def test_evaluation_crops_everybody_the_same_way(examples):
    """In the middle of its ranges: 1.6 times the photographs of 40 x 64 and 60 x 48."""
    runs = [
        list(examples.eval_batches(batch_size=8, part=slice(None))) for _ in range(2)
    ]
    for a, b in zip(*runs, strict=True):
        np.testing.assert_array_equal(a.image, b.image)
    first, second = runs[0][0].to_source[:2]
    np.testing.assert_allclose(np.diag(first) * 24, [1.6 * 64, 1.6 * 40], rtol=1e-6)
    np.testing.assert_allclose(np.diag(second) * 24, [1.6 * 48, 1.6 * 60], rtol=1e-6)
    middle = geometry.apply(first, np.array([[11.5, 11.5]], np.float32))
    np.testing.assert_allclose(middle, [[31.5, 19.5]], atol=1e-5)


def test_what_a_crop_shows_beyond_the_photograph_is_black_and_masked(examples):
    """24 pixels show 1.6 times the photograph, so that 4.5 on each side are beyond."""
    batch = examples.load(np.array([0, 1]))
    beyond = np.ones((24, 24), bool)
    beyond[4:-4, 4:-4] = False
    for mask, image in zip(batch.mask, batch.image, strict=True):
        assert not mask[beyond].any() and not image[mask == 0].any()
        assert mask[5:-5, 5:-5].all() and image[5:-5, 5:-5].all()


def test_mixture_gives_each_source_its_share(lspet):
    root, _ = lspet
    fields = people.fields(root)
    single = config.build(fields["data"])
    mixed = dataclasses.replace(
        single, sources=single.sources * 2, mixture=(0.75, 0.25)
    )
    opened = mixed.open(fields["data_dir"], fields["manual_dir"])
    index = np.concatenate([b.index for b in batches(opened, stop=24)])
    assert len(opened) == 2 * people.PEOPLE
    assert (index < people.PEOPLE).mean() == 0.75
    with pytest.raises(ValueError, match="2 chances for 1 sources"):
        dataclasses.replace(single, mixture=(0.5, 0.5))


def test_evaluation_sees_everybody_once_and_pads(examples):
    loaded = list(examples.eval_batches(batch_size=10, part=slice(None)))
    index = np.concatenate([b.index for b in loaded])
    assert index.tolist() == [*range(24), *[-1] * 6]
    assert not loaded[-1].visibility[-6:].any() and not loaded[-1].weight[-6:].any()


def test_weights_reach_their_people(lspet):
    root, _ = lspet
    fields = people.fields(root)

    def by_left_edge(keypoints, visibility, size):
        return keypoints[:, :, 0].min(axis=1).astype(np.float32)

    spec = dataclasses.replace(config.build(fields["data"]), weighting=by_left_edge)
    opened = spec.open(fields["data_dir"], fields["manual_dir"])
    batch = batches(opened, stop=1)[0]
    expected = opened.people.keypoints[batch.index, :, 0].min(axis=1)
    np.testing.assert_array_equal(batch.weight, expected)


def test_keypoints_lie_on_the_canvas_where_they_lay_in_the_photograph(examples):
    batch = examples.load(np.array([3]))
    back = geometry.apply(batch.to_source, batch.keypoints[:, 0])
    np.testing.assert_allclose(back[0], examples.people.keypoints[3], atol=1e-4)
    # The stick figure is brighter than what surrounds it.
    x, y = np.rint(batch.keypoints[0, 0]).astype(int).T
    assert batch.image[0].mean(-1)[y, x].mean() > batch.image[0].mean() + 50


def test_a_broken_photograph_is_named(examples):
    class Broken(list):
        def __getitem__(self, number):
            return {"image": b"\xff\xd8 not a photograph"}

    photographs = dataclasses.replace(
        examples.people.photographs, splits=(Broken(range(people.PEOPLE)),)
    )
    broken = dataclasses.replace(
        examples, people=dataclasses.replace(examples.people, photographs=photographs)
    )
    with pytest.raises(ValueError, match=r"lspet/train record 2 \(im00003.jpg\)"):
        broken.load(np.array([2]))
