"""What an alignment is: a named, versioned step that brings a picture to the size an extractor declares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ghbench.imaging.resize import resize_step


@dataclass(frozen=True, slots=True)
class Prepared:
    """A picture ready for an extractor.

    Args:
        image: uint8 [3, H, W] RGB.
        fallback: No face was detected; the fixed fallback box stood in for it.
        invented: Fraction of the output's pixels that lie outside the picture.
    """

    image: NDArray[np.uint8]
    fallback: bool = False
    invented: float = 0.0


class Alignment(Protocol):
    """A way to place a picture's content in the frame."""

    @property
    def name(self) -> str:
        """What `--align`, keys and results call it."""
        ...

    @property
    def version(self) -> int:
        """Grows whenever the same picture may come out differently."""
        ...

    @property
    def weights_digest(self) -> str:
        """Digest of the model files that it uses, "" if none."""
        ...

    def apply(self, image: NDArray[np.uint8], size: tuple[int, int], resize: str = "crop-bilinear") -> Prepared:
        """Align one picture.

        Args:
            image: uint8 [H, W, 3] RGB.
            size: Height and width of the result.
            resize: Name of the resize step.

        Returns:
            The picture at that size, channels first.
        """
        ...


@dataclass(frozen=True, slots=True)
class Unaligned:
    """`none`: the picture as it is, resized; no face is looked for."""

    name: str = "none"
    version: int = 1
    weights_digest: str = ""

    def apply(self, image: NDArray[np.uint8], size: tuple[int, int], resize: str = "crop-bilinear") -> Prepared:
        """Resize one picture, see `Alignment.apply`."""
        return Prepared(channels_first(resize_step(resize).apply(image, size)))


def channels_first(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 [H, W, 3] as a contiguous [3, H, W]."""
    return np.ascontiguousarray(image.transpose(2, 0, 1))
