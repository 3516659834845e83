"""What drawn people do: a mixture over joint angles whose density is known exactly.

A pose is a row of angles in degrees, in the order of ANGLES. All are 0 where a person
stands upright, arms down, facing the camera. Every angle is normal around its
activity's, cut off at the joint's limits, and independent of the others given the
activity's variant, so that density and samples are both exact.
"""

import dataclasses
import itertools
from collections.abc import Mapping

import numpy as np
from scipy import special

# Lowest and highest angle in degrees: of the whole body, then of the joints. Positive
# bends forward (knees: backward), spreads away from the body, turns to the own left.
_BODY = {
    "roll": (-180, 180),
    "pitch": (-60, 60),
    "yaw": (-180, 180),
    "spine_bend": (-30, 70),
    "spine_lean": (-30, 30),
    "spine_twist": (-40, 40),
    "head_nod": (-35, 40),
    "head_tilt": (-30, 30),
    "head_turn": (-65, 65),
}
_SIDE = {
    "shoulder_raise": (-45, 175),
    "shoulder_spread": (-10, 165),
    "shoulder_roll": (-70, 80),
    "elbow_bend": (0, 145),
    "hip_raise": (-25, 120),
    "hip_spread": (-10, 75),
    "hip_roll": (-35, 40),
    "knee_bend": (0, 145),
    "ankle_point": (-20, 45),
}
LIMITS = _BODY | {
    f"{side}_{name}": limits
    for side in ("left", "right")
    for name, limits in _SIDE.items()
}
ANGLES = tuple(LIMITS)
_LOW, _HIGH = np.array(list(LIMITS.values()), np.float64).T

# Angles that change sign in the mirror; those of the sides change places.
_SIGNED = ("roll", "yaw", "spine_lean", "spine_twist", "head_tilt", "head_turn")

# Standard deviation in degrees where an activity is done tightly.
_SPREAD = dict.fromkeys(ANGLES, 7.0) | {
    "roll": 3.0,
    "pitch": 4.0,
    "yaw": 18.0,
    "spine_bend": 4.0,
    "spine_lean": 3.0,
    "head_turn": 14.0,
}

FRONT, SIDE, BACK = (0.0,), (-90.0, 90.0), (-180.0, 180.0)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Activity:
    """One thing that people do.

    Attributes:
        share: of all poses; the shares of all activities add up to 1.
        looseness: multiplies every standard deviation.
        variants: mean angles that are not 0; the mirror image of each is a variant too.
        views: (yaw in degrees, share) of the ways it is seen.
    """

    name: str
    share: float
    looseness: float
    variants: tuple[Mapping[str, float], ...]
    views: tuple[tuple[tuple[float, ...], float], ...]


def _both(**angles: float) -> dict[str, float]:
    """The same angles at both sides."""
    return {f"{side}_{k}": v for side in ("left", "right") for k, v in angles.items()}


def _stride(reach: float, lift: float, arms: float) -> tuple[dict[str, float], ...]:
    """Half a cycle of steps, opposite arm and leg together; the mirror is the other."""
    return tuple(
        {
            "left_hip_raise": reach * np.cos(phase) + lift / 3,
            "right_hip_raise": -reach * np.cos(phase) + lift / 3,
            "left_knee_bend": 8 + lift * max(np.sin(phase), 0.0),
            "right_knee_bend": 8 + lift * max(np.cos(phase), 0.0),
            "left_shoulder_raise": -arms * np.cos(phase),
            "right_shoulder_raise": arms * np.cos(phase),
            "left_elbow_bend": 15 + arms,
            "right_elbow_bend": 15 + arms,
            "spine_bend": lift / 8,
            **_both(shoulder_spread=8),
        }
        for phase in np.linspace(0, np.pi, 4)
    )


_HANGING = _both(shoulder_spread=10, elbow_bend=15, hip_spread=4, knee_bend=4)
_SEATED = _both(hip_raise=82, knee_bend=80, hip_spread=10, shoulder_spread=12)
_OVERHEAD = _both(shoulder_spread=150, elbow_bend=15)

