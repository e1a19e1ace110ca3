"""What an alignment is: a named, versioned step that brings an image to the size an extractor declares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ghbench.imaging.resize import resize_step
from ghbench.imaging.transforms import Transform


@dataclass(frozen=True, slots=True)
class Prepared:
    """An image ready for an extractor.

    Args:
        image: uint8 [3, H, W] RGB.
        transform: float64 [2, 3], from coordinates of the original to those of `image`, see `transforms`.
        fallback: No face was detected; the fixed fallback box stood in for it.
        padded: Fraction of its pixels that lie outside the original.
        faces: How many faces were detected, of which one was chosen; None where none is looked for.
    """

    image: NDArray[np.uint8]
    transform: Transform
    fallback: bool = False
    padded: float = 0.0
    faces: int | None = None


class Alignment(Protocol):
    """A way to place an image's content in the frame."""

    @property
    def name(self) -> str:
        """What `--align`, keys and results call it."""
        ...

    @property
    def version(self) -> int:
        """Grows whenever the same image may come out differently."""
        ...

    @property
    def weights_digest(self) -> str:
        """Digest of the model files that it uses, "" if none."""
        ...

    def apply(self, image: NDArray[np.uint8], size: tuple[int, int], resize: str = "crop-bilinear") -> Prepared:
        """Align one image.

        Args:
            image: uint8 [H, W, 3] RGB.
            size: Height and width of the result.
            resize: Name of the resize step.

        Returns:
            The image at that size, channels first, and how it came about.
        """
        ...


@dataclass(frozen=True, slots=True)
class Unaligned:
    """`none`: the image as it is, resized; no face is looked for."""

    name: str = "none"
    version: int = 1
    weights_digest: str = ""

    def apply(self, image: NDArray[np.uint8], size: tuple[int, int], resize: str = "crop-bilinear") -> Prepared:
        """Resize one image, see `Alignment.apply`."""
        step = resize_step(resize)
        return Prepared(channels_first(step.apply(image, size)), step.transform(image.shape, size))


def channels_first(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 [H, W, 3] as a contiguous [3, H, W]."""
    return np.ascontiguousarray(image.transpose(2, 0, 1))
