"""`dlib-chip`: dlib's own face chip from five points, which is what dlib's face network was trained on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ghbench import assets
from ghbench.extras import require
from ghbench.imaging.alignment import Prepared, channels_first
from ghbench.imaging.face_detection import find_face, models_digest
from ghbench.imaging.face_points import MODELS, PREDICTOR_5, dlib_shape
from ghbench.imaging.resize import resize_step

PADDING = 0.25
"""Margin around the face as a fraction of its size; dlib's face network expects this one."""


@dataclass(frozen=True, slots=True)
class DlibChip:
    """`dlib-chip`: upright square chip, eyes level; the outside of the picture is black and counted as invented.

    The chip is cut from the picture at the scale of detection, see `ghbench.imaging.face_detection`.
    """

    weights_digest: str
    name: str = "dlib-chip"
    version: int = 1

    @classmethod
    def on_this_machine(cls) -> DlibChip:
        """The alignment with the digest of detector and 5-point predictor; the file itself is not needed for that."""
        return cls(models_digest(assets.digest(MODELS, PREDICTOR_5)))

    def apply(self, image: NDArray[np.uint8], size: tuple[int, int], resize: str = "crop-bilinear") -> Prepared:
        """Align one picture, see `Alignment.apply`."""
        dlib = require("dlib", "faces")
        face = find_face(image)
        shape = dlib_shape(face, PREDICTOR_5)
        details = dlib.get_face_chip_details(shape, max(size), PADDING)
        chip = np.asarray(dlib.extract_image_chip(face.view, details), dtype=np.uint8)
        inside = np.asarray(dlib.extract_image_chip(np.full(face.view.shape[:2], 255, np.uint8), details))
        return Prepared(
            channels_first(resize_step(resize).apply(chip, size)), not face.detected, float((inside < 128).mean())
        )