ACTIVITIES = (
    Activity(
        name="standing",
        share=0.33,
        looseness=0.7,
        variants=(
            _HANGING,
            _HANGING
            | {"left_shoulder_spread": 42, "left_elbow_bend": 95}
            | {"left_shoulder_roll": -55},
        ),
        views=((FRONT, 0.92), (SIDE, 0.06), (BACK, 0.02)),
    ),
    Activity(
        name="walking",
        share=0.22,
        looseness=1.05,
        variants=_stride(reach=26, lift=35, arms=22),
        views=((FRONT, 0.62), (SIDE, 0.36), (BACK, 0.02)),
    ),
    Activity(
        name="sitting",
        share=0.13,
        looseness=1.4,
        variants=(
            _SEATED | _both(elbow_bend=60, shoulder_raise=15),
            _SEATED | {"left_hip_spread": 30, "left_knee_bend": 110, "spine_bend": 15},
        ),
        views=((FRONT, 0.5), (SIDE, 0.45), (BACK, 0.05)),
    ),
    Activity(
        name="reaching",
        share=0.12,
        looseness=1.9,
        variants=(
            _HANGING | {"left_shoulder_spread": 140, "spine_lean": -8},
            _HANGING | {"left_shoulder_raise": 95, "right_elbow_bend": 50},
            _HANGING | _OVERHEAD,
            _both(hip_raise=70, knee_bend=70, shoulder_raise=70) | {"spine_bend": 40},
        ),
        views=((FRONT, 0.5), (SIDE, 0.35), (BACK, 0.15)),
    ),
    Activity(
        name="jumping",
        share=0.1,
        looseness=2.4,
        variants=(
            _both(hip_spread=35, shoulder_spread=120, knee_bend=15),
            _both(hip_raise=65, knee_bend=95, shoulder_spread=80, elbow_bend=45),
            _both(hip_spread=15, shoulder_raise=150, ankle_point=30)
            | {"left_knee_bend": 80, "spine_bend": -12},
        ),
        views=((FRONT, 0.45), (SIDE, 0.35), (BACK, 0.2)),
    ),
    Activity(
        name="cartwheel",
        share=0.05,
        looseness=2.8,
        variants=tuple(
            {"roll": roll} | _OVERHEAD | _both(hip_spread=50, knee_bend=10)
            for roll in (55, 95, 135)
        ),
        views=((FRONT, 0.6), (SIDE, 0.1), (BACK, 0.3)),
    ),
    Activity(
        name="upside down",
        share=0.05,
        looseness=3.2,
        variants=(
            {"roll": 180} | _both(shoulder_spread=155, knee_bend=15, hip_spread=12),
            {"roll": 180} | _both(shoulder_spread=140, knee_bend=70, hip_raise=45),
        ),
        views=((FRONT, 0.5), (SIDE, 0.3), (BACK, 0.2)),
    ),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class _Mixture:
    """Components: share and activity (c,); mean and deviation (c, a).

    `low` and `high` (c, a) are the normal probabilities below an angle's limits.
    """

    share: np.ndarray
    activity: np.ndarray
    mean: np.ndarray
    deviation: np.ndarray
    low: np.ndarray
    high: np.ndarray


def _components(number: int) -> list[tuple[float, int, np.ndarray, np.ndarray]]:
    """Every variant of an activity, its mirror image too, from every view."""
    activity = ACTIVITIES[number]
    deviation = np.array([_SPREAD[name] for name in ANGLES]) * activity.looseness
    found = []
    n = len(activity.variants)
    for variant, (yaws, share) in itertools.product(activity.variants, activity.views):
        for yaw, mirrored in itertools.product(yaws, (False, True)):
            mean = np.array([{**variant, "yaw": yaw}.get(name, 0.0) for name in ANGLES])
            mean = mirror(mean) if mirrored else mean
            part = activity.share * share / (2 * len(yaws) * n)
            found.append((part, number, np.clip(mean, _LOW, _HIGH), deviation))
    return found


def mirror(angles: np.ndarray) -> np.ndarray:
    """The angles of the mirrored pose."""
    swap = {"left": "right", "right": "left"}
    source = [
        ANGLES.index(f"{swap[side]}_{rest}") if side in swap else ANGLES.index(name)
        for name in ANGLES
        for side, _, rest in [name.partition("_")]
    ]
    sign = np.array([-1.0 if name in _SIGNED else 1.0 for name in ANGLES])
    return angles[..., source] * sign


def _mixture() -> _Mixture:
    rows = [row for n in range(len(ACTIVITIES)) for row in _components(n)]
    share, activity, mean, deviation = map(np.array, zip(*rows, strict=True))
    return _Mixture(
        share=share,
        activity=activity,
        mean=mean,
        deviation=deviation,
        low=special.ndtr((_LOW - mean) / deviation),
        high=special.ndtr((_HIGH - mean) / deviation),
    )


MIXTURE = _mixture()


def sample(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Angles (n, a) in degrees, and the number of each pose's activity (n,)."""
    chosen = rng.choice(len(MIXTURE.share), n, p=MIXTURE.share)
    low, high = MIXTURE.low[chosen], MIXTURE.high[chosen]
    quantile = low + (high - low) * rng.uniform(size=low.shape)
    angles = MIXTURE.mean[chosen] + MIXTURE.deviation[chosen] * special.ndtri(quantile)
    # Rounding may leave a limit by its last digit.
    return np.clip(angles, _LOW, _HIGH), MIXTURE.activity[chosen]


def log_density(angles: np.ndarray) -> np.ndarray:
    """Natural logarithm of the density, per degree of each angle, of (n, a) angles.

    Angles beyond a joint's limits have density 0 and give -inf.
    """
    z = (angles[:, None] - MIXTURE.mean) / MIXTURE.deviation
    inside = MIXTURE.high - MIXTURE.low
    norm = np.log(MIXTURE.deviation * np.sqrt(2 * np.pi) * inside)
    each = np.log(MIXTURE.share) - (z**2 / 2 + norm).sum(-1)
    possible = np.all((angles >= _LOW) & (angles <= _HIGH), axis=-1)
    return np.where(possible, special.logsumexp(each, axis=1), -np.inf)
