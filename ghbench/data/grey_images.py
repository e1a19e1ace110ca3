"""Datasets of small grey images that lie in memory as one array: what Fashion-MNIST and MNIST have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ghbench.dataset import DatasetCard, Target
from ghbench.errors import DataError
from ghbench.imaging import pixel_digest


class GreyImages:
    """Grey images of one size in a fixed order; satisfies `ghbench.dataset.Dataset`.

    Args:
        card: Licence, citation and source.
        ids: One a row.
        pixels: uint8 [N, H, W].
        labels: Integers [N] that index `label_names`.
        label_names: Names of the labels.
        splits: Rows by split name.

    Raises:
        DataError: Lengths that differ, or labels without a name.
    """

    recipe_digest: str | None = None

    def __init__(
        self,
        card: DatasetCard,
        ids: Sequence[str],
        pixels: NDArray[np.uint8],
        labels: NDArray[np.integer],
        label_names: Sequence[str],
        splits: Mapping[str, NDArray[np.int64]],
    ) -> None:
        if not len(ids) == len(pixels) == len(labels):
            raise DataError(
                f"dataset {card.name!r} has {len(pixels)} images, {len(labels)} labels and {len(ids)} ids; "
                "expected as many of each"
            )
        self._card = card
        self._pixels = pixels.view()
        self._pixels.flags.writeable = False
        self.ids: Sequence[str] = tuple(ids)
        label = Target("label", labels.astype(np.int64), "class", tuple(label_names))
        self.targets: Mapping[str, Target] = {"label": label}
        self.splits: Mapping[str, NDArray[np.int64]] = splits
        self._digests: tuple[str, ...] | None = None

    def card(self) -> DatasetCard:
        """Licence, citation and source."""
        return self._card

    def __len__(self) -> int:
        return len(self.ids)

    def pixels(self) -> NDArray[np.uint8]:
        """All images at once: uint8 [N, H, W], read-only; `pixels()[splits["train"]]` is one split."""
        return self._pixels

    def image(self, row: int) -> NDArray[np.uint8]:
        """One image, grey replicated: uint8 [H, W, 3] RGB."""
        return _replicated(self._pixels[row])

    def identities(self) -> Sequence[str]:
        """Pixel digest of each row."""
        return self.image_digests()

    def image_digests(self) -> Sequence[str]:
        """Pixel digest of each row, as of the same image read from a file."""
        if self._digests is None:
            self._digests = grey_digests(self._pixels)
        return self._digests


def grey_digests(pixels: NDArray[np.uint8]) -> tuple[str, ...]:
    """Pixel digest of each image as RGB.

    Args:
        pixels: uint8 [N, H, W].

    Returns:
        N hexadecimal sha256.
    """
    return tuple(pixel_digest(_replicated(image)) for image in pixels)


def _replicated(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(image[:, :, None], 3, axis=2)
