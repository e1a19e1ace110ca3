"""Attributes of generated faces, measured by geometry, colours and packaged networks, in about 10 ms a picture.

Generated faces are aligned, so a fixed box takes the detector's place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ghbench import assets
from ghbench.data.face_attributes import ASSET, judged
from ghbench.digests import digest_lines
from ghbench.imaging import resize_step
from ghbench.imaging.face_detection import Face, models_digest
from ghbench.imaging.face_points import MODELS, PREDICTOR_5, PREDICTOR_68, dlib_points68
from ghbench.metrics.head_pose import head_pose

Floats = NDArray[np.float64]
SIDE = 256
BOX = (0.22, 0.30, 0.78, 0.86)
"""Left, top, right and bottom of the face in an aligned picture, as shares of its side."""
LUMA = np.array([0.299, 0.587, 0.114])
MIRRORED = ("yaw", "roll", "light-side")
"""Attributes whose sign a mirrored picture changes."""


def distance(points: Floats, one: int, other: int) -> Floats:
    """Distances [N] of two of the 68 points."""
    return np.asarray(np.linalg.norm(points[:, one] - points[:, other], axis=1))


def _eyes(points: Floats) -> Floats:
    return np.asarray(np.linalg.norm(points[:, 36:42].mean(axis=1) - points[:, 42:48].mean(axis=1), axis=1))


def _eye_opening(points: Floats) -> Floats:
    pairs = ((37, 41), (38, 40), (43, 47), (44, 46))
    return np.asarray(np.mean([distance(points, *pair) for pair in pairs], axis=0) / _eyes(points))


def _brow_height(points: Floats) -> Floats:
    return np.asarray((points[:, 36:48, 1].mean(axis=1) - points[:, 17:27, 1].mean(axis=1)) / _eyes(points))


def _smile(points: Floats) -> Floats:
    middle, corners = points[:, (51, 57), 1].mean(axis=1), points[:, (48, 54), 1].mean(axis=1)
    return np.asarray((middle - corners) / _eyes(points))


GEOMETRY: Mapping[str, Callable[[Floats], Floats]] = {
    "mouth-open": lambda points: distance(points, 62, 66) / _eyes(points),
    "mouth-width": lambda points: distance(points, 48, 54) / _eyes(points),
    "smile": _smile,
    "eyes-open": _eye_opening,
    "brow-height": _brow_height,
    "face-width": lambda points: distance(points, 1, 15) / _eyes(points),
    "face-height": lambda points: distance(points, 27, 8) / _eyes(points),
    "yaw": lambda points: head_pose(points)[:, 0],
    "pitch": lambda points: head_pose(points)[:, 1],
    "roll": lambda points: head_pose(points)[:, 2],
}
NETWORKS = ("age", "male")
REGIONS: Mapping[str, tuple[float, float, float, float]] = {
    "hair": (0.38, 0.06, 0.62, 0.18), "forehead": (0.40, 0.26, 0.60, 0.34), "left-cheek": (0.30, 0.56, 0.40, 0.66),
    "right-cheek": (0.60, 0.56, 0.70, 0.66), "left-corner": (0.0, 0.0, 0.14, 0.3),
    "right-corner": (0.86, 0.0, 1.0, 0.3), "left-shoulder": (0.02, 0.9, 0.2, 1.0),
    "right-shoulder": (0.8, 0.9, 0.98, 1.0),
}  # fmt: skip
"""Parts of an aligned picture, as shares of its side."""
COLOURS = (
    "hair-light", "fringe", "skin-light", "skin-red", "background-light", "background-warm", "clothes-light",
    "brightness", "saturation", "light-side",
)  # fmt: skip
CANDIDATES = (*GEOMETRY, *NETWORKS, *COLOURS)
NAMES = tuple(name for name in CANDIDATES if name != "pitch")
"""Those that `benchmarks/face_attributes.py` found repeatable and different, before any direction was looked at: pitch
is too much like smile."""
HELD = (
    "eyes-open", "yaw", "roll", "male", "fringe", "skin-red", "background-light", "clothes-light", "brightness",
    "light-side",
)  # fmt: skip
"""The half that no search of windows looks at: clusters of attributes that correlate, dealt in turn, the largest first
(`benchmarks/face_attributes.py`)."""


class FaceAttributes:
    """Numbers that describe an aligned face; each has a unit of its own.

    Args:
        names: Attributes to measure; by default the frozen set.
    """

    def __init__(self, names: tuple[str, ...] = NAMES) -> None:
        self.names = names

    @property
    def held(self) -> tuple[int, ...]:
        """Numbers of the attributes that no search looks at."""
        return tuple(number for number, name in enumerate(self.names) if name in HELD)

    @property
    def networks(self) -> tuple[str, ...]:
        """Digests of the models that it asks."""
        return (*(assets.digest(MODELS, name) for name in (PREDICTOR_5, PREDICTOR_68)), assets.digest(ASSET))

    @cached_property
    def digest(self) -> str:
        """Digest of all that decides the numbers."""
        return digest_lines([models_digest(*self.networks), "face attributes 1", *self.names])

    def measure(self, images: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Attributes of aligned faces.

        Args:
            images: uint8 [N, 3, R, R].

        Returns:
            float64 [N, attributes].

        Raises:
            MissingError: dlib, onnxruntime or their models are not available.
        """
        faces = [aligned_face(image) for image in images]
        points = np.stack([dlib_points68(face) for face in faces])
        found: dict[str, Floats] = {name: measure(points) for name, measure in GEOMETRY.items() if name in self.names}
        if set(NETWORKS) & set(self.names):
            answers = np.array([judged(face) for face in faces])
            found |= dict(zip(NETWORKS, answers.T, strict=True))
        found |= _colours(np.stack([face.view for face in faces]) / 255.0)
        return np.stack([found[name] for name in self.names], axis=1)


