"""The FFHQ recipe: an oriented square from eyes and mouth, what lies outside the image reflected and blurred.

Source: Karras, Laine and Aila, A style-based generator architecture for generative adversarial networks, CVPR 2019,
appendix A, and the parameters of the dataset's published alignment.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ghbench.errors import DataError
from ghbench.imaging.alignment import Prepared, channels_first
from ghbench.imaging.face_detection import find_face, models_digest
from ghbench.imaging.face_points import points68, points68_digest
from ghbench.imaging.resize import resize_step
from ghbench.imaging.transforms import Transform, chain, inverse

_EYE_SCALE, _MOUTH_SCALE = 2.0, 1.8
_EYE_TO_CENTRE = 0.1
_BLUR = 0.02
_MIN_PADDING = 0.3
_MAX_OVERSAMPLING = 8

Quad = NDArray[np.float64]
"""float64 [3, 2]: upper left corner, upper right corner and lower left corner of an oriented square, x before y."""


@dataclass(frozen=True, slots=True)
class FfhqAlignment:
    """`ffhq`: eyes and mouth where FFHQ has them; the image's outside is reflected, blurred and counted."""

    weights_digest: str
    name: str = "ffhq"
    version: int = 1

    @classmethod
    def on_this_machine(cls) -> FfhqAlignment:
        """The alignment with the landmark network that this machine has."""
        return cls(models_digest(points68_digest()))

    def apply(self, image: NDArray[np.uint8], size: tuple[int, int], resize: str = "crop-bilinear") -> Prepared:
        """Align one image, see `Alignment.apply`."""
        face = find_face(image)
        quad, step = ffhq_quad(points68(face)), resize_step(resize)
        square, padded = sample_quad(image, quad, max(size))
        transform = chain(quad_transform(quad, max(size)), step.transform(square.shape, size))
        return Prepared(channels_first(step.apply(square, size)), transform, not face.detected, padded, face.count)


def ffhq_quad(points: NDArray[np.float64]) -> Quad:
    """The oriented square of the recipe.

    Args:
        points: float64 [68, 2] in the order of 300-W, or [5, 2]: both eyes, nose, both corners of the mouth, left
            before right as seen in the image.

    Returns:
        Three corners of the square, in the coordinates of `points`.

    Raises:
        DataError: Another number of points, or all of them in one place.
    """
    if points.shape == (68, 2):
        left_eye, right_eye = points[36:42].mean(axis=0), points[42:48].mean(axis=0)
        mouth = (points[48] + points[54]) / 2
    elif points.shape == (5, 2):
        left_eye, right_eye, mouth = points[0], points[1], (points[3] + points[4]) / 2
    else:
        raise DataError(f"points have the shape {points.shape}; expected (68, 2) or (5, 2)")
    eyes, between_eyes = (left_eye + right_eye) / 2, right_eye - left_eye
    down = mouth - eyes
    # The mean of the eyes' direction and of the mouth's, turned by a quarter.
    across = between_eyes + np.array([down[1], -down[0]])
    length = float(np.hypot(*across))
    if not length > 0:
        raise DataError("eyes and mouth lie in one place; expected facial landmarks")
    half = max(_EYE_SCALE * np.hypot(*between_eyes), _MOUTH_SCALE * np.hypot(*down))
    x = across / length * half
    y = np.array([-x[1], x[0]])
    centre = eyes + _EYE_TO_CENTRE * down
    return np.stack([centre - x - y, centre + x - y, centre - x + y])


def quad_transform(quad: Quad, side: int) -> Transform:
    """Where `sample_quad` puts the points of an image."""
    return inverse(np.column_stack([(quad[1] - quad[0]) / side, (quad[2] - quad[0]) / side, quad[0]]))


