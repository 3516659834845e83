"""How PyTorch-Pose brings a person onto a canvas, on our geometry."""

import numpy as np

from jaxpose import geometry


def person_to_canvas(center, scale, turn, side=256):
    """Its map from the photograph to a square canvas, positions from its corner.

    Args:
        center: pixels of the photograph.
        scale: the person's height in units of 200 pixels, which the canvas shows.
        turn: degrees.
        side: pixels of the canvas.
    """
    height = 200 * scale
    forward = np.eye(3)
    forward[:2] = geometry.stretch(
        np.array([*(center - height / 2), *(center + height / 2)]), (side, side)
    )
    # Between corners, not between the middles of the outermost pixels.
    forward[:2, 2] += 0.5
    cos, sin = np.cos(np.deg2rad(-turn)), np.sin(np.deg2rad(-turn))
    middle = np.array([[1, 0, side / 2], [0, 1, side / 2], [0, 0, 1]])
    rotation = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]])
    return (middle @ rotation @ np.linalg.inv(middle) @ forward)[:2]
