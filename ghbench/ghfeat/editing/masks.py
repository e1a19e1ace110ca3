"""Masks of edits, from boxes and images, with an edge that fades inwards."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ghbench.errors import UsageError
from ghbench.files import user_path
from ghbench.imaging import decode, resize_step

Mask = NDArray[np.float32]
"""float32 [R, R] in [0, 1], in the frame of the aligned image: 1 for the full edit, 0 for none."""

FEATHER = 0.06
"""Default width of the fading edge, as a share of the image's side."""


def read_mask(text: str, size: int) -> Mask:
    """A mask from a box or an image.

    Args:
        text: `x0,y0,x1,y1` as shares of width and height from the upper left corner, or the path of an image whose
            white pixels are inside. Transparent pixels are outside. An image of zeros and ones is a mask too.
        size: Side of the mask in pixels.

    Raises:
        UsageError: Neither, a box outside the image, or a mask that is empty or has nothing near white.
        DataError: The image cannot be decoded.
    """
    path = user_path(text)
    if path.is_file():
        pixels = decode(path, background="black")
        if pixels.max() == 1:  # zeros and ones, as arrays are often saved
            pixels = pixels * np.uint8(255)
        elif 0 < (brightest := pixels.mean(axis=2).max()) < 128:
            raise UsageError(
                f"the brightest pixel of the mask {text} is {brightest:.0f} of 255, neither inside nor outside",
                fix="paint white where the edit applies; black or transparent pixels are outside",
            )
        squashed = resize_step("squash-bilinear").apply(pixels, (size, size))
        mask: Mask = squashed.mean(axis=2, dtype=np.float32) / np.float32(255)
    else:
        mask = box_mask(_box(text), size)
    if not mask.any():
        raise UsageError(
            f"the mask {text} covers no pixel of {size} x {size}",
            fix="paint white where the edit applies, or enlarge it",
        )
    return mask


def box_mask(box: tuple[float, float, float, float], size: int) -> Mask:
    """The mask [size, size] of a box of shares: left, top, right, bottom; a pixel is inside if its centre is."""
    centres = (np.arange(size) + 0.5) / size
    left, top, right, bottom = box
    columns, rows = (centres > left) & (centres < right), (centres > top) & (centres < bottom)
    return (rows[:, None] & columns[None, :]).astype(np.float32)


def feather(mask: Mask, width: float = FEATHER) -> Mask:
    """Fade a mask's edge inwards, so that 0 stays 0.

    Args:
        mask: float32 [R, R].
        width: Width of the edge, as a share of R; limited so that the innermost pixel stays 1. The image's border is
            not an edge.
    """
    if width <= 0 or mask.all():
        return mask
    from scipy.ndimage import distance_transform_edt

    distance = np.asarray(distance_transform_edt(mask > 0), dtype=np.float32)
    reach = min(width * len(mask), float(distance.max()))
    ramp: Mask = mask * np.clip(distance / np.float32(max(reach, 1.0)), 0, 1)
    return ramp


def at_resolution(mask: Mask, side: int) -> Tensor:
    """Resize a mask [R, R] to [1, 1, side, side]: average over squares for smaller sides, interpolate for larger."""
    whole = torch.from_numpy(mask)[None, None]
    if side > len(mask):
        return functional.interpolate(whole, (side, side), mode="bilinear")
    return functional.adaptive_avg_pool2d(whole, side)


def _box(text: str) -> tuple[float, float, float, float]:
    fix = "for instance --mask 0.2,0.3,0.8,0.6: left, top, right and bottom as shares, or the path of an image"
    try:
        left, top, right, bottom = (float(part) for part in text.split(","))
    except ValueError as error:
        raise UsageError(f"{text!r} is neither a box nor a file", fix=fix) from error
    if not (0 <= left < right <= 1 and 0 <= top < bottom <= 1):
        raise UsageError(f"the box {text} is not inside the image", fix=fix)
    return left, top, right, bottom
