"""`dlib-chip`: dlib's own face chip from five points, which is what dlib's face network was trained on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench import assets
from ghbench.extras import require
from ghbench.imaging.alignment import Prepared, channels_first
from ghbench.imaging.face_detection import find_face, models_digest
from ghbench.imaging.face_points import MODELS, PREDICTOR_5, dlib_shape
from ghbench.imaging.resize import resize_step
from ghbench.imaging.transforms import Transform, chain, inverse, scaling

PADDING = 0.25
"""Margin around the face as a fraction of its size; dlib's face network expects this one."""


@dataclass(frozen=True, slots=True)
class DlibChip:
    """`dlib-chip`: upright square chip, eyes level; the outside of the image is black and counted as padding.

    The chip is cut from the image at the scale of detection, see `ghbench.imaging.face_detection`.
    """

    weights_digest: str
    name: str = "dlib-chip"
    version: int = 1

    @classmethod
    def on_this_machine(cls) -> DlibChip:
        """The alignment with the digest of detector and 5-point predictor; the file itself is not needed for that."""
        return cls(models_digest(assets.digest(MODELS, PREDICTOR_5)))

    def apply(self, image: NDArray[np.uint8], size: tuple[int, int], resize: str = "crop-bilinear") -> Prepared:
        """Align one image, see `Alignment.apply`."""
        dlib = require("dlib", "faces")
        face = find_face(image)
        shape = dlib_shape(face, PREDICTOR_5)
        details = dlib.get_face_chip_details(shape, max(size), PADDING)
        chip = np.asarray(dlib.extract_image_chip(face.view, details), dtype=np.uint8)
        inside = np.asarray(dlib.extract_image_chip(np.full(face.view.shape[:2], 255, np.uint8), details))
        step = resize_step(resize)
        # The scale of each axis: that of detection but for the rounding of the view's sides.
        view = scaling(face.view.shape[1] / image.shape[1], face.view.shape[0] / image.shape[0])
        transform = chain(chain(view, chip_transform(details)), step.transform(chip.shape, size))
        padded = float((inside < 128).mean())
        return Prepared(channels_first(step.apply(chip, size)), transform, not face.detected, padded, face.count)


def chip_transform(details: Any) -> Transform:
    """Where `dlib.extract_image_chip` puts the points of its image.

    The centre of the chip's first pixel lies on the upper left corner of `details.rect`, turned about the rectangle's
    centre by `details.angle`, and that of its last pixel on the lower right corner (dlib, `get_mapping_to_chip` in
    image_transforms/interpolation.h); dlib's coordinates are of centres of pixels.

    An image that is finer than the chip is halved first, until it would be coarser. There dlib takes (x, y) to
    (x / 2 - 1.25, y / 2 - 0.75) (`pyramid_down<2>::point_down`), while its filter of five pixels puts it at
    (x / 2 - 1, y / 2 - 1): measured blobs lie by half a pixel of each halved image to the right and above.
    """
    rect, cosine, sine = details.rect, np.cos(details.angle), np.sin(details.angle)
    turn = np.array([[cosine, -sine], [sine, cosine]])
    centre = np.array([rect.left() + rect.right(), rect.top() + rect.bottom()]) / 2
    sides = np.array([rect.right() - rect.left(), rect.bottom() - rect.top()])
    halvings = 0
    while np.prod(sides / 2 ** (halvings + 1) + 1) > details.cols * details.rows:
        halvings += 1
    across_and_down = turn * (sides / [max(details.cols - 1, 1), max(details.rows - 1, 1)])
    first = centre + turn @ (-sides / 2) - np.array([0.5, -0.5]) * (2**halvings - 1)
    half = np.array([0.5, 0.5])
    return inverse(np.column_stack([across_and_down, first + half - across_and_down @ half]))
