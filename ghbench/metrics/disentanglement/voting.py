"""Metrics that fix one factor and ask which: the scores of BetaVAE and FactorVAE, without a call of the encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.metrics.disentanglement.separation import Logistic

Floats = NDArray[np.float64]
Integers = NDArray[np.integer[Any]]
PRUNED = 0.05
"""Codes of a smaller standard deviation take no part in FactorVAE's votes."""


@dataclass(frozen=True)
class Votes:
    """FactorVAE's votes.

    Args:
        factor: The fixed factor of each vote [V].
        code: The code that varied least, relative to its variance over all items [V]; -1 where none is active.
    """

    factor: NDArray[np.int64]
    code: NDArray[np.int64]


class Groups:
    """Draws rows of a table that agree in one factor.

    Args:
        factors: Numbers of classes [N, K].
    """

    def __init__(self, factors: Integers) -> None:
        self.factors = factors
        # Halves of the usual width: what is drawn is a million numbers.
        self._order = [np.argsort(column, kind="stable").astype(np.int32) for column in factors.T]
        self._counts = [np.bincount(column) for column in factors.T]
        self._starts = [(counts.cumsum() - counts).astype(np.int32) for counts in self._counts]

    def draw(self, rng: np.random.Generator, fixed: NDArray[np.int64], size: int) -> NDArray[np.int32]:
        """Rows [V, size] that agree in the factor [V] that is fixed in each draw; its value is that of a random row."""
        chosen = rng.integers(len(self.factors), size=len(fixed))
        places = rng.random((len(fixed), size))
        found = np.empty(places.shape, np.int32)
        for factor, order in enumerate(self._order):
            mine = np.flatnonzero(fixed == factor)
            value = self.factors[chosen[mine], factor]
            drawn = (places[mine] * self._counts[factor][value, None]).astype(np.int32)
            drawn += self._starts[factor][value, None]
            found[mine] = order[drawn]
        return found


def factor_vae(
    codes: NDArray[np.floating[Any]], factors: Integers, *, seed: int = 0, batch: int = 64, train: int = 10_000,
    test: int = 5_000,
) -> float:  # fmt: skip
    """FactorVAE's score (Kim and Mnih 2018): accuracy of guessing the fixed factor from the code that varies least.

    Args:
        codes: [N, d].
        factors: Numbers of classes [N, K].
        seed: Seed of the draws.
        batch: Items of a vote.
        train: Votes from which each code's factor is learned.
        test: Votes on which it is judged.

    Returns:
        Accuracy; 0 if no code varies.
    """
    rng = np.random.default_rng(seed)
    fixed = rng.integers(factors.shape[1], size=train + test)
    rows = Groups(factors).draw(rng, fixed, batch)
    votes = least_varying(codes, rows, fixed, codes.var(axis=0, ddof=1))
    return vote_accuracy(votes, train, codes.shape[1], factors.shape[1])[1]


def least_varying(
    codes: NDArray[np.floating[Any]], rows: Integers, fixed: NDArray[np.int64], variances: Floats
) -> Votes:
    """Which active code varies least among the rows [V, B] of each vote, relative to its variance over all [d]."""
    from scipy.sparse import csr_array

    active = np.flatnonzero(np.sqrt(variances) >= PRUNED)
    if not len(active):
        return Votes(fixed, np.full(len(fixed), -1))
    table = np.asarray(codes, np.float64)[:, active]
    table = (table - table.mean(axis=0)) / np.sqrt(variances[active])
    # Sums of all votes by one product with a matrix that counts rows; codes of unit scale lose no digits in it.
    starts = np.arange(0, rows.size + 1, rows.shape[1], dtype=rows.dtype)
    chosen = csr_array((np.ones(rows.size), rows.reshape(-1), starts), shape=(len(rows), len(table)))
    sums, squares = np.split(chosen @ np.hstack([table, np.square(table)]), 2, axis=1)
    return Votes(fixed, active[(squares - np.square(sums) / rows.shape[1]).argmin(axis=1)])


def vote_accuracy(votes: Votes, train: int, codes: int, factors: int) -> tuple[float, float]:
    """Accuracy on the first `train` votes and on the rest, each code standing for the factor it got most votes for."""
    if (votes.code < 0).all():
        return 0.0, 0.0
    cell = votes.code * factors + votes.factor
    tables = [np.bincount(part, minlength=codes * factors).reshape(codes, factors) for part in np.split(cell, [train])]
    stands = tables[0].argmax(axis=1)
    right = [table[np.arange(codes), stands].sum() / table.sum() for table in tables]
    return float(right[0]), float(right[1])


def beta_vae(
    codes: NDArray[np.floating[Any]], factors: Integers, *, seed: int = 0, batch: int = 64, train: int = 10_000,
    test: int = 5_000,
) -> float:  # fmt: skip
    """BetaVAE's score (Higgins et al. 2017): which factor is shared, by logistic regression on mean code differences.

    It depends on the scale of codes, and a linear model solves it for rotated codes of few factors.

    Args:
        codes: [N, d].
        factors: Numbers of classes [N, K].
        seed: Seed of the draws.
        batch: Pairs of a point.
        train: Points that teach.
        test: Points that are judged.

    Returns:
        Test accuracy.
    """
    rng = np.random.default_rng(seed)
    fixed = rng.integers(factors.shape[1], size=train + test)
    groups, points = Groups(factors), np.zeros((train + test, codes.shape[1]))
    table = np.asarray(codes, np.float64)
    for _ in range(batch):  # the value that is shared differs from pair to pair
        one, other = (np.take(table, rows, axis=0) for rows in groups.draw(rng, fixed, 2).T)
        one -= other
        points += np.abs(one, out=one)
    return shared_accuracy(points[:train] / batch, fixed[:train], points[train:] / batch, fixed[train:])[1]


def shared_accuracy(
    points: Floats, fixed: NDArray[np.int64], test_points: Floats, test_fixed: NDArray[np.int64]
) -> tuple[float, float]:
    """Training and test accuracy of logistic regression at scikit-learn's default strength."""
    model = Logistic.fit(points, fixed)
    known, judged = (
        float((model.probabilities(part).argmax(axis=1) == np.searchsorted(model.classes, truth)).mean())
        for part, truth in ((points, fixed), (test_points, test_fixed))
    )
    return known, judged
