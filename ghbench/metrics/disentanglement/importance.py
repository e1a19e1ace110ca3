"""DCI (Eastwood and Williams 2018): disentanglement, completeness and informativeness, from what predictors look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.integer[Any]]
TINY = 1e-11


@dataclass(frozen=True)
class Dci:
    """The three scores.

    Args:
        disentanglement: Whether each code is about one factor.
        completeness: Whether each factor is in one code.
        informativeness: Test accuracy, mean over factors.
        importance: [d, K].
    """

    disentanglement: float
    completeness: float
    informativeness: float
    importance: Floats


def dci_boosted(
    codes: NDArray[np.floating[Any]], factors: Integers, test_codes: NDArray[np.floating[Any]], test_factors: Integers,
    seed: int = 0,
) -> Dci:  # fmt: skip
    """DCI by scikit-learn's gradient-boosted trees with its defaults, one model a factor; minutes for 10,000 rows.

    Args:
        codes: [N, d].
        factors: Classes [N, K].
        test_codes: [M, d].
        test_factors: [M, K].
        seed: Seed of the trees.
    """
    from sklearn.ensemble import GradientBoostingClassifier

    importance, right = [], []
    for j in range(factors.shape[1]):
        model = GradientBoostingClassifier(random_state=seed).fit(codes, factors[:, j])
        importance.append(np.abs(model.feature_importances_))
        right.append(float((model.predict(test_codes) == test_factors[:, j]).mean()))
    table = np.stack(importance, axis=1)
    return Dci(disentanglement(table), completeness(table), float(np.mean(right)), table)


def disentanglement(importance: Floats) -> float:
    """1 less the entropy of each code's importance over factors, in units of log K; codes weigh by their importance."""
    return _certainty(importance)


def completeness(importance: Floats) -> float:
    """1 less the entropy of each factor's importance over codes, in units of log d; factors weigh by theirs."""
    return _certainty(importance.T)


def _certainty(table: Floats) -> float:
    total = table.sum()
    if total == 0:
        return 0.0
    if table.shape[1] < 2:
        return 1.0  # one thing to be about
    raised = table + TINY
    share = raised / raised.sum(axis=1, keepdims=True)
    certain = 1 + (share * np.log(share)).sum(axis=1) / np.log(table.shape[1])
    return float((certain * table.sum(axis=1)).sum() / total)
