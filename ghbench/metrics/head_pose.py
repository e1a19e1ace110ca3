"""How a head is turned, from 68 points: a scaled orthographic projection of a rigid head, solved in closed form."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
PLACES = (30, 8, 36, 45, 48, 54)
"""Tip of the nose, chin, outer corners of the eyes, corners of the mouth, in iBUG's order."""
HEAD = np.array(
    [[0, 0, 0], [0, 330, 65], [-225, -170, 135], [225, -170, 135], [-150, 150, 125], [150, 150, 125]], float
)
"""Where they lie on a head that looks at the camera: to the right, down and away from it; the scale is arbitrary."""
ANGLES = ("yaw", "pitch", "roll")


def head_pose(points: Floats) -> Floats:
    """Angles of heads.

    The projection is fitted by least squares, and the nearest rotation taken (as in DeMenthon and Davis 1995, without
    their iteration for perspective).

    Args:
        points: float64 [N, 68, 2] in pixels, y downwards.

    Returns:
        float64 [N, 3] degrees: yaw, positive where the face looks to the right of the image; pitch, positive upwards;
        roll, positive where the image of the head is turned clockwise.
    """
    seen = points[:, PLACES] - points[:, PLACES].mean(axis=1, keepdims=True)
    inverse = np.linalg.pinv(HEAD - HEAD.mean(axis=0))
    left, _, right = np.linalg.svd((inverse @ seen).transpose(0, 2, 1), full_matrices=False)
    first, second = np.moveaxis(left @ right, 1, 0)
    away = np.stack([first[:, 2], second[:, 2], np.cross(first, second)[:, 2]], axis=1)
    yaw = np.arctan2(-away[:, 0], away[:, 2])
    pitch = np.arcsin(np.clip(away[:, 1], -1, 1))
    roll = np.arctan2(second[:, 0], first[:, 0])
    angles: Floats = np.rad2deg(np.stack([yaw, pitch, roll], axis=1))
    return angles
