"""A pinhole camera."""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True, kw_only=True)
class Camera:
    """Looks at a person along -z, in the axes of `bodies`.

    Attributes:
        scale: pixels per stature at the depth of the pelvis.
        center: (2,) pixels, where the pelvis is seen.
        distance: from the pelvis, in statures; near cameras foreshorten more.
    """

    scale: float
    center: np.ndarray
    distance: float

    def see(self, points: np.ndarray) -> np.ndarray:
        """Pixels (..., 2) of points (..., 3)."""
        flat = points[..., :2] * np.array([1.0, -1.0])
        return self.center + flat * self.magnify(points)[..., None]

    def magnify(self, points: np.ndarray) -> np.ndarray:
        """Pixels per stature at points (..., 3)."""
        return self.scale * self.distance / (self.distance - points[..., 2])

    def faces(self, points: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """Whether a surface with these normals (..., 3) shows its outside."""
        toward = np.array([0.0, 0.0, self.distance]) - points
        return np.sum(normals * toward, axis=-1) > 0
