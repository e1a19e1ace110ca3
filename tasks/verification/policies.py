"""How several levels become one similarity. What is learned is learned on the nine other folds, never on the tenth."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from ghbench.metrics.verification import Floats, balanced_accuracy, best_threshold


def vote(levels: Floats) -> Floats:
    """The largest similarity over levels, taken literally (GH-Feat's voting).

    Args:
        levels: float64 [L, N] similarity of each pair at each level.

    Returns:
        float64 [N].
    """
    largest: Floats = levels.max(axis=0)
    return largest


def fold_calibrated(policy: str, levels: Floats, same: NDArray[np.bool_], fold: NDArray[np.int64]) -> Floats:
    """Combine levels anew for each fold, with what the other folds teach.

    Args:
        policy: `vote-z`, `fuse` or `best`.
        levels: float64 [L, N].
        same: bool [N].
        fold: int64 [N] in 0..K-1.

    Returns:
        float64 [K, N]; row k used nothing of fold k.
    """
    combine = _POLICIES[policy]
    return np.stack([combine(levels, same, fold != k) for k in range(int(fold.max()) + 1)])


def _z_norm(levels: Floats, same: NDArray[np.bool_], training: NDArray[np.bool_]) -> Floats:
    """Similarities in deviations from the mean of the training impostors, level by level (z-norm)."""
    impostors = levels[:, training & ~same]
    deviation = impostors.std(axis=1, keepdims=True)
    scaled: Floats = (levels - impostors.mean(axis=1, keepdims=True)) / np.where(deviation > 0, deviation, 1.0)
    return scaled


def _vote_z(levels: Floats, same: NDArray[np.bool_], training: NDArray[np.bool_]) -> Floats:
    return vote(_z_norm(levels, same, training))


def _best(levels: Floats, same: NDArray[np.bool_], training: NDArray[np.bool_]) -> Floats:
    scaled = _z_norm(levels, same, training)
    rates = []
    for similarity in scaled[:, training]:
        order = np.argsort(-similarity, kind="stable")
        threshold = best_threshold(similarity[order], same[training][order])
        rates.append(balanced_accuracy(similarity > threshold, same[training]))
    best: Floats = scaled[int(np.argmax(rates))]
    return best


def _fuse(levels: Floats, same: NDArray[np.bool_], training: NDArray[np.bool_]) -> Floats:
    from sklearn.linear_model import LogisticRegression

    scaled = _z_norm(levels, same, training).T
    model = LogisticRegression(C=1.0, class_weight="balanced", max_iter=1000)
    model.fit(scaled[training], same[training])
    fused: Floats = model.decision_function(scaled)
    return fused


_POLICIES: Mapping[str, Callable[[Floats, NDArray[np.bool_], NDArray[np.bool_]], Floats]] = {
    "vote-z": _vote_z,
    "fuse": _fuse,
    "best": _best,
}
LEARNING_POLICIES = frozenset(_POLICIES)
