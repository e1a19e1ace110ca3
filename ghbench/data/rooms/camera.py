"""A pinhole camera with a square frame: where points are seen, and which way the rays of pixels go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Camera:
    """A camera that is not tilted sideways.

    Args:
        place: float64 [3] position in the room.
        yaw: Turned to the right from the direction of the far wall, in radians.
        pitch: Turned upwards, in radians.
        focal: Focal length over half of the frame's side.
    """

    place: Floats
    yaw: float
    pitch: float
    focal: float

    @property
    def axes(self) -> Floats:
        """The camera's right, up and forward in the room's axes: rows of float64 [3, 3]."""
        level, sine = np.array([np.sin(self.yaw), 0.0, np.cos(self.yaw)]), np.sin(self.pitch)
        cosine, up = np.cos(self.pitch), np.array([0.0, 1.0, 0.0])
        return np.array([[level[2], 0.0, -level[0]], cosine * up - sine * level, cosine * level + sine * up])

    def project(self, points: Floats, *, beyond: bool = False) -> Floats:
        """Where points are seen, as shares of the frame from its left upper corner.

        Args:
            points: float64 [..., 3] in the room.
            beyond: Whether points behind the camera are taken to lie far outside the frame, on their side of it.

        Returns:
            float64 [..., 2] x and y; NaN behind the camera unless `beyond`.
        """
        own = (points - self.place) @ self.axes.T
        if beyond:
            own[..., 2] = np.maximum(own[..., 2], 1e-5)
        ahead = own[..., 2:]
        with np.errstate(divide="ignore", invalid="ignore"):
            seen = 0.5 + 0.5 * self.focal * own[..., :2] * np.array([1, -1]) / ahead
        return np.where(ahead > 1e-6, seen, np.nan)

    def sees(self, points: Floats, margin: float = 0.0) -> NDArray[np.bool_]:
        """Whether points lie in the frame, at least `margin` of its side from its edge, whatever is in front."""
        with np.errstate(invalid="ignore"):
            seen = self.project(points)
            inside: NDArray[np.bool_] = np.all((seen >= margin) & (seen <= 1 - margin), axis=-1)
        return inside

    def rays(self, size: int) -> Floats:
        """Directions of the pixels' centres, row by row: float64 [size * size, 3], one unit ahead each."""
        middle = (np.arange(size) + 0.5) / size * 2 - 1
        across, down = np.meshgrid(middle, middle)
        own = np.stack([across / self.focal, -down / self.focal, np.ones_like(across)], axis=-1).reshape(-1, 3)
        rays: Floats = own @ self.axes
        return rays
