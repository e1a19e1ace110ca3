"""Ridge regression for every strength from one decomposition, in float64."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import DataError

Features = NDArray[np.floating[Any]]
_ROWS = 8_192  # centred at once


@dataclass(frozen=True, eq=False)
class RidgePath:
    """The minimisers of |y - (x - mean) w - b|^2 + strength * |w|^2, for all strengths (Hoerl and Kennard 1970).

    Args:
        mean: float64 [D], the mean of the features; zeros without an intercept.
        offset: float64 [T], the mean of the targets; zeros without an intercept.
        axes: float64 [D, R], principal axes of the centred features.
        variances: float64 [R], eigenvalues of their scatter matrix.
        projections: float64 [R, T], the targets' products with the features along the axes.
    """

    mean: NDArray[np.float64]
    offset: NDArray[np.float64]
    axes: NDArray[np.float64]
    variances: NDArray[np.float64]
    projections: NDArray[np.float64]

    def weights(self, strength: float) -> NDArray[np.float64]:
        """The coefficients [D, T] at a strength."""
        return self.axes @ self._inner(strength)

    def predict(self, features: Features, strengths: Sequence[float]) -> NDArray[np.float64]:
        """Predictions at some strengths, the features projected once.

        Args:
            features: [N, D].
            strengths: S of them.

        Returns:
            float64 [S, N, T].
        """
        along = (features - self.mean) @ self.axes
        return np.stack([along @ self._inner(strength) for strength in strengths]) + self.offset

    def _inner(self, strength: float) -> NDArray[np.float64]:
        return self.projections / (self.variances + strength)[:, None]


def fit_ridge(features: Features, targets: Features, *, intercept: bool = True) -> RidgePath:
    """Decompose the smaller of the scatter and the Gram matrix of the features.

    Args:
        features: [N, D].
        targets: [N, T].
        intercept: Whether features and targets are centred first, which is an intercept that is not penalised.

    Raises:
        DataError: Other numbers of rows, none, or a number that is not finite.
    """
    rows, width = features.shape
    if rows != len(targets) or targets.ndim != 2 or rows < 1:
        raise DataError(f"ridge regression of targets {targets.shape} on features {features.shape}")
    mean = features.mean(axis=0, dtype=np.float64) if intercept else np.zeros(width)
    offset = targets.mean(axis=0, dtype=np.float64) if intercept else np.zeros(targets.shape[1])
    if not (np.isfinite(mean).all() and np.isfinite(offset).all()):
        raise DataError("ridge regression of numbers that are not finite")
    if rows < width:
        centred = features - mean
        variances, vectors = np.linalg.eigh(centred @ centred.T)
        kept = variances > variances[-1] * rows * np.finfo(np.float64).eps
        variances, vectors = variances[kept], vectors[:, kept]
        axes = centred.T @ (vectors / np.sqrt(variances))
        return RidgePath(mean, offset, axes, variances, np.sqrt(variances)[:, None] * (vectors.T @ (targets - offset)))
    scatter, products = np.zeros((width, width)), np.zeros((width, targets.shape[1]))
    for start in range(0, rows, _ROWS):
        part = features[start : start + _ROWS] - mean
        scatter += part.T @ part
        products += part.T @ (targets[start : start + _ROWS] - offset)
    variances, axes = np.linalg.eigh(scatter)
    kept = variances > max(variances[-1], 0) * width * np.finfo(np.float64).eps
    return RidgePath(mean, offset, axes[:, kept], variances[kept], axes[:, kept].T @ products)


@dataclass(frozen=True, slots=True)
class RidgeChoice:
    """The strength that does best on validation rows.

    Args:
        strength: The best one; of equally good ones the strongest.
        errors: Mean squared error on the validation rows at each strength.
        at_edge: Whether it is the weakest or the strongest of those tried.
    """

    strength: float
    errors: tuple[float, ...]
    at_edge: bool


def choose_strength(path: RidgePath, features: Features, targets: Features, strengths: Sequence[float]) -> RidgeChoice:
    """Choose a strength on rows that the path was not fitted on.

    Args:
        path: Fitted on training rows.
        features: Validation rows [N, D].
        targets: Their targets [N, T].
        strengths: Those to try.

    Raises:
        DataError: A number is not finite.
    """
    tried = sorted(strengths, reverse=True)
    errors = [float(np.square(one - targets).mean()) for one in path.predict(features, tried)]
    if not np.isfinite(errors).all():
        raise DataError("validation rows are not finite")
    found = dict(zip(tried, errors, strict=True))
    best = min(tried, key=lambda strength: found[strength])
    return RidgeChoice(best, tuple(found[strength] for strength in strengths), best in {tried[0], tried[-1]})
