"""Named resize steps. All are antialiased: every input pixel counts, however small the output.

crop-bilinear    the largest centred crop of the declared aspect ratio, then a triangle filter
crop-bicubic     the same crop, then a cubic filter
squash-bilinear  the whole image, its aspect ratio not kept

The steps that published models bring along are named by their numbers:

crop-FILTER, squash-FILTER     as above, with another filter: nearest, box, hamming, lanczos
shortest-N-FILTER              the shorter side becomes N pixels, then a centred crop
squash-HxW-FILTER              H by W pixels, then a centred crop

The last two work in whole pixels, as torchvision does. Where the crop leaves an odd number of pixels, half of it is
rounded to the nearest even number, as in torchvision; `-floor` at the end of a name rounds down, as transformers does.

At the edge of a crop the filter reaches over it to the image's own next pixels, and stops at the image's edge.
"""

from __future__ import annotations

import difflib
import re
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


@dataclass(frozen=True, slots=True)
class ResizeThenCrop:
    """A resize to whole pixels and a centred crop, as a published model's own preprocessing does it.

    Args:
        name: What specs, keys and results call it.
        version: Grows whenever the same image may come out differently.
        target: Length of the shorter side, or height and width, in pixels before the crop.
        filter: Pillow's filter.
        floor: Whether half a pixel of the crop's offset is rounded down, not to the nearest even number.
    """

    name: str
    version: int
    target: int | tuple[int, int]
    filter: Image.Resampling
    floor: bool

    def apply(self, image: NDArray[np.uint8], size: tuple[int, int], box: Box | None = None) -> NDArray[np.uint8]:
        """Resize an image, or the part of it inside a box, see `Resize.apply`.

        Raises:
            UsageError: The crop is larger than what it is cut from.
        """
        part, (height, width), (left, top) = self._geometry(image.shape[:2], size, box)
        resized = Image.fromarray(image).resize((width, height), self.filter, box=part)
        return np.asarray(resized, dtype=np.uint8)[top : top + size[0], left : left + size[1]]

    def transform(self, shape: tuple[int, ...], size: tuple[int, int], box: Box | None = None) -> Transform:
        """Where `apply` puts the points of an image, see `Resize.transform`."""
        part, (height, width), (left, top) = self._geometry(shape, size, box)
        x, y = width / (part[2] - part[0]), height / (part[3] - part[1])
        return scaling(x, y, part[0] + left / x, part[1] + top / y)

    def _geometry(
        self, shape: tuple[int, ...], size: tuple[int, int], box: Box | None
    ) -> tuple[Box, tuple[int, int], tuple[int, int]]:
        """The part, its height and width after the resize, and left and top of the crop."""
        part = box if box is not None else (0.0, 0.0, float(shape[1]), float(shape[0]))
        across, down = part[2] - part[0], part[3] - part[1]
        if isinstance(self.target, tuple):
            height, width = self.target
        elif across <= down:
            height, width = int(self.target * down / across), self.target
        else:
            height, width = self.target, int(self.target * across / down)
        if height < size[0] or width < size[1]:
            raise UsageError(f"resize step {self.name!r} gives {height}x{width} pixels, too few for a crop to {size}")
        half = int if self.floor else round
        return part, (height, width), (half((width - size[1]) / 2), half((height - size[0]) / 2))


FILTERS = {entry.name.lower(): entry for entry in Image.Resampling}
_NUMBERED = re.compile(r"(?:shortest-(\d{1,5})|squash-(\d{1,5})x(\d{1,5}))-([a-z]+?)(-floor)?")

RESIZES = {
    step.name: step
    for step in (
        Resize("crop-bilinear", 1, crops=True, filter=Image.Resampling.BILINEAR),
        Resize("crop-bicubic", 1, crops=True, filter=Image.Resampling.BICUBIC),
        Resize("squash-bilinear", 1, crops=False, filter=Image.Resampling.BILINEAR),
    )
}


def resize_step(name: str) -> Resize | ResizeThenCrop:
    """The resize step of that name.

    Raises:
        UsageError: There is none; the message names the nearest one.
    """
    if name in RESIZES:
        return RESIZES[name]
    kind, _, kernel = name.partition("-")
    if kind in {"crop", "squash"} and kernel in FILTERS:
        return Resize(name, 1, crops=kind == "crop", filter=FILTERS[kernel])
    found = _NUMBERED.fullmatch(name)
    if found and found[4] in FILTERS and all(int(side) > 0 for side in found.group(1, 2, 3) if side):
        target = int(found[1]) if found[1] else (int(found[2]), int(found[3]))
        return ResizeThenCrop(name, 1, target, FILTERS[found[4]], floor=found[5] is not None)
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
