"""Puts an edited face back into its photograph, at the photograph's own resolution."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ghbench.imaging.transforms import Transform

FADE = 0.15
"""Width of the fading edge, as a share of the face's side."""


def paste_back(photo: NDArray[np.uint8], face: NDArray[np.uint8], transform: Transform) -> NDArray[np.uint8]:
    """Blend a face into the photograph that it was cut from.

    Args:
        photo: uint8 [H, W, 3].
        face: uint8 [3, S, S], aligned.
        transform: float64 [2, 3], from coordinates of the photograph to those of the aligned image of S x S.

    Returns:
        uint8 [H, W, 3]; outside the aligned square exactly the photograph.
    """
    height, width = photo.shape[:2]
    # A face with more pixels than its place is made smaller first: the transform looks at few of them.
    side = min(face.shape[1], math.ceil(face.shape[1] / np.hypot(*transform[:, 0])))
    # Like `Transform`, Pillow means corners of pixels, and it asks for the way from the result to the source.
    ways = tuple((transform * side / face.shape[1]).ravel().tolist())
    *colours, share = (
        np.asarray(
            Image.fromarray(np.ascontiguousarray(layer, np.float32))
            .resize((side, side), Image.Resampling.BICUBIC)
            .transform((width, height), Image.Transform.AFFINE, ways, Image.Resampling.BICUBIC)
        )
        for layer in (*face, _fading(face.shape[1]))
    )
    placed = photo + (np.stack(colours, axis=2) - photo) * share.clip(0, 1)[:, :, None]
    pasted: NDArray[np.uint8] = np.rint(placed).clip(0, 255).astype(np.uint8)
    return pasted


def _fading(side: int) -> NDArray[np.float64]:
    """Weights [side, side], 0 at the edge and 1 inside."""
    depth = np.minimum(np.arange(side), np.arange(side)[::-1]) / (FADE * side)
    ramp: NDArray[np.float64] = 0.5 - 0.5 * np.cos(np.pi * np.clip(depth, 0, 1))
    return ramp[:, None] * ramp[None, :]
