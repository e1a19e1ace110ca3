"""Average precision of a ranking, with weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_CHUNK = 4_000_000  # numbers at once


def average_precision(
    positive: NDArray[np.bool_], scores: NDArray[np.float64], sample_weight: NDArray[np.float64] | None = None
) -> float:
    """Precision at each threshold, weighted by the recall that it adds; equal scores share a threshold.

    The definition of scikit-learn's `average_precision_score`.

    Args:
        positive: bool [N].
        scores: float64 [N], higher for what should be positive.
        sample_weight: float64 [N], None for all ones.

    Returns:
        0 to 1; NaN without a positive.
    """
    weight = np.ones(len(scores)) if sample_weight is None else sample_weight
    return float(average_precisions(positive, scores, weight[None])[0])


def average_precisions(
    positive: NDArray[np.bool_], scores: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """`average_precision` with each of several weights.

    Args:
        positive: bool [N].
        scores: float64 [N].
        weights: float64 [B, N].

    Returns:
        float64 [B]; NaN without a positive.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, hit = scores[order], positive[order]
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    found = np.empty(len(weights))
    step = max(1, _CHUNK // len(scores))
    for start in range(0, len(weights), step):
        mass = weights[start : start + step, order]
        true, seen = (np.cumsum(part, axis=1)[:, last] for part in (mass * hit, mass))
        precision = np.divide(true, seen, out=np.zeros_like(true), where=seen > 0)
        with np.errstate(invalid="ignore"):
            found[start : start + step] = (np.diff(true, axis=1, prepend=0) * precision).sum(axis=1) / true[:, -1]
    return found
