"""How much better a factor's best code is than its second best: SAP; how well all codes tell it: explicitness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import DataError
from ghbench.probes.logistic import fit_logistic

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
    return Explicit.fit(codes, factors).area(test_codes, test_factors)


@dataclass(frozen=True)
class Explicit:
    """What explicitness learns: a logistic regression a factor, on standardised codes.

    Args:
        mean: Of the codes [d].
        spread: Their standard deviations [d], 1 where they never vary.
        models: One a factor.
    """

    mean: Floats
    spread: Floats
    models: tuple[Logistic, ...]

    @classmethod
    def fit(cls, codes: NDArray[np.floating[Any]], factors: Integers) -> Explicit:
        """Learn from codes [N, d] and classes [N, K].

        Raises:
            DataError: A factor has one class.
        """
        mean, spread = codes.mean(axis=0), codes.std(axis=0)
        spread = np.where(spread > 0, spread, 1.0)
        for j, column in enumerate(factors.T):
            if column.min() == column.max():
                raise DataError(f"factor {j} has only one class")
        return cls(mean, spread, tuple(Logistic.fit((codes - mean) / spread, column) for column in factors.T))

    def area(self, codes: NDArray[np.floating[Any]], factors: Integers) -> float:
        """Mean area over classes and factors, judged on codes [M, d] and classes [M, K].

        Raises:
            DataError: A factor shares no class with what was learned from.
        """
        judged, scores = (codes - self.mean) / self.spread, []
        for j, model in enumerate(self.models):
            truth = factors[:, j, None] == model.classes
            shared = truth.any(axis=0) & ~truth.all(axis=0)
            if not shared.any():
                raise DataError(f"factor {j} has only one class, or none, that both training and test rows have")
            scores.append(areas(model.probabilities(judged)[:, shared], truth[:, shared]).mean())
        return float(np.mean(scores))


@dataclass(frozen=True)
class Logistic:
    """Multinomial logistic regression at scikit-learn's default strength, C = 1.

    Args:
        classes: Those that were seen [C], rising.
        weights: [d, C].
        bias: [C].
    """

    classes: NDArray[np.integer[Any]]
    weights: Floats
    bias: Floats

    @classmethod
    def fit(cls, features: Floats, classes: NDArray[np.integer[Any]]) -> Logistic:
        """Learn from features [N, d] and classes [N], two or more."""
        names, numbers = np.unique(classes, return_inverse=True)
        path = fit_logistic(features.astype(np.float32), numbers.astype(np.int64), len(names), [1 / len(features)])
        return cls(names, path.weights[0].astype(np.float64), path.bias[0].astype(np.float64))

    def probabilities(self, features: Floats) -> Floats:
        """[M, d] to [M, C]."""
        from scipy.special import softmax

        return np.asarray(softmax(features @ self.weights + self.bias, axis=1))


def areas(scores: Floats, truth: NDArray[np.bool_]) -> Floats:
    """Area under the ROC curve of each column of scores [N, C], of equal scores by halves (the rank statistic)."""
    from scipy.stats import rankdata

    right = truth.sum(axis=0)
    ranks = (rankdata(scores, axis=0) * truth).sum(axis=0) - right * (right + 1) / 2
    return np.asarray(ranks / (right * (len(truth) - right)))


def _gap(matrix: Floats) -> float:
    """Mean over factors of the largest less the second largest of [d, K]."""
    ordered = np.sort(matrix, axis=0)
    second = ordered[-2] if len(ordered) > 1 else np.zeros_like(ordered[-1])
    return float((ordered[-1] - second).mean())
