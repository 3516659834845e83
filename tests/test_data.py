import dataclasses
import itertools

import cv2
import numpy as np
import people
import pytest

from jaxpose import config, data, geometry


@pytest.fixture(scope="module")
def examples(lspet) -> data.Examples:
    root, _ = lspet
    fields = people.fields(root)
    return config.build(fields["data"]).open(fields["data_dir"], fields["manual_dir"])


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


JPEG_SIZE = np.array([40, 64])


def jpeg(image: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()


def cut(image, box, canvas_size, border="edge", antialias=True):
    return data.canvas(
        jpeg(image),
        np.array(box, float),
        size=np.array(image.shape[:2]),
        canvas_size=canvas_size,
        border=border,
        antialias=antialias,
    )


def test_the_canvas_ends_where_the_photograph_ends():
    white = np.full((40, 64, 3), 255, np.uint8)
    image, mask, _ = cut(white, (-16.5, -0.5, 47.5, 39.5), (40, 64))
    np.testing.assert_array_equal(mask, np.arange(64)[None] >= 16 + np.zeros((40, 1)))
    np.testing.assert_array_equal(image, 255 * mask[..., None].repeat(3, -1))


def test_borders_blend_with_black_only_if_asked():
    white = np.full((40, 64, 3), 255, np.uint8)
    box = geometry.whole_image((40, 64))
    assert cut(white, box, (80, 128))[0].min() == 255
    assert cut(white, box, (80, 128), border="zero")[0][0, 0, 0] == pytest.approx(
        255 * 0.75**2, abs=1
    )


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_reduced_decoding_keeps_places(factor):
    """A bright square stays centred where it is, at every reduction and odd sizes."""
    image = np.zeros((161, 251, 3), np.uint8)
    image[64:96, 96:160] = 255
    size = (161 // factor, 251 // factor)
    reduced, _, to_canvas = cut(image, geometry.whole_image((161, 251)), size)
    weight = reduced[..., 0].astype(float)
    x = (weight.sum(0) * np.arange(size[1])).sum() / weight.sum()
    y = (weight.sum(1) * np.arange(size[0])).sum() / weight.sum()
    expected = geometry.apply(to_canvas, np.array([[127.5, 79.5]]))[0]
    np.testing.assert_allclose([x, y], expected, atol=0.1)  # JPEG's rounding


def test_antialiasing_averages_a_checkerboard():
    board = np.zeros((64, 64, 3), np.uint8)
    board[::2, ::2] = board[1::2, 1::2] = 255
    box = geometry.whole_image((64, 64))
    assert cut(board, box, (32, 32))[0].std() < 5
    assert cut(board[:, :, :], box, (31, 31), antialias=False)[0].std() > 20


@pytest.mark.parametrize("name", ["0", "1", "2", "3"])
def test_the_original_resize_to_the_nearest_grey_level(reference, name):
    """Recorded from scikit-image 0.13 in floats, every third pixel; ours are integers."""
    recorded = reference("deeppose_wl_transforms")
    image = recorded[f"img{name}"]
    lossless = cv2.imencode(".png", image[..., ::-1])[1].tobytes()
    resized, _, _ = data.canvas(
        lossless,
        geometry.whole_image(image.shape[:2]),
        size=np.array(image.shape[:2]),
        canvas_size=(224, 224),
        border="zero",
        antialias=False,
    )
    # Half a level of rounding, and what 5 bits of cv2's interpolation leave of it.
    expected = recorded[f"scaled{name}"]
    np.testing.assert_allclose(resized[::3, ::3], expected, rtol=0, atol=0.501)


def test_a_photograph_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"decoded at 1/1 it is \(40, 64\)"):
        data.canvas(
            jpeg(np.zeros((40, 64, 3), np.uint8)),
            np.array([0.0, 0, 10, 10]),
            size=np.array([40, 60]),
            canvas_size=(8, 8),
            border="edge",
            antialias=True,
        )


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
