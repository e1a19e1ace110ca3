"""How much better a factor's best code is than its second best: SAP; how well all codes tell it: explicitness."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import DataError

Floats = NDArray[np.float64]
Integers = NDArray[np.integer[Any]]
LEAST = 1e-12
"""Variances up to this count as none."""


def sap_continuous(codes: NDArray[np.floating[Any]], factors: NDArray[Any]) -> float:
    """Separated attribute predictability (Kumar et al. 2018) of continuous factors: gaps of squared correlations.

    Args:
        codes: [N, d].
        factors: [N, K], numbers.
    """
    return _gap(squared_correlations(codes, factors))


def sap_discrete(
    codes: NDArray[np.floating[Any]], factors: Integers, test_codes: NDArray[np.floating[Any]], test_factors: Integers,
    seed: int = 0,
) -> float:  # fmt: skip
    """The same for classes: gaps of the test accuracies of a linear support vector machine on each code alone.

    One line cannot cut out the inner ones of several ordered classes: a perfect code of ten values scores well below 1.

    Args:
        codes: [N, d].
        factors: [N, K], classes.
        test_codes: [M, d].
        test_factors: [M, K].
        seed: Seed of the machine.
    """
    return _gap(linear_accuracies(codes, factors, test_codes, test_factors, seed))


def squared_correlations(codes: NDArray[np.floating[Any]], factors: NDArray[Any]) -> Floats:
    """Squared correlations [d, K]; 0 where either never varies."""
    one, other = (np.asarray(table, np.float64) - np.mean(table, axis=0) for table in (codes, factors))
    shared = np.square(one.T @ other / (len(one) - 1))
    spreads = np.outer(one.var(axis=0, ddof=1), other.var(axis=0, ddof=1))
    varies = np.outer(one.var(axis=0) > LEAST, other.var(axis=0) > LEAST)
    return np.asarray(np.divide(shared, spreads, out=np.zeros_like(shared), where=varies))


def linear_accuracies(
    codes: NDArray[np.floating[Any]], factors: Integers, test_codes: NDArray[np.floating[Any]], test_factors: Integers,
    seed: int = 0,
) -> Floats:  # fmt: skip
    """Test accuracy [d, K] of a balanced linear support vector machine (C = .01) on each code alone."""
    from sklearn.svm import LinearSVC

    found = np.zeros((codes.shape[1], factors.shape[1]))
    for i in range(codes.shape[1]):
        for j in range(factors.shape[1]):
            machine = LinearSVC(C=0.01, class_weight="balanced", random_state=seed)
            machine.fit(codes[:, i : i + 1], factors[:, j])
            found[i, j] = (machine.predict(test_codes[:, i : i + 1]) == test_factors[:, j]).mean()
    return found


def explicitness(
    codes: NDArray[np.floating[Any]], factors: Integers, test_codes: NDArray[np.floating[Any]], test_factors: Integers
) -> float:
    """Area under the ROC curve of a logistic regression on all codes, mean over classes and factors (on the test rows).

    Source: Ridgeway and Mozer 2018, without their change of scale: guessing scores .5.

    Raises:
        DataError: A factor has one class, or shares none with the test rows; those that they lack are left out.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score

    mean, spread = codes.mean(axis=0), codes.std(axis=0)
    known, judged = ((table - mean) / np.where(spread > 0, spread, 1.0) for table in (codes, test_codes))
    scores = []
    for j in range(factors.shape[1]):
        classes, truth = np.unique(factors[:, j]), test_factors[:, j]
        shared = [place for place, name in enumerate(classes) if 0 < (truth == name).sum() < len(truth)]
        if len(classes) < 2 or not shared:
            raise DataError(f"factor {j} has only one class, or none that both training and test rows have")
        chance = LogisticRegression(max_iter=1000).fit(known, factors[:, j]).predict_proba(judged)
        scores.append(np.mean([roc_auc_score(truth == classes[place], chance[:, place]) for place in shared]))
    return float(np.mean(scores))


def _gap(matrix: Floats) -> float:
    """Mean over factors of the largest less the second largest of [d, K]."""
    ordered = np.sort(matrix, axis=0)
    second = ordered[-2] if len(ordered) > 1 else np.zeros_like(ordered[-1])
    return float((ordered[-1] - second).mean())
