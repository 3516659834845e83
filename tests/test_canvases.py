import cv2
import numpy as np
import pytest

from jaxpose import canvases, geometry


def jpeg(image: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 100])[1].tobytes()


def png(image: np.ndarray) -> bytes:
    return cv2.imencode(".png", image)[1].tobytes()


def cut(image, box, canvas_size, encode=jpeg, **how):
    return canvases.cut(
        encode(image),
        np.array(box, float),
        size=np.array(image.shape[:2]),
        canvas_size=canvas_size,
        **how,
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


def halves() -> np.ndarray:
    """Black up to column 31, white from column 32."""
    image = np.zeros((40, 64, 3), np.uint8)
    image[:, 32:] = 255
    return image


def test_a_box_may_be_resized_without_a_look_beyond_it():
    """Its last column is black; the one beyond, which is white, does not shine in."""
    box = (23.5, -0.5, 31.5, 39.5)
    how = {"encode": png, "antialias": False}
    assert cut(halves(), box, (80, 80), border="box", **how)[0].max() == 0
    seen = cut(halves(), box, (80, 80), border="edge", **how)[0][0, :, 0]
    # Centres of the last five columns: 0.05, 0.15, ... 0.45 pixels past the black one's.
    np.testing.assert_allclose(seen[-5:], 255 * np.arange(0.05, 0.5, 0.1), atol=1)


@pytest.mark.parametrize("box", [(-8.5, -9.5, 7.5, 3.5), (60.2, 30.0, 90.0, 47.3)])
def test_resized_alone_or_not_the_middle_of_a_box_is_the_same(box):
    """Also of boxes that begin within a pixel or lie partly outside."""
    noise = np.random.default_rng(0).integers(0, 256, (40, 64, 3)).astype(np.uint8)
    how = {"encode": png, "antialias": False}
    alone, mask, _ = cut(noise, box, (64, 64), border="box", **how)
    expected, expected_mask, _ = cut(noise, box, (64, 64), border="edge", **how)
    np.testing.assert_array_equal(mask, expected_mask)
    assert 0 < mask.mean() < 1
    np.testing.assert_array_equal(alone[8:-8, 8:-8], expected[8:-8, 8:-8])


def test_a_box_beyond_the_photograph_is_black():
    white = np.full((40, 64, 3), 255, np.uint8)
    for border in ("edge", "zero", "box"):
        image, mask, _ = cut(white, (70, 50, 90, 60), (8, 8), border=border)
        assert not image.any() and not mask.any()


@pytest.mark.parametrize("pixel", [1.55, 2.0, 3.1])
def test_shrinking_first_keeps_places_and_blurs(pixel):
    image = np.zeros((160, 248, 3), np.uint8)
    image[64:96, 96:160] = 255
    shrunk, _, to_canvas = cut(
        image, geometry.whole_image((160, 248)), (160, 248), encode=png, pixel=pixel
    )
    np.testing.assert_array_equal(to_canvas, np.eye(2, 3))
    weight = shrunk[..., 0] / 255
    # Bilinear enlargement of what was sampled every `pixel`: edges move by half of it.
    assert weight.sum(0).max() == pytest.approx(32, abs=pixel)
    x = (weight.sum(0) * np.arange(248)).sum() / weight.sum()
    y = (weight.sum(1) * np.arange(160)).sum() / weight.sum()
    np.testing.assert_allclose([x, y], [127.5, 79.5], atol=pixel / 2)
    assert ((weight > 0) & (weight < 1)).sum() > 2 * (32 + 64)


def test_what_is_shrunk_first_is_not_antialiased():
    """A picture of noise, which antialiasing would blur to grey."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    box = geometry.whole_image((64, 64))
    plain, asked = (
        cut(noise, box, (16, 16), pixel=1.5, antialias=antialias)[0]
        for antialias in (False, True)
    )
    np.testing.assert_array_equal(plain, asked)


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
    image = recorded[f"img{name}"][..., ::-1]
    box = geometry.whole_image(image.shape[:2])
    how = {"encode": png, "border": "zero", "antialias": False}
    resized, _, _ = cut(image, box, (224, 224), **how)
    # Half a level of rounding, and what 5 bits of cv2's interpolation leave of it.
    expected = recorded[f"scaled{name}"]
    np.testing.assert_allclose(resized[::3, ::3], expected, rtol=0, atol=0.501)


def test_a_photograph_of_another_size_is_refused():
    with pytest.raises(ValueError, match=r"decoded at 1/1 it is \(40, 64\)"):
        canvases.cut(
            jpeg(np.zeros((40, 64, 3), np.uint8)),
            np.array([0.0, 0, 10, 10]),
            size=np.array([40, 60]),
            canvas_size=(8, 8),
        )
