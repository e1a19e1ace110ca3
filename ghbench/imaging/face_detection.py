"""Face detection: dlib's frontal HOG detector with a fixed rule for scale, choice and fallback.

Scale: the detector finds faces of at least about 80 pixels, so an image is doubled (bilinear) until its shorter side
has at least 160 pixels, at most three times: once for ORL's 112 x 92, never for LFW's 250 x 250. An image whose longer
side exceeds 2048 pixels is shrunk to that.

Choice: of several faces the largest and most central one, by its area minus twice the squared distance between its
centre and the image's.

Fallback: if no face is found, a square box of 0.8 of the image's shorter side, centred horizontally and at 0.58 of the
height: slightly below the middle, like the detected faces of ORL and LFW.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.digests import digest_lines
from ghbench.extras import require
from ghbench.imaging.resize import Box, resize_step

DETECTOR_PACKAGES = ("dlib-bin", "dlib")
MIN_SIDE = 160
MAX_SIDE = 2048
MAX_DOUBLINGS = 3
FALLBACK_SIDE = 0.8
FALLBACK_CENTRE = (0.5, 0.58)


def models_digest(*models: str) -> str:
    """Digest of the models of an alignment.

    The detector is part of dlib's code, so dlib's version represents it.

    Args:
        models: sha256 of each other model file.
    """
    for package in DETECTOR_PACKAGES:
        try:
            return digest_lines([f"dlib {version(package)}", *models])
        except PackageNotFoundError:
            continue
    return digest_lines(["dlib not installed", *models])


@dataclass(frozen=True, slots=True)
class Face:
    """A face in an image.

    Args:
        box: The face box in pixels of `view`.
        detected: Whether the detector found it; otherwise the box is the fallback.
        view: uint8 [h, w, 3], the image at the detection scale.
        scale: Pixels of `view` per pixel of the image.
        count: How many faces the detector found.
    """

    box: Box
    detected: bool
    view: NDArray[np.uint8]
    scale: float
    count: int = 1

    @property
    def picture_box(self) -> Box:
        """The face box in pixels of the image."""
        left, top, right, bottom = (edge / self.scale for edge in self.box)
        return left, top, right, bottom


def find_face(image: NDArray[np.uint8]) -> Face:
    """Find the face in an image; every image gets a box.

    Args:
        image: uint8 [H, W, 3] RGB.

    Returns:
        The detected face, or the fallback box with `detected` False.

    Raises:
        MissingError: dlib is not installed.
    """
    scale = detection_scale(image.shape[0], image.shape[1])
    size = (max(1, round(image.shape[0] * scale)), max(1, round(image.shape[1] * scale)))
    view = image if scale == 1 else resize_step("squash-bilinear").apply(image, size)
    boxes = [
        (float(found.left()), float(found.top()), float(found.right() + 1), float(found.bottom() + 1))
        for found in _detector()(view, 0)
    ]
    if not boxes:
        return Face(_fallback_box(size), detected=False, view=view, scale=scale, count=0)
    best = max(boxes, key=lambda box: (_prominence(box, size), box))
    return Face(best, detected=True, view=view, scale=scale, count=len(boxes))


def detection_scale(height: int, width: int) -> float:
    """Factor by which an image is scaled before detection; see the rule at the top."""
    if max(height, width) > MAX_SIDE:
        return MAX_SIDE / max(height, width)
    scale = 1
    while min(height, width) * scale < MIN_SIDE and scale < 2**MAX_DOUBLINGS:
        scale *= 2
    return float(scale)


def _prominence(box: Box, size: tuple[int, int]) -> float:
    left, top, right, bottom = box
    across, down = (left + right - size[1]) / 2, (top + bottom - size[0]) / 2
    return (right - left) * (bottom - top) - 2 * (across**2 + down**2)


def _fallback_box(size: tuple[int, int]) -> Box:
    height, width = size
    half = FALLBACK_SIDE * min(height, width) / 2
    x, y = FALLBACK_CENTRE[0] * width, FALLBACK_CENTRE[1] * height
    return x - half, y - half, x + half, y + half


@lru_cache(maxsize=1)
def _detector() -> Any:
    """One detector per process; workers make their own."""
    return require("dlib", "faces").get_frontal_face_detector()
