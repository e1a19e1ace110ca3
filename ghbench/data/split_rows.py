"""Rows of a dataset whose splits follow one another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

Rows = NDArray[np.int64]


def consecutive_splits(counts: Mapping[str, int]) -> Mapping[str, Rows]:
    """Row indices by split, the first split first."""
    ends = np.cumsum([0, *counts.values()]).tolist()
    return {split: np.arange(start, end) for split, (start, end) in zip(counts, pairwise(ends), strict=True)}


def by_split(splits: Mapping[str, Rows], rows: ArrayLike) -> Iterator[tuple[str, Rows, Rows]]:
    """Rows sorted into consecutive splits; costs as much as there are rows asked for.

    Args:
        splits: Row indices by split, consecutive.
        rows: int [M].

    Yields:
        Each split that has some of them, where in `rows` they are, and their numbers in the split.
    """
    asked = np.asarray(rows, dtype=np.int64)
    for split, places in splits.items():
        here = np.flatnonzero((asked >= places[0]) & (asked <= places[-1]))
        if len(here):
            yield split, here, asked[here] - places[0]
