"""Colours and patterns of skin, hair, cloth and things: small square textures."""

import dataclasses

import numpy as np

# Side of a texture in its own pixels; drawing stretches it over a part of a body.
SIDE = 32
_ROWS, _COLUMNS = np.indices((SIDE, SIDE)).astype(np.float32)

# Blue, green, red of skin from light to dark, between which people are drawn.
_SKIN = np.array(
    [[189, 213, 243], [140, 180, 229], [105, 145, 203], [66, 98, 152], [40, 62, 98]]
)
_HAIR = np.array(
    [[28, 28, 32], [30, 48, 78], [60, 100, 150], [100, 180, 220], [150, 150, 155]]
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Look:
    """How one person looks; textures are uint8 (SIDE, SIDE, 3), blue first.

    Attributes:
        sleeve, leg: how far cloth reaches down a limb: 0 not at all, 1 to the middle
            joint, 2 to the end.
        looseness: of cloth, a factor on radii.
        skirt: a skirt instead of trousers.
        hair_line: how much of the head is hair, -0.4 much to 1 none.
        long_hair: hair down to the shoulders.
    """

    skin: np.ndarray
    hair: np.ndarray
    shirt: np.ndarray
    trousers: np.ndarray
    shoes: np.ndarray
    sleeve: float
    leg: float
    looseness: float
    skirt: bool
    hair_line: float
    long_hair: bool


def random_look(rng: np.random.Generator) -> Look:
    """Skin tones and clothes of all kinds; one in seven wears one colour all over."""
    skin = _between(rng, _SKIN)
    shirt = cloth(rng)
    suit = rng.uniform() < 0.15
    return Look(
        skin=plain(skin, rng, roughness=5),
        hair=plain(_between(rng, _HAIR), rng, roughness=14),
        shirt=shirt,
        trousers=shirt if suit else cloth(rng),
        shoes=plain(color(rng), rng, roughness=6),
        sleeve=float(rng.choice([0.0, 0.55, 0.8, 1.9], p=[0.15, 0.35, 0.15, 0.35])),
        leg=float(rng.choice([0.0, 0.6, 1.0, 1.9], p=[0.08, 0.27, 0.1, 0.55])),
        looseness=float(rng.uniform(1.05, 1.3)),
        skirt=bool(rng.uniform() < 0.1),
        hair_line=float(rng.choice([-0.25, 0.0, 0.25, 1.0], p=[0.3, 0.35, 0.25, 0.1])),
        long_hair=bool(rng.uniform() < 0.3),
    )


def color(rng: np.random.Generator) -> np.ndarray:
    """Any colour, greyish ones more often than shrill ones."""
    grey = rng.uniform(10, 245)
    shrillness = rng.uniform(0, 1) ** 1.5
    return np.clip(grey + shrillness * rng.uniform(-150, 150, 3), 0, 255)


def cloth(rng: np.random.Generator) -> np.ndarray:
    """A plain, striped, checked, dotted or cloudy texture."""
    first, second = color(rng), color(rng)
    period = rng.uniform(3, 16)
    across, along = _COLUMNS + rng.uniform(0, 9), _ROWS + rng.uniform(0, 9)
    stripes = np.sin(2 * np.pi * along / period) > 0
    bars = np.sin(2 * np.pi * across / period) > 0
    kind = rng.integers(8)
    if kind == 0:
        mixed = stripes
    elif kind == 1:
        mixed = bars
    elif kind == 2:
        mixed = stripes ^ bars
    elif kind == 3:
        wave = np.sin(2 * np.pi * along / period) * np.sin(2 * np.pi * across / period)
        mixed = wave > 0.5
    elif kind == 4:
        mixed = np.kron(rng.uniform(size=(8, 8)), np.ones((4, 4)))
    else:
        return plain(first, rng, roughness=8)
    return plain(first + (second - first) * mixed[..., None], rng, roughness=5)


def flat(color: tuple[int, int, int]) -> np.ndarray:
    """One colour, blue first."""
    return np.full((SIDE, SIDE, 3), color, np.uint8)


def plain(
    base: np.ndarray, rng: np.random.Generator, *, roughness: float
) -> np.ndarray:
    """One colour (3,), or a texture, with a little noise."""
    noise = rng.standard_normal((SIDE, SIDE, 1)) * roughness
    return np.clip(base + noise, 0, 255).astype(np.uint8)


def shade(
    texture: np.ndarray, light: np.ndarray, across: np.ndarray, ambient: float
) -> np.ndarray:
    """The texture on a cylinder in the light.

    Args:
        light: unit vector (3,) towards the light; x right, y down, z to the viewer.
        across: unit vector (2,) in the image, from the texture's left to its right.
        ambient: brightness of what the light does not reach, 0..1.
    """
    v = np.linspace(-1, 1, SIDE)
    facing = v * (across @ light[:2]) + np.sqrt(1 - v**2) * light[2]
    bright = ambient + (1 - ambient) * np.maximum(facing, 0)
    return (texture * bright[None, :, None]).astype(np.uint8)


def _between(rng: np.random.Generator, colors: np.ndarray) -> np.ndarray:
    """A colour on the broken line through some."""
    position = rng.uniform(0, len(colors) - 1)
    first = min(int(position), len(colors) - 2)
    share = position - first
    return colors[first] * (1 - share) + colors[first + 1] * share