def aligned_face(image: NDArray[np.uint8]) -> Face:
    """The face in an aligned image [3, R, R], at its fixed place."""
    return Face(_box(), detected=True, view=_view(image), scale=1.0)


def _view(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image [3, R, R] as dlib takes it, [256, 256, 3]."""
    upright = np.ascontiguousarray(image.transpose(1, 2, 0))
    return upright if len(upright) == SIDE else resize_step("squash-bilinear").apply(upright, (SIDE, SIDE))


def _box() -> tuple[float, float, float, float]:
    left, top, right, bottom = (edge * SIDE for edge in BOX)
    return left, top, right, bottom


def _colours(images: Floats) -> dict[str, Floats]:
    """Colours of parts of images [N, 256, 256, 3] in [0, 1]."""

    def mean(name: str) -> Floats:
        left, top, right, bottom = (round(edge * SIDE) for edge in REGIONS[name])
        return np.asarray(images[:, top:bottom, left:right].mean(axis=(1, 2)))

    parts = {name: mean(name) for name in REGIONS}
    skin = (parts["left-cheek"] + parts["right-cheek"]) / 2
    behind = (parts["left-corner"] + parts["right-corner"]) / 2
    worn = (parts["left-shoulder"] + parts["right-shoulder"]) / 2
    light = {name: colour @ LUMA for name, colour in parts.items()}
    channels = list(np.moveaxis(images, 3, 0))  # numpy takes extremes over a short last axis ten times slower
    return {
        "hair-light": light["hair"],
        "fringe": skin @ LUMA - light["forehead"],
        "skin-light": skin @ LUMA,
        "skin-red": skin[:, 0] - skin[:, 1:].mean(axis=1),
        "background-light": behind @ LUMA,
        "background-warm": behind[:, 0] - behind[:, 2],
        "clothes-light": worn @ LUMA,
        "brightness": images.mean(axis=(1, 2)) @ LUMA,
        "saturation": (np.maximum.reduce(channels) - np.minimum.reduce(channels)).mean(axis=(1, 2)),
        "light-side": light["right-cheek"] - light["left-cheek"],
    }
