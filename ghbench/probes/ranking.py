"""Rankings of rows by similarity, and how early rows of the same class stand in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.probes.knn import scores_of
from ghbench.progress import Progress, silent


@dataclass(frozen=True, eq=False)
class Ranked:
    """How early relevant rows stand in each query's ranking.

    Args:
        queries: int64 [Q], rows that have another one of their class.
        precision: float64 [Q], average precision.
        precision_at_r: float64 [Q], the same over the first R ranks, divided by R, R being the relevant rows.
        first: int64 [Q], rank of the first relevant row, 1 for the most similar one.
    """

    queries: NDArray[np.int64]
    precision: NDArray[np.float64]
    precision_at_r: NDArray[np.float64]
    first: NDArray[np.int64]


def rank_relevant(
    features: NDArray[np.floating[Any]], classes: NDArray[np.int64], kind: str = "cosine", report: Progress = silent
) -> Ranked:
    """Rank all other rows for each row; rows of its class are relevant. Exact.

    Equally similar rows stand in one random order, the same for all: rows are often sorted by class, which would make a
    tie of all rows look like a good ranking.

    Args:
        features: [N, D].
        classes: int64 [N].
        kind: `cosine`, or `l2` for the negated Euclidean distance.
        report: Called with rows done and all.
    """
    count = len(features)
    _, place_of, sizes = np.unique(classes, return_inverse=True, return_counts=True)
    others = sizes[place_of] - 1
    precision, precision_at_r, first = np.zeros(count), np.zeros(count), np.zeros(count, np.int64)
    shuffled = np.random.default_rng(0).permutation(count)
    own_place = np.argsort(shuffled)
    for block, found in scores_of(features, features[shuffled], kind):
        own = np.arange(block.start, block.start + len(found))
        found[np.arange(len(found)), own_place[own]] = -np.inf  # itself, the last one then
        order = shuffled[np.argsort(-found, axis=1, kind="stable")[:, :-1]]
        for place, row in enumerate(own):
            ranks = 1 + np.flatnonzero(classes[order[place]] == classes[row])
            if len(ranks):
                shares = np.arange(1, len(ranks) + 1) / ranks
                precision[row], first[row] = shares.mean(), ranks[0]
                precision_at_r[row] = shares[ranks <= len(ranks)].sum() / len(ranks)
        report(int(own[-1]) + 1, count, "ranking")
    queries = np.flatnonzero(others > 0)
    return Ranked(queries, precision[queries], precision_at_r[queries], first[queries])
