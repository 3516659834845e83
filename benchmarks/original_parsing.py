"""The original's parsing of proposals: NumPy, and loops over parts, proposals and pairs.

What wangziren1/pytorch_pose_proposal_networks does to one image after the network,
written anew from its description, with its oddities: the predicted IoU is the mark of
what survives, limbs are read at the cell of the regressed centre, and a person starts
where a head top is joined to an instance. A proposal is a row: response, predicted IoU,
x, y, w, h, in pixels of the canvas.
"""

import numpy as np
from jaxtyping import Float

Pair = tuple[int, int]
PARTS, STRIDE, SIDE, REACH = 16, 32, 384, 4
RESPONSE, OVERLAP, LIMB = 0.1, 0.3, 0.1
# (start, end); parts reach a person from the end, in this order.
LIMBS = (
    (1, 0), (2, 0), (3, 2), (4, 3), (5, 4), (6, 2), (7, 6), (8, 7),
    (9, 15), (10, 9), (11, 10), (12, 15), (13, 12), (14, 13), (15, 2),
)  # fmt: skip
ORDER = (0, 1, 14, *range(2, 14))


def parse(output: Float[np.ndarray, "i j c"]) -> Float[np.ndarray, "p k 2"]:
    """People; -1 for what they lack."""
    joints, limbs = decode(output)
    joints = [survivors(rows) for rows in joints]
    return people(joints, connections(joints, limbs))


def decode(
    output: Float[np.ndarray, "i j c"],
) -> tuple[list[Float[np.ndarray, "n 6"]], Float[np.ndarray, "i j w w l"]]:
    """Proposals of each part in reading order, and the limbs; the side is `SIDE`."""
    height, width = output.shape[:2]
    maps = output[..., : 6 * PARTS].reshape(height, width, PARTS, 6)
    y, x = np.mgrid[:height, :width]
    found = []
    for k in range(PARTS):
        there = maps[:, :, k, 0] >= RESPONSE
        rows = maps[there, k]
        rows[:, 2] = (rows[:, 2] + x[there]) * STRIDE
        rows[:, 3] = (rows[:, 3] + y[there]) * STRIDE
        rows[:, 4:] = SIDE * rows[:, 4:] ** 2
        found.append(rows)
    window = 2 * REACH + 1
    limbs = output[..., 6 * PARTS :].reshape(height, width, window, window, -1)
    return found, limbs


def survivors(rows: Float[np.ndarray, "n 6"]) -> Float[np.ndarray, "m 6"]:
    """Those that none with a higher response overlaps, the highest first."""
    rows = rows[np.argsort(rows[:, 0], kind="stable")[::-1]]
    for i, row in enumerate(rows):
        if row[1] != 0:
            later = rows[i + 1 :]
            later[overlaps(row, later) >= OVERLAP, 1] = 0
    return rows[rows[:, 1] > 0]


def overlaps(
    row: Float[np.ndarray, "6"], rows: Float[np.ndarray, "n 6"]
) -> Float[np.ndarray, "n"]:
    """Intersections over unions."""
    low = np.maximum(row[2:4] - row[4:] / 2, rows[:, 2:4] - rows[:, 4:] / 2)
    high = np.minimum(row[2:4] + row[4:] / 2, rows[:, 2:4] + rows[:, 4:] / 2)
    common = np.maximum(high - low, 0).prod(axis=1)
    union = row[4] * row[5] + rows[:, 4] * rows[:, 5] - common
    return common / np.maximum(union, 1e-10)


def connections(
    joints: list[Float[np.ndarray, "n 6"]], limbs: Float[np.ndarray, "i j w w l"]
) -> list[list[Pair]]:
    """Of each limb, (start, end) proposals that belong together, the surest first."""
    return [
        greedy(affinity(joints[start], joints[end], limbs[..., number]))
        for number, (start, end) in enumerate(LIMBS)
    ]


def affinity(
    starts: Float[np.ndarray, "n 6"],
    ends: Float[np.ndarray, "m 6"],
    limb: Float[np.ndarray, "i j w w"],
) -> Float[np.ndarray, "m n"]:
    """Response x limb x response, 0 for ends out of reach."""
    height, width = limb.shape[:2]
    found = np.zeros((len(ends), len(starts)))
    for a, start in enumerate(starts):
        j, i = int(start[2] // STRIDE), int(start[3] // STRIDE)
        if not (0 <= i < height and 0 <= j < width):
            continue
        for b, end in enumerate(ends):
            dj = int(end[2] // STRIDE) - j + REACH
            di = int(end[3] // STRIDE) - i + REACH
            if 0 <= di <= 2 * REACH and 0 <= dj <= 2 * REACH:
                score = limb[i, j, di, dj]
                if score > LIMB:
                    found[b, a] = end[0] * score * start[0]
    return found


def greedy(score: Float[np.ndarray, "m n"]) -> list[Pair]:
    """(start, end), the highest score first, each proposal once."""
    score, pairs = score.copy(), []
    for _ in range(min(score.shape)):
        b, a = divmod(int(score.argmax()), score.shape[1])
        if score[b, a] <= 0:
            break
        pairs.append((a, b))
        score[b], score[:, a] = 0, 0
    return pairs


def people(
    joints: list[Float[np.ndarray, "n 6"]], pairs: list[list[Pair]]
) -> Float[np.ndarray, "p k 2"]:
    """Everybody whose head top was found, and what a chain of limbs joins to them."""
    members: list[dict[int, int]] = [{0: end} for _, end in pairs[0]]
    for number in ORDER:
        start, end = LIMBS[number]
        for a, b in pairs[number]:
            for member in members:
                if member.get(end) == b:
                    member[start] = a
    found = np.full((len(members), PARTS, 2), -1.0)
    for points, member in zip(found, members, strict=True):
        for part, row in member.items():
            points[part] = joints[part][row, 2:4]
    return found