def sample_quad(image: NDArray[np.uint8], quad: Quad, side: int) -> tuple[NDArray[np.uint8], float]:
    """Cut an oriented square out of an image.

    Args:
        image: uint8 [H, W, 3].
        quad: The square in pixels of the image; it may reach outside.
        side: Side of the output in pixels.

    Returns:
        uint8 [side, side, 3], and the fraction of its pixels whose centres lie outside the image.
    """
    padded, offset = _pad(image, quad)
    corner, across, down = quad[0], (quad[1] - quad[0]) / side, (quad[2] - quad[0]) / side
    grid = np.arange(side) + 0.5
    places = corner + grid[None, :, None] * across + grid[:, None, None] * down
    outside = (places < 0).any(axis=-1) | (places > [image.shape[1], image.shape[0]]).any(axis=-1)

    # Where the image is finer than the output, sample finer too and average, so that no pixel is skipped.
    finer = int(np.clip(np.ceil(np.hypot(*across)), 1, _MAX_OVERSAMPLING))
    a, b = across / finer, down / finer
    start = corner + offset
    sampled = Image.fromarray(padded).transform(
        (side * finer, side * finer),
        Image.Transform.AFFINE,
        (a[0], b[0], start[0], a[1], b[1], start[1]),
        Image.Resampling.BILINEAR,
    )
    if finer > 1:
        sampled = sampled.resize((side, side), Image.Resampling.BOX)
    return np.asarray(sampled, dtype=np.uint8), float(outside.mean())


def _pad(image: NDArray[np.uint8], quad: Quad) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The image, extended where the square leaves it, and where its origin is now (x, y).

    The extension is the image's reflection, which turns into a blur and then into the median colour with distance.
    """
    corners = np.vstack([quad, quad[1] + quad[2] - quad[0]])
    size = float(np.hypot(*(quad[1] - quad[0])))
    height, width = image.shape[:2]
    border = max(round(size * 0.1), 3)
    low = np.floor(corners.min(axis=0)).astype(int) - border
    high = np.ceil(corners.max(axis=0)).astype(int) + border
    # Only the part around the square counts for reflection, blur and median, as in the recipe.
    left, top = max(low[0], 0), max(low[1], 0)
    right, bottom = min(high[0], width), min(high[1], height)
    pads = np.maximum([-low[0], -low[1], high[0] - width, high[1] - height], 0)
    if right - left < 1 or bottom - top < 1:
        left, top, right, bottom = 0, 0, width, height
    part = image[top:bottom, left:right]
    if pads.max() > border:
        pads = np.maximum(pads, max(1, round(size * _MIN_PADDING)))
        extended = _reflected(part, pads, size * _BLUR)
    else:
        extended = np.pad(part, ((pads[1], pads[3]), (pads[0], pads[2]), (0, 0)), mode="edge")
    return extended, np.array([pads[0] - left, pads[1] - top], dtype=np.float64)


def _reflected(part: NDArray[np.uint8], pads: NDArray[np.int64], sigma: float) -> NDArray[np.uint8]:
    """Extend an image by its reflection, blurred and faded by depth.

    Args:
        part: uint8 [H, W, 3].
        pads: int64 [4] pixels to add left, top, right and bottom.
        sigma: Standard deviation of the blur in pixels.
    """
    from scipy.ndimage import gaussian_filter

    mode = "reflect" if min(part.shape[:2]) > 1 else "edge"
    around = ((pads[1], pads[3]), (pads[0], pads[2]), (0, 0))
    wide: NDArray[np.float32] = np.pad(part.astype(np.float32), around, mode=mode)  # type: ignore[call-overload]
    height, width = wide.shape[:2]
    # Depth: 0 at the image's edge, 1 at the far edge of the extension, negative inside the image.
    x, y = np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    depth_x = 1 - np.minimum(x / pads[0], x[::-1] / pads[2])
    depth_y = 1 - np.minimum(y / pads[1], y[::-1] / pads[3])
    depth = np.maximum(depth_x[None, :], depth_y[:, None])[..., None]
    blurred = gaussian_filter(wide, (sigma, sigma, 0))
    wide += (blurred - wide) * np.clip(3 * depth + 1, 0, 1)
    wide += (np.median(wide, axis=(0, 1)) - wide) * np.clip(depth, 0, 1)
    return np.clip(np.rint(wide), 0, 255).astype(np.uint8)
