"""Harmonisation without a network: colour transfer, gradients, and a blurred seam."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.extras import require

Image = NDArray[np.uint8]
"""uint8 [3, R, R]."""
Region = NDArray[np.bool_]
"""bool [R, R]."""

# Reinhard et al. 2001, equations 4 and 6: RGB to LMS, and the logarithm of LMS to l-alpha-beta.
_LMS = np.array([[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]])
_AXES = np.diag(1 / np.sqrt([3.0, 6.0, 2.0])) @ np.array([[1, 1, 1], [1, 1, -2], [1, -1, 0]])
_SMALLEST = 1 / 255
_SHRUNK = 4  # pixels by which a mask is made larger before OpenCV makes it three smaller
BLUR = 0.02
"""Standard deviation of the blur, as a share of the side; the seam is blurred twice as far on each side."""


def reinhard(image: Image, inside: Region) -> Image:
    """Give the region the mean and standard deviation of its surroundings, in l-alpha-beta.

    The surroundings are a ring of half the region's radius: what else the image shows has other colours.

    Source: Reinhard, Ashikhmin, Gooch and Shirley, "Color Transfer between Images", IEEE CG&A 21 (2001).
    """
    values = np.maximum(image.reshape(3, -1) / 255.0, _SMALLEST)
    axes = _AXES @ np.log10(_LMS @ values)
    region = inside.ravel()
    ours, theirs = axes[:, region], axes[:, surroundings(inside).ravel()]
    scale = theirs.std(axis=1, keepdims=True) / np.maximum(ours.std(axis=1, keepdims=True), 1e-6)
    axes[:, region] = (ours - ours.mean(axis=1, keepdims=True)) * scale + theirs.mean(axis=1, keepdims=True)
    back = np.linalg.inv(_LMS) @ 10 ** (np.linalg.inv(_AXES) @ axes)
    made = np.clip(np.round(back * 255), 0, 255).astype(np.uint8).reshape(image.shape)
    return np.where(inside, made, image)


def surroundings(inside: Region) -> Region:
    """The ring around a region, as wide as half the radius of a disc of its area."""
    from scipy.ndimage import distance_transform_edt

    ring: Region = ~inside & (distance_transform_edt(~inside) <= np.sqrt(inside.sum() / np.pi) / 2)
    return ring


def poisson(image: Image, inside: Region) -> Image:
    """Keep the region's gradients, take its border from the surroundings: OpenCV's `seamlessClone`.

    Source: Perez, Gangnet and Blake, "Poisson Image Editing", SIGGRAPH 2003.

    Raises:
        MissingError: OpenCV is not here.
    """
    from scipy.ndimage import binary_dilation, distance_transform_edt

    cv2: Any = require("cv2", "faces")
    # The region is continued outwards, so that the step at its edge is no gradient that would be kept.
    down, along = distance_transform_edt(~inside, return_distances=False, return_indices=True)
    continued = image[:, down, along]
    # The function shrinks its mask by three pixels; its bounding box is laid about the middle.
    mask = binary_dilation(inside, np.ones((3, 3), np.bool_), iterations=_SHRUNK)
    mask[[0, -1]] = mask[:, [0, -1]] = False
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    centre = int(columns[0] + len(columns) // 2), int(rows[0] + len(rows) // 2)
    source, target = (np.ascontiguousarray(one.transpose(1, 2, 0)) for one in (continued, image))
    made = cv2.seamlessClone(source, target, mask.astype(np.uint8) * 255, centre, cv2.NORMAL_CLONE)
    return np.where(inside, np.asarray(made, dtype=np.uint8).transpose(2, 0, 1), image)


def blurred_seam(image: Image, inside: Region) -> Image:
    """Blur the image where the region's edge is near."""
    from scipy.ndimage import binary_dilation, gaussian_filter

    sigma = max(0.5, BLUR * len(inside))
    reach = max(1, round(2 * sigma))
    near = binary_dilation(inside, iterations=reach) & binary_dilation(~inside, iterations=reach)
    blurred = gaussian_filter(image.astype(np.float64), (0, sigma, sigma))
    return np.where(near, np.round(blurred), image).astype(np.uint8)


def seam_step(image: Image, inside: Region) -> float:
    """Mean absolute difference, in [-1, 1] units, of neighbouring pixels of which one is in the region."""
    values = image.astype(np.float64) / 127.5
    steps = []
    for axis in (0, 1):
        crossing = np.diff(inside.astype(np.int8), axis=axis) != 0
        steps.append(np.abs(np.diff(values, axis=axis + 1))[:, crossing].ravel())
    return float(np.concatenate(steps).mean())
