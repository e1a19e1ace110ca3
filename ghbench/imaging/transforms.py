"""Affine maps from the coordinates of an image to those of what is made of it, so that points can follow pixels.

Coordinates are x before y, in pixels; pixel i covers the interval from i to i + 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Transform = NDArray[np.float64]
"""float64 [2, 3]: (x, y) goes to `transform[:, :2] @ (x, y) + transform[:, 2]`."""


def move_points(points: ArrayLike, transform: Transform) -> NDArray[np.float64]:
    """Where points of the original lie after a transform: float64 [..., 2]; NaN stays NaN."""
    moved: NDArray[np.float64] = np.asarray(points, dtype=np.float64) @ transform[:, :2].T + transform[:, 2]
    return moved


def inverse(transform: Transform) -> Transform:
    """The transform that brings points back.

    Raises:
        numpy.linalg.LinAlgError: The transform maps everything onto a line.
    """
    back = np.linalg.inv(transform[:, :2])
    return np.column_stack([back, -back @ transform[:, 2]])


def chain(first: Transform, then: Transform) -> Transform:
    """Both transforms, one after the other."""
    return np.column_stack([then[:, :2] @ first[:, :2], move_points(first[:, 2], then)])


def mirrored(transform: Transform, width: float) -> Transform:
    """A transform to an image of `width` pixels that is then flipped left to right."""
    return chain(transform, np.array([[-1.0, 0.0, width], [0.0, 1.0, 0.0]]))


def scaling(x: float, y: float, left: float = 0.0, top: float = 0.0) -> Transform:
    """Cut at `left` and `top`, then scaled by `x` across and `y` down."""
    return np.array([[x, 0.0, -left * x], [0.0, y, -top * y]])
