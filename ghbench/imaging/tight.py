"""`tight`: the square inside the image that brings the face box nearest to its place in FFHQ; nothing is padded."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ghbench.imaging.alignment import Prepared, channels_first
from ghbench.imaging.face_detection import find_face, models_digest
from ghbench.imaging.resize import Box, resize_step

# Where dlib's face box lies in an image aligned by the FFHQ recipe: medians over the detected faces of ORL.
TEMPLATE_SIDE = 0.57
TEMPLATE_CENTRE = (0.5, 0.59)


@dataclass(frozen=True, slots=True)
class TightAlignment:
    """`tight`: a square crop around the face that never leaves the image."""

    name: str = "tight"
    version: int = 1
    weights_digest: str = field(default_factory=models_digest)

    def apply(self, image: NDArray[np.uint8], size: tuple[int, int], resize: str = "crop-bilinear") -> Prepared:
        """Align one image, see `Alignment.apply`."""
        face = find_face(image)
        box = tight_square(face.picture_box, image.shape[0], image.shape[1])
        step = resize_step(resize)
        prepared = channels_first(step.apply(image, size, box))
        transform = step.transform(image.shape, size, box)
        return Prepared(prepared, transform, not face.detected, faces=face.count)


def tight_square(face: Box, height: int, width: int) -> Box:
    """The square that gives the face its size in FFHQ, or the largest one there is, as near to its place as possible.

    Args:
        face: Face box in pixels.
        height: Height of the image.
        width: Width of the image.

    Returns:
        A square inside the image.
    """
    left, top, right, bottom = face
    side = min((right - left) / TEMPLATE_SIDE, float(height), float(width))
    x = (left + right) / 2 - TEMPLATE_CENTRE[0] * side
    y = (top + bottom) / 2 - TEMPLATE_CENTRE[1] * side
    x, y = min(max(x, 0.0), width - side), min(max(y, 0.0), height - side)
    return x, y, x + side, y + side
