"""A classifier for a handful of labelled rows, without anything to tune."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.probes.logistic import fit_logistic


def classify_by_few(
    features: NDArray[np.floating[Any]], classes: NDArray[np.int64], count: int, queries: NDArray[np.floating[Any]]
) -> NDArray[np.int64]:
    """Logistic regression with L2 strength 1 / N, scikit-learn's default.

    Source: Tian et al. 2020, "Rethinking Few-Shot Image Classification: a Good Embedding Is All You Need?", section 3.

    Args:
        features: [N, D], of unit length.
        classes: int64 [N], 0 to `count` - 1.
        count: Number of classes.
        queries: [M, D], of unit length.

    Returns:
        Predicted classes int64 [M].
    """
    path = fit_logistic(features, classes, count, [1 / len(classes)])
    logits = path.logits(queries, 0)
    seen = np.zeros(count, bool)
    seen[classes] = True
    predicted: NDArray[np.int64] = np.where(seen, logits, -np.inf).argmax(axis=1)
    return predicted
