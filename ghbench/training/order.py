"""The order of training images: a pure function of the seed and the images shown, so that resuming keeps it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


def rows_at(items: int, first: int, count: int, seed: int) -> NDArray[np.int64]:
    """Rows of the training set at positions `first` to `first + count - 1` of an endless sequence of shuffled epochs.

    Args:
        items: Rows of the training set, at least 1.
        first: Images shown so far.
        count: Number of rows.
        seed: Seed of the run; each epoch has its own permutation.

    Returns:
        int64 [count].
    """
    parts = []
    while count > 0:
        epoch, offset = divmod(first, items)
        part = _epoch(items, seed, epoch)[offset : offset + count]
        parts.append(part)
        first, count = first + len(part), count - len(part)
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)


@lru_cache(maxsize=2)
def _epoch(items: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Order of one epoch, cached because each step needs only a few rows."""
    order = np.random.default_rng([seed, epoch]).permutation(items)
    order.flags.writeable = False
    return order


def step_seed(seed: int, step: int, rank: int = 0) -> int:
    """Seed of all randomness in one step of one process."""
    return int(np.random.SeedSequence([seed, step, rank]).generate_state(1, np.uint64)[0] >> 1)
