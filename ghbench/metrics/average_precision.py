"""Average precision of a ranking, with weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


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
    order = np.argsort(-scores, kind="stable")
    ranked, hits, mass = scores[order], weight[order] * positive[order], weight[order]
    last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    true, seen = np.cumsum(hits)[last], np.cumsum(mass)[last]
    if not true[-1] > 0:
        return float("nan")
    precision = np.divide(true, seen, out=np.zeros_like(true), where=seen > 0)
    return float((np.diff(true, prepend=0) * precision).sum() / true[-1])
