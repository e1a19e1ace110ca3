"""Named resize steps. All are antialiased: every input pixel counts, however small the output.

crop-bilinear    the largest centred crop of the declared aspect ratio, then a triangle filter
crop-bicubic     the same crop, then a cubic filter
squash-bilinear  the whole image, its aspect ratio not kept

At the edge of a crop the filter reaches over it to the image's own next pixels, and stops at the image's edge.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ghbench.errors import UsageError
from ghbench.imaging.transforms import Transform, scaling

Box = tuple[float, float, float, float]
"""Left, top, right and bottom in pixels; pixel i covers the interval from i to i + 1."""


@dataclass(frozen=True, slots=True)
class Resize:
    """A named resize step.

    Args:
        name: What specs, keys and results call it.
        version: Grows whenever the same image may come out differently.
        crops: Whether the aspect ratio is kept by cropping.
        filter: Pillow's filter.
    """

    name: str
    version: int
    crops: bool
    filter: Image.Resampling

    def apply(self, image: NDArray[np.uint8], size: tuple[int, int], box: Box | None = None) -> NDArray[np.uint8]:
        """Resize an image, or the part of it inside a box.

        Args:
            image: uint8 [H, W, 3].
            size: Height and width of the output.
            box: The part to resize; None for the whole image.

        Returns:
            uint8 [size[0], size[1], 3].
        """
        part = self._part(image.shape[:2], size, box)
        resized = Image.fromarray(image).resize((size[1], size[0]), self.filter, box=part)
        return np.asarray(resized, dtype=np.uint8)

    def transform(self, shape: tuple[int, ...], size: tuple[int, int], box: Box | None = None) -> Transform:
        """Where `apply` puts the points of an image.

        Args:
            shape: Height and width of the image.
            size: Height and width of the output.
            box: The part to resize; None for the whole image.
        """
        left, top, right, bottom = self._part(shape, size, box)
        return scaling(size[1] / (right - left), size[0] / (bottom - top), left, top)

    def _part(self, shape: tuple[int, ...], size: tuple[int, int], box: Box | None) -> Box:
        whole = box if box is not None else (0.0, 0.0, float(shape[1]), float(shape[0]))
        return centred_crop(whole, size[0] / size[1]) if self.crops else whole


RESIZES = {
    step.name: step
    for step in (
        Resize("crop-bilinear", 1, crops=True, filter=Image.Resampling.BILINEAR),
        Resize("crop-bicubic", 1, crops=True, filter=Image.Resampling.BICUBIC),
        Resize("squash-bilinear", 1, crops=False, filter=Image.Resampling.BILINEAR),
    )
}


def resize_step(name: str) -> Resize:
    """The resize step of that name.

    Raises:
        UsageError: There is none; the message names the nearest one.
    """
    if name in RESIZES:
        return RESIZES[name]
    near = difflib.get_close_matches(name, RESIZES, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise UsageError(f"no resize step is called {name!r}{hint} Known: {', '.join(RESIZES)}")


def centred_crop(box: Box, aspect: float) -> Box:
    """The largest box of an aspect ratio inside `box`, with the same centre.

    Args:
        box: The box to crop.
        aspect: Height divided by width of the result.

    Returns:
        The crop, in the coordinates of `box`.
    """
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    crop_width = min(width, height / aspect)
    crop_height = min(height, width * aspect)
    x, y = left + (width - crop_width) / 2, top + (height - crop_height) / 2
    # Rounding must not push the crop over the edge by a billionth of a pixel: Pillow refuses such boxes.
    return x, y, min(x + crop_width, right), min(y + crop_height, bottom)
