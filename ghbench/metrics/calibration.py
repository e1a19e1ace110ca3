"""How far stated probabilities are from how often they are right."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 15


def calibration_error(
    confidence: NDArray[np.float64], right: NDArray[Any], weight: NDArray[np.float64] | None = None, bins: int = BINS
) -> float:
    """Expected calibration error: mean gap between confidence and accuracy over bins of equal width.

    Source: Guo et al. 2017, "On Calibration of Modern Neural Networks", equation 3; bins are open on the left.

    Args:
        confidence: [N] probability of the predicted class.
        right: bool [N] whether it is the true one.
        weight: float64 [N], None for all ones.
        bins: Number of bins.
    """
    weight = np.ones(len(confidence)) if weight is None else weight
    place = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    gaps = np.bincount(place, weights=weight * (confidence - right), minlength=bins)
    return float(np.abs(gaps).sum() / weight.sum())
