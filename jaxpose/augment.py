"""Random views of a batch, made on the device: image and keypoints move together."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Shaped

from jaxpose import colors, geometry
from jaxpose.skeletons import Skeleton
from jaxpose.types import Batch

# (key, images in 0..1) -> images in 0..1.
Recoloring = Callable[[Array, Float[Array, "b h w 3"]], Float[Array, "b h w 3"]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Augment:
    """What may happen to a training image; every range may be empty.

    Attributes:
        skeleton: tells which keypoints a mirror exchanges.
        flip: chance of a mirror image.
        scale: factor of size, log-uniform in [1 / (1 + scale), 1 + scale].
        rotation: largest angle in degrees.
        shift: largest move along each axis, as a share of the new canvas's side.
        size: (height, width) of the new canvas, the middle of a larger one; () for one
            as large. See `scenes.Scenes.margin`.
        hue: H' = a H, a uniform in 1 +- hue; clipped at 1, not wrapped, so reds near 0
            hardly move. The jitter of the weighted-loss DeepPose is 0.2, 0.2, 25 / 255.
        saturation: S' = b S, b uniform in 1 +- saturation.
        value: V' = V + c, c uniform in +- value, where V is in 0..1.
        color: a further change of colours, such as `photometric.Photometric`; () for
            none.
    """

    skeleton: Skeleton
    flip: float = 0.0
    scale: float = 0.0
    rotation: float = 0.0
    shift: float = 0.0
    size: tuple[int, int] | tuple[()] = ()
    hue: float = 0.0
    saturation: float = 0.0
    value: float = 0.0
    color: Recoloring | tuple[()] = ()

    def __call__(self, key: Array, batch: Batch) -> Batch:
        """One draw for every example; the image becomes float in 0..1."""
        move_key, color_key = jax.random.split(key)
        batch = dataclasses.replace(batch, image=to_float(batch.image))
        if self.flip or self.scale or self.rotation or self.shift or self.size:
            batch = self._move(move_key, batch)
        if self.hue or self.saturation or self.value:
            batch = dataclasses.replace(
                batch, image=self._color(color_key, batch.image)
            )
        if self.color:
            # Another key than of the colours above, whose draws stay as they were.
            key = jax.random.fold_in(color_key, 1)
            batch = dataclasses.replace(batch, image=self.color(key, batch.image))
        return batch

    def _move(self, key: Array, batch: Batch) -> Batch:
        n = len(batch.image)
        height, width = size = self._canvas(batch)
        flip_key, scale_key, angle_key, shift_key = jax.random.split(key, 4)
        mirrored = jax.random.bernoulli(flip_key, self.flip, (n,))
        spread = jnp.log1p(self.scale)
        scale = jnp.exp(
            jax.random.uniform(scale_key, (n,), minval=-spread, maxval=spread)
        )
        angle = jnp.deg2rad(
            jax.random.uniform(angle_key, (n,), minval=-1.0, maxval=1.0) * self.rotation
        )
        shift = jax.random.uniform(shift_key, (n, 2), minval=-1.0, maxval=1.0)
        shift *= self.shift * jnp.array([width, height])
        return move(batch, mirrored, scale, angle, shift, self.skeleton, size)

    def _canvas(self, batch: Batch) -> tuple[int, int]:
        """(height, width) of the new one. Raises: ValueError if it would be larger."""
        height, width = batch.image.shape[1:3]
        new = self.size or (height, width)
        if new[0] > height or new[1] > width:
            raise ValueError(
                f"augment.size={new} of canvases of {(height, width)}; give their size, "
                "or less"
            )
        return new

    def _color(
        self, key: Array, image: Float[Array, "b h w 3"]
    ) -> Float[Array, "b h w 3"]:
        draws = jax.random.uniform(key, (3, len(image)), minval=-1.0, maxval=1.0)
        hue, saturation, value = draws * jnp.array(
            [[self.hue], [self.saturation], [self.value]]
        )
        return jax.vmap(hsv_jitter)(image, 1 + hue, 1 + saturation, value)


def to_float(image: Shaped[Array, "b h w 3"]) -> Float[Array, "b h w 3"]:
    """0..255 to 0..1; what evaluation does in place of `Augment`."""
    return image.astype(jnp.float32) / 255


def move(
    batch: Batch,
    mirrored: Shaped[Array, "b"],
    scale: Float[Array, "b"],
    angle: Float[Array, "b"],
    shift: Float[Array, "b 2"],
    skeleton: Skeleton,
    size: tuple[int, int] | tuple[()] = (),
) -> Batch:
    """Mirrors, then scales and turns about the centre, then shifts, by given draws.

    The new canvas, of the (height, width) `size` or as large as before, is the middle.
    Angles are in radians, clockwise as seen; shifts in pixels. Keypoints that leave the
    canvas keep their coordinates and their visibility. What comes in from outside is
    black and masked.
    """
    old = (batch.image.shape[1], batch.image.shape[2])
    new = size or old
    to_input = jax.vmap(_to_input, in_axes=(0, 0, 0, 0, None, None))(
        mirrored, scale, angle, shift, old, new
    )
    layers = jnp.concatenate(
        [batch.image, batch.mask[..., None].astype(batch.image.dtype)], axis=-1
    )
    warped = jax.vmap(lambda x, a: geometry.warp(x, a, size=new))(layers, to_input)
    keypoints = geometry.apply(_inverse(to_input)[:, None], batch.keypoints)
    flip = jnp.array(skeleton.flip)
    swap = mirrored[:, None, None]
    return dataclasses.replace(
        batch,
        image=warped[..., :3],
        mask=warped[..., 3],
        keypoints=jnp.where(swap[..., None], keypoints[:, :, flip], keypoints),
        visibility=_exchange(batch.visibility, flip, swap),
        scale=batch.scale * scale[:, None],
        to_source=_product(batch.to_source, to_input),
    )


def _exchange(
    visibility: Int[Array, "b p k"], flip: Int[Array, "k"], swap: Shaped[Array, "b 1 1"]
) -> Int[Array, "b p k"]:
    return jnp.where(swap, visibility[..., flip], visibility)


def _to_input(
    mirrored: Array,
    scale: Array,
    angle: Array,
    shift: Array,
    old: tuple[int, int],
    new: tuple[int, int],
) -> Float[Array, "2 3"]:
    """The map from the new canvas back to the old one, between their middles."""
    before, after = ((jnp.array(s[::-1], jnp.float32) - 1) / 2 for s in (old, new))
    cos, sin = jnp.cos(angle) / scale, jnp.sin(angle) / scale
    sign = jnp.where(mirrored, -1.0, 1.0)
    linear = jnp.array([[sign * cos, sign * sin], [-sin, cos]])
    return jnp.concatenate(
        [linear, (before - (linear * (after + shift)).sum(-1))[:, None]], axis=1
    )


def _inverse(affine: Float[Array, "b 2 3"]) -> Float[Array, "b 2 3"]:
    a, b, c, d = (affine[:, i, j] for i in (0, 1) for j in (0, 1))
    linear = jnp.stack([jnp.stack([d, -b], -1), jnp.stack([-c, a], -1)], 1)
    linear /= (a * d - b * c)[:, None, None]
    offset = -(linear * affine[:, None, :, 2]).sum(-1)
    return jnp.concatenate([linear, offset[..., None]], axis=-1)


def _product(
    outer: Float[Array, "b 2 3"], inner: Float[Array, "b 2 3"]
) -> Float[Array, "b 2 3"]:
    linear = (outer[:, :, :2, None] * inner[:, None, :, :]).sum(2)
    return linear.at[:, :, 2].add(outer[:, :, 2])


def hsv_jitter(
    image: Float[Array, "*n 3"],
    hue: Float[Array, ""],
    saturation: Float[Array, ""],
    value: Float[Array, ""],
) -> Float[Array, "*n 3"]:
    """H' = clip(hue H), S' = clip(saturation S), V' = clip(V + value), all in 0..1.

    Source: the weighted-loss DeepPose, which states value on a scale of 255.
    """
    h, s, v = colors.rgb_to_hsv(image)
    h, s = jnp.clip(h * hue, 0, 1), jnp.clip(s * saturation, 0, 1)
    return colors.hsv_to_rgb(h, s, jnp.clip(v + value, 0, 1))
