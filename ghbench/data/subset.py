"""The first rows of a dataset, for quick looks; its content digest differs, so nothing is mistaken for the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from ghbench.dataset import Dataset, DatasetCard


class FirstRows:
    """The first `count` rows of another dataset; satisfies `ghbench.dataset.Dataset`."""

    def __init__(self, whole: Dataset, count: int) -> None:
        self._whole = whole
        self._count = min(count, len(whole))
        self.ids: Sequence[str] = whole.ids[: self._count]
        self.labels: NDArray[np.int64] | None = None if whole.labels is None else whole.labels[: self._count]
        self.label_names = whole.label_names
        self.splits: Mapping[str, NDArray[np.int64]] = {
            name: rows[rows < self._count] for name, rows in whole.splits.items()
        }
        self.recipe_digest = whole.recipe_digest

    def card(self) -> DatasetCard:
        """Licence, citation and source of the whole."""
        return self._whole.card()

    def __len__(self) -> int:
        return self._count

    def image(self, row: int) -> NDArray[np.uint8]:
        """Decode one image: uint8 [H, W, 3] RGB."""
        return self._whole.image(row)

    def image_digests(self) -> Sequence[str]:
        """Digest of each row's decoded pixels."""
        return self._whole.image_digests()[: self._count]
