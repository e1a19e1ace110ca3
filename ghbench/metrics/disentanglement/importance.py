"""DCI (Eastwood and Williams 2018): disentanglement, completeness and informativeness, from what predictors look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.extras import require

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

    return _dci(lambda: GradientBoostingClassifier(random_state=seed), codes, factors, test_codes, test_factors)


def dci_lgbm(
    codes: NDArray[np.floating[Any]], factors: Integers, test_codes: NDArray[np.floating[Any]], test_factors: Integers,
    seed: int = 0,
) -> Dci:  # fmt: skip
    """The same by LightGBM's trees of the same number, depth and rate, which take a fraction of the time.

    Its trees look for splits in histograms, and importances are gains of the whole model, not means over trees: scores
    differ by some hundredths from those of `dci_boosted`. Compare each with its own kind.

    Raises:
        MissingError: LightGBM is not installed.
    """
    make = partial(
        require("lightgbm", "trees").LGBMClassifier, n_estimators=100, max_depth=3, num_leaves=8, learning_rate=0.1,
        min_child_samples=5, importance_type="gain", random_state=seed, verbose=-1,
        # One thread and one way through the columns: the same trees on every run.
        n_jobs=1, deterministic=True, force_col_wise=True,
    )  # fmt: skip
    return _dci(make, codes, factors, test_codes, test_factors)


def _dci(
    make: Callable[[], Any], codes: NDArray[np.floating[Any]], factors: Integers,
    test_codes: NDArray[np.floating[Any]], test_factors: Integers,
) -> Dci:  # fmt: skip
    importance, right = [], []
    for j in range(factors.shape[1]):
        model = make().fit(codes, factors[:, j])
        weights = np.abs(np.asarray(model.feature_importances_, np.float64))
        importance.append(weights / weights.sum() if weights.sum() > 0 else weights)
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
