"""A second predictor of facial geometry, which has nothing in common with dlib's: MediaPipe's mesh of 468 points.

It needs `pip install openvino`, which reads the network as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from ghbench import assets
from ghbench.imaging import resize_step

ASSET, MEMBER, SIDE = "face-mesh", "face_landmark.tflite", 192
BOX = (0.08, 0.16, 0.92, 1.0)
"""Left, top, right and bottom of what the network sees of an aligned picture: its face, with a quarter on each side."""
Floats = NDArray[np.float64]


def _distance(points: Floats, one: int, other: int) -> Floats:
    return np.linalg.norm(points[:, one] - points[:, other], axis=1)


def _centres(points: Floats) -> tuple[Floats, Floats]:
    """Of the eyes on the picture's left and right [N, 2]."""
    return points[:, (33, 133)].mean(axis=1), points[:, (263, 362)].mean(axis=1)


def _eyes(points: Floats) -> Floats:
    left, right = _centres(points)
    return np.linalg.norm(left - right, axis=1)


def _smile(points: Floats) -> Floats:
    return (points[:, (0, 17), 1].mean(axis=1) - points[:, (61, 291), 1].mean(axis=1)) / _eyes(points)


def _brows(points: Floats) -> Floats:
    eyes = np.mean([centre[:, 1] for centre in _centres(points)], axis=0)
    return (eyes - points[:, (105, 334), 1].mean(axis=1)) / _eyes(points)


def _roll(points: Floats) -> Floats:
    left, right = _centres(points)
    return np.arctan2(*(right - left).T[::-1])


GEOMETRY: Mapping[str, Callable[[Floats], Floats]] = {
    "mouth-open": lambda points: _distance(points, 13, 14) / _eyes(points),
    "mouth-width": lambda points: _distance(points, 61, 291) / _eyes(points),
    "smile": _smile,
    "eyes-open": lambda points: (_distance(points, 159, 145) + _distance(points, 386, 374)) / _eyes(points),
    "brow-height": _brows,
    "face-width": lambda points: _distance(points, 234, 454) / _eyes(points),
    "face-height": lambda points: _distance(points, 168, 152) / _eyes(points),
    "yaw": lambda points: (points[:, 1, 0] - points[:, (234, 454), 0].mean(axis=1)) / _distance(points, 234, 454),
    "roll": _roll,
}
"""The attributes of the task `discovery` that geometry defines, from other points (numbers of MediaPipe's mesh)."""


class FaceMesh:
    """Numbers that describe an aligned face; each has a unit of its own."""

    names = tuple(GEOMETRY)

    def __init__(self) -> None:
        self._network: Any = openvino.Core().compile_model(str(assets.path(ASSET, MEMBER)), "CPU")

    def measure(self, images: NDArray[np.uint8]) -> Floats:
        """Attributes of aligned faces: uint8 [N, 3, R, R] to float64 [N, attributes]."""
        points = np.stack([self._points(image.transpose(1, 2, 0)) for image in images])
        return np.stack([measure(points) for measure in GEOMETRY.values()], axis=1)

    def _points(self, image: NDArray[np.uint8]) -> Floats:
        left, top, right, bottom = (round(edge * len(image)) for edge in BOX)
        seen = resize_step("squash-bilinear").apply(np.ascontiguousarray(image[top:bottom, left:right]), (SIDE, SIDE))
        found = self._network(seen[None].astype(np.float32) / 255)[0]
        return np.asarray(found, np.float64).reshape(-1, 3)[:, :2]
