"""Puts an edited face back into its photograph, at the photograph's own resolution."""

from __future__ import annotations

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
    aligned, weights = face.transpose(1, 2, 0), _fading(face.shape[1])
    # Like `Transform`, Pillow means corners of pixels, and it asks for the way from the result to the source.
    ways = tuple(float(number) for number in transform.ravel())
    placed = [
        np.asarray(
            Image.fromarray(layer).transform((width, height), Image.Transform.AFFINE, ways, Image.Resampling.BICUBIC),
            dtype=np.float32,
        )
        for layer in (np.ascontiguousarray(aligned), weights)
    ]
    share = placed[1][:, :, None] / 255
    return np.rint(photo + (placed[0] - photo) * share).clip(0, 255).astype(np.uint8)


def _fading(side: int) -> NDArray[np.uint8]:
    """Weights [side, side], 0 at the edge and 255 inside."""
    depth = np.minimum(np.arange(side), np.arange(side)[::-1]) / (FADE * side)
    ramp = 0.5 - 0.5 * np.cos(np.pi * np.clip(depth, 0, 1))
    return np.rint(255 * ramp[:, None] * ramp[None, :]).astype(np.uint8)
