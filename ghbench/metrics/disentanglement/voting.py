"""Metrics that fix one factor and ask which: the scores of BetaVAE and FactorVAE, without a call of the encoder."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
        self._order = [np.argsort(column, kind="stable") for column in factors.T]
        self._groups = [np.unique(column, return_inverse=True)[1] for column in factors.T]
        self._starts, self._counts = [], []
        for column, order in zip(factors.T, self._order, strict=True):
            _, first, counts = np.unique(column[order], return_index=True, return_counts=True)
            self._starts.append(first)
            self._counts.append(counts)

    def draw(self, rng: np.random.Generator, fixed: NDArray[np.int64], size: int) -> NDArray[np.int64]:
        """Rows [V, size] that agree in the factor [V] that is fixed in each draw; its value is that of a random row."""
        chosen = rng.integers(len(self.factors), size=len(fixed))
        places = rng.random((len(fixed), size))
        found = np.empty(places.shape, np.int64)
        for factor, order in enumerate(self._order):
            mine = np.flatnonzero(fixed == factor)
            if not len(mine):
                continue
            group = self._groups[factor][chosen[mine]]
            start, count = self._starts[factor][group], self._counts[factor][group]
            found[mine] = order[start[:, None] + (places[mine] * count[:, None]).astype(np.int64)]
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
    codes: NDArray[np.floating[Any]], rows: NDArray[np.int64], fixed: NDArray[np.int64], variances: Floats,
    part: int = 2_000,
) -> Votes:  # fmt: skip
    """Which active code varies least among the rows [V, B] of each vote, relative to its variance over all [d]."""
    active = np.flatnonzero(np.sqrt(variances) >= PRUNED)
    if not len(active):
        return Votes(fixed, np.full(len(fixed), -1))
    table = np.asarray(codes, np.float64)[:, active]
    found = [
        active[(table[some].var(axis=1, ddof=1) / variances[active]).argmin(axis=1)]
        for some in np.array_split(rows, max(1, len(rows) // part))
    ]
    return Votes(fixed, np.concatenate(found))


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
    for _ in range(batch):  # the value that is shared differs from pair to pair
        rows = groups.draw(rng, fixed, 2)
        points += np.abs(codes[rows[:, 0]].astype(np.float64) - codes[rows[:, 1]])
    return shared_accuracy(points[:train] / batch, fixed[:train], points[train:] / batch, fixed[train:])[1]


def shared_accuracy(
    points: Floats, fixed: NDArray[np.int64], test_points: Floats, test_fixed: NDArray[np.int64]
) -> tuple[float, float]:
    """Training and test accuracy of scikit-learn's logistic regression with its defaults."""
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(max_iter=1000).fit(points, fixed)
    return float(model.score(points, fixed)), float(model.score(test_points, test_fixed))
