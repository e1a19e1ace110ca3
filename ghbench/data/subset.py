"""Some rows of a dataset; its content digest differs, so nothing is mistaken for the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ghbench.dataset import Dataset, DatasetCard, Drawn, Target, targets_of
from ghbench.errors import UsageError
from ghbench.progress import Progress


class Subset:
    """Some rows of another dataset, in the order given; satisfies `ghbench.dataset.Dataset`.

    Args:
        whole: The other dataset.
        rows: int [M] rows of it, each once.

    Raises:
        UsageError: A row that is not there, or that is given twice.
    """

    def __init__(self, whole: Dataset, rows: ArrayLike) -> None:
        chosen = np.asarray(rows, dtype=np.int64).reshape(-1)
        if len(np.unique(chosen)) != len(chosen) or not np.isin(chosen, np.arange(len(whole))).all():
            raise UsageError(f"rows of {whole.card().name!r}: expected each once, from 0 to {len(whole) - 1}")
        self.whole, self.rows = whole, chosen
        self.ids: Sequence[str] = self._of(whole.ids)
        self.splits: Mapping[str, NDArray[np.int64]] = {
            name: np.flatnonzero(np.isin(chosen, of_split)) for name, of_split in whole.splits.items()
        }
        self.recipe_digest = whole.recipe_digest

    @cached_property
    def targets(self) -> Mapping[str, Target]:
        """What is known of the rows."""
        return targets_of(self.whole, self.rows)

    def targets_of(self, rows: NDArray[np.int64]) -> Mapping[str, Target]:
        """What is known of some of the rows, see `ghbench.dataset.PartlyKnown`."""
        return targets_of(self.whole, self.rows[rows])

    def card(self) -> DatasetCard:
        """Licence, citation and source of the whole."""
        return self.whole.card()

    def __len__(self) -> int:
        return len(self.rows)

    def image(self, row: int) -> NDArray[np.uint8]:
        """Decode one image: uint8 [H, W, 3] RGB."""
        return self.whole.image(int(self.rows[row]))

    def identities(self) -> Sequence[str]:
        """What identifies each row's image."""
        return self._of(self.whole.identities())

    def image_digests(self) -> Sequence[str]:
        """Digest of each row's decoded pixels."""
        return self._of(self.whole.image_digests())

    def draw(self, rows: Sequence[int], progress: Progress) -> None:
        """Draw images of the whole, see `ghbench.dataset.Drawn`; nothing to do where it is not drawn."""
        if isinstance(self.whole, Drawn):
            self.whole.draw(self.rows[np.asarray(rows, dtype=np.int64)].tolist(), progress)

    def _of(self, values: Sequence[str]) -> tuple[str, ...]:
        return tuple(values[row] for row in self.rows.tolist())


def first_rows(dataset: Dataset, count: int) -> Subset:
    """The first `count` rows of a dataset, all where it has fewer."""
    return Subset(dataset, np.arange(min(count, len(dataset))))
