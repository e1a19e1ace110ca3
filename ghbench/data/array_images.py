"""Images that lie in memory as one array: what a network has just drawn, or the corpus of a test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ghbench.dataset import DatasetCard, Target
from ghbench.errors import DataError
from ghbench.extractor import Domain
from ghbench.imaging import pixel_digest


class ArrayImages:
    """An array of images; satisfies `ghbench.dataset.Dataset`.

    Args:
        images: uint8 [N, C, H, W], C being 1 (grey, replicated to three channels) or 3.
        name: Of the dataset.
        ids: One a row; by default row numbers.
        domain: Where the images come from.

    Raises:
        DataError: No images, or an array of another shape or dtype.
    """

    recipe_digest: str | None = None

    def __init__(
        self, images: NDArray[np.uint8], name: str, ids: Sequence[str] | None = None, domain: Domain = "not stated"
    ) -> None:
        if images.ndim != 4 or images.shape[1] not in {1, 3} or images.dtype != np.uint8 or not len(images):
            raise DataError(f"got images {images.dtype} {images.shape}; expected uint8 [N, C, H, W] with C 1 or 3")
        self.images, self._name, self._domain = images, name, domain
        self.ids: Sequence[str] = tuple(ids) if ids is not None else tuple(f"{row:06d}" for row in range(len(images)))
        self.targets: Mapping[str, Target] = {}
        self.splits: Mapping[str, NDArray[np.int64]] = {}

    def card(self) -> DatasetCard:
        """Nothing is known but the name."""
        return DatasetCard(
            name=self._name, title=self._name, licence="not stated", citation="", source="an array in memory",
            named=False, domain=self._domain,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.images)

    def image(self, row: int) -> NDArray[np.uint8]:
        """One image: uint8 [H, W, 3] RGB."""
        image = self.images[row].transpose(1, 2, 0)
        return np.ascontiguousarray(np.broadcast_to(image, (*image.shape[:2], 3)))

    def image_digests(self) -> Sequence[str]:
        """Pixel digest of each row."""
        return self._digests

    def identities(self) -> Sequence[str]:
        """Pixel digest of each row."""
        return self._digests

    @cached_property
    def _digests(self) -> tuple[str, ...]:
        return tuple(pixel_digest(self.image(row)) for row in range(len(self)))
