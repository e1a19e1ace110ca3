"""Verification of pairs: similarities, thresholds chosen on other folds, ROC, AUC, EER and TAR at FAR.

A larger similarity always means "more alike"; a pair is accepted when its similarity is **above** the threshold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import DataError

Floats = NDArray[np.float64]
COUPLES_A_FAR_NEEDS = 10
"""Couples of people, FAR times all of them, below which a false accept rate is decided by a handful of people."""
_CHUNK_NUMBERS = 16_000_000
_BITS_OF_DISTANCE = 36


@dataclass(frozen=True, slots=True)
class FoldDecisions:
    """Out-of-fold decisions.

    Args:
        accepted: bool [N], whether the pair is called "same" with the threshold of the other folds.
        thresholds: float64 [K], the threshold applied to each fold.
    """

    accepted: NDArray[np.bool_]
    thresholds: Floats


@dataclass(frozen=True, slots=True)
class Roc:
    """Receiver operating characteristic, from the strictest threshold to the laxest.

    Args:
        far: float64 [T], weighted fraction of impostor pairs accepted, starting with 0.
        tar: float64 [T], weighted fraction of genuine pairs accepted, starting with 0.
        thresholds: float64 [T], a pair is accepted when its similarity is at least this; the first is +inf.
    """

    far: Floats
    tar: Floats
    thresholds: Floats


def pair_similarity(
    features: NDArray[np.floating[Any]],
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    kind: str = "cosine",
) -> Floats:
    """Similarity of pairs of feature rows, computed in float64 so that a large common part costs no digits.

    Both kinds come from distances between rows less their common mean, of unit vectors for the cosine:
    cos(u, v) = (|u|^2 + |v|^2 - |u - v|^2) / 2. What all rows share cancels before it is squared.

    Args:
        features: [M, D].
        left: int64 [N] row of each pair's first member.
        right: int64 [N] row of each pair's second member.
        kind: `cosine`, or `l2` for the negated Euclidean distance.

    Returns:
        float64 [N]. A zero vector has cosine 0 with everything.

    Raises:
        ValueError: An unknown kind.
    """
    if kind not in {"cosine", "l2"}:
        raise ValueError(f"similarity must be cosine or l2, not {kind!r}")
    if not len(left):
        return np.empty(0)
    rows, inverse = np.unique(np.concatenate([left, right]), return_inverse=True)
    first, second = inverse[: len(left)], inverse[len(left) :]
    vectors = features[rows].astype(np.float64, copy=False)  # our own copy, changed in place below
    lengths = np.zeros(len(rows))
    if kind == "cosine":
        norms = np.linalg.norm(vectors, axis=1, keepdims=True)
        np.divide(vectors, norms, out=vectors, where=norms > 0)
        lengths = (norms[:, 0] > 0).astype(np.float64)
    vectors -= vectors.mean(axis=0)
    if len(rows) ** 2 <= 4 * len(left):
        # Many pairs over few images: one matrix product beats gathering both sides of every pair.
        products = (vectors @ vectors.T)[first, second]
    else:
        products = _products_by_chunk(vectors, first, second)
    squares = np.einsum("nd,nd->n", vectors, vectors)
    squared = _without_noise(np.maximum(squares[first] + squares[second] - 2 * products, 0.0), squares)
    if kind == "cosine":
        cosine: Floats = np.clip((lengths[first] + lengths[second] - squared) / 2, -1.0, 1.0)
        return cosine
    distance: Floats = np.sqrt(squared)
    return -distance


def _without_noise(squared: Floats, squares: Floats) -> Floats:
    """Squared distances on a grid wider than their rounding errors, so that distances that are equal stay ties.

    The grid follows the usual distance from the mean, so that no single row far away makes it coarse for all.
    """
    usual = float(np.median(squares)) or float(squares.max())
    if usual == 0:
        return squared
    step = 2.0 ** (np.ceil(np.log2(usual)) - _BITS_OF_DISTANCE)
    on_grid: Floats = np.round(squared / step) * step
    return on_grid


def tied_share(similarity: Floats, same: NDArray[np.bool_], weight: Floats | None = None) -> float:
    """Share of comparisons of a matched with a mismatched pair that tie: AUC counts half of them as right.

    Args:
        similarity: float64 [N].
        same: bool [N].
        weight: float64 [N], None for all ones.

    Returns:
        Fraction in 0..1; no threshold separates these, and up to half of it, either way, is what AUC cannot know.
    """
    curve = roc(similarity, same, weight)
    return float(np.sum(np.diff(curve.far) * np.diff(curve.tar)))


def fold_decisions(
    similarity: Floats,
    same: NDArray[np.bool_],
    fold: NDArray[np.int64],
    candidates: Floats | None = None,
) -> FoldDecisions:
    """Decide every pair with the threshold that is best on all other folds (the LFW protocol, View 2).

    The threshold maximises the mean of the matched and the mismatched rate over the pairs of the other folds; of
    several best ones the strictest is taken. Candidates are the mid-points between neighbouring similarities of
    those pairs, found exactly by one sort and cumulative counts. Source: Huang et al., "Labeled Faces in the Wild",
    UMass TR 07-49 (2007), section "Protocols".

    Args:
        similarity: float64 [N], or [K, N] where row k was calibrated without fold k.
        same: bool [N], True for pairs of one person.
        fold: int64 [N] in 0..K-1.
        candidates: float64 [C] thresholds to choose from instead of the exact ones, to reproduce published grids.

    Returns:
        Decisions and the threshold of each fold.

    Raises:
        DataError: A fold's complement lacks matched or mismatched pairs.
    """
    count = int(fold.max()) + 1
    by_fold = np.broadcast_to(similarity, (count, len(same)))
    accepted = np.zeros(len(same), dtype=np.bool_)
    thresholds = np.empty(count)
    order = np.argsort(-by_fold[0], kind="stable")
    for k in range(count):
        if similarity.ndim == 2 and k:
            order = np.argsort(-by_fold[k], kind="stable")
        training = order[fold[order] != k]
        thresholds[k] = best_threshold(by_fold[k][training], same[training], candidates)
        test = fold == k
        accepted[test] = by_fold[k][test] > thresholds[k]
    return FoldDecisions(accepted, thresholds)


def best_threshold(descending: Floats, same: NDArray[np.bool_], candidates: Floats | None = None) -> float:
    """The strictest threshold with the highest balanced accuracy.

    Args:
        descending: float64 [N] similarities, sorted from large to small.
        same: bool [N] in the same order.
        candidates: float64 [C] thresholds to choose from; None: the mid-points, and one beyond either end.

    Returns:
        The threshold; accept above it.

    Raises:
        DataError: There are no matched or no mismatched pairs.
    """
    genuine, impostor = np.cumsum(same, dtype=np.float64), np.cumsum(~same, dtype=np.float64)
    if not len(same) or genuine[-1] == 0 or impostor[-1] == 0:
        raise DataError("a threshold needs both matched and mismatched pairs outside the fold it is applied to")
    # Balanced accuracy after accepting the first n pairs, n = 0..N, up to scale and offset; whole numbers, so that
    # equally good thresholds are exactly equal.
    rates = np.concatenate([[0.0], genuine * impostor[-1] - impostor * genuine[-1]])
    if candidates is not None:
        strict_first = np.sort(candidates)[::-1]
        accepted = np.searchsorted(-descending, -strict_first, side="left")
        return float(strict_first[np.argmax(rates[accepted])])
    middles = np.concatenate([[np.inf], (descending[:-1] + descending[1:]) / 2, [-np.inf]])
    # No threshold separates equal similarities, and a mid-point that rounds onto its upper neighbour would reject it.
    separable = np.concatenate([[True], descending[:-1] > middles[1:-1], [True]])
    return float(middles[np.argmax(np.where(separable, rates, -np.inf))])


def balanced_accuracy(
    accepted: NDArray[Any], same: NDArray[np.bool_], decided: NDArray[Any] | None = None, weight: Floats | None = None
) -> float:
    """Mean of the weighted rate of accepted matched pairs and of rejected mismatched pairs.

    Args:
        accepted: [N] bool, or how often the pair was accepted.
        same: bool [N].
        decided: [N] how often the pair was decided, None for once each.
        weight: float64 [N], None for all ones.

    Returns:
        Fraction in 0..1, NaN where one of the classes has no weight.
    """
    decided = np.ones(len(same)) if decided is None else np.asarray(decided, dtype=np.float64)
    accepted = np.asarray(accepted, dtype=np.float64)
    if weight is not None:
        accepted, decided = accepted * weight, decided * weight
    matched, mismatched = decided[same].sum(), decided[~same].sum()
    if matched == 0 or mismatched == 0:
        return float("nan")
    return float((accepted[same].sum() / matched + 1 - accepted[~same].sum() / mismatched) / 2)


def fold_mean_and_error(accuracies: Floats) -> tuple[float, float]:
    """Mean and standard error over folds, as papers report LFW: standard deviation (N-1) over the root of N.

    The standard error treats folds as independent and people as fixed; people share folds' thresholds, so it is a
    convention, not an interval to compare systems by. Source: LFW TR 07-49, section "Reporting".
    """
    values = accuracies[np.isfinite(accuracies)]
    if len(values) < 2:
        return (float(values.mean()) if len(values) else float("nan")), float("nan")
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


def roc(similarity: Floats, same: NDArray[np.bool_], weight: Floats | None = None) -> Roc:
    """Weighted ROC with one vertex for each distinct similarity.

    Args:
        similarity: float64 [N].
        same: bool [N].
        weight: float64 [N], None for all ones.

    Returns:
        The curve; all NaN where a class has no weight.
    """
    order = np.argsort(-similarity, kind="stable")
    weights = np.ones(len(same)) if weight is None else weight[order]
    genuine = np.cumsum(weights * same[order])
    impostor = np.cumsum(weights * ~same[order])
    values = similarity[order]
    last = np.flatnonzero(np.append(values[1:] != values[:-1], True))
    with np.errstate(invalid="ignore", divide="ignore"):
        far = np.concatenate([[0.0], impostor[last]]) / impostor[-1]
        tar = np.concatenate([[0.0], genuine[last]]) / genuine[-1]
    return Roc(far, tar, np.concatenate([[np.inf], values[last]]))


def auc(curve: Roc) -> float:
    """Area under the ROC curve, ties counted half (trapezoids)."""
    return float(np.trapezoid(curve.tar, curve.far))


def eer(curve: Roc) -> float:
    """Equal error rate: where FAR = 1 - TAR on the ROC curve, interpolated between its vertices."""
    excess = curve.far + curve.tar - 1
    if np.isnan(excess).any():
        return float("nan")
    after = int(np.argmax(excess >= 0))
    rise = excess[after] - excess[after - 1]
    step = -excess[after - 1] / rise
    return float(curve.far[after - 1] + step * (curve.far[after] - curve.far[after - 1]))


def tar_at_far(curve: Roc, far: float) -> float:
    """True accept rate at the laxest threshold whose false accept rate does not exceed `far`; never interpolated.

    See `reportable_fars` for the rates that a sample carries.
    """
    if np.isnan(curve.far).any() or np.isnan(curve.tar).any():
        return float("nan")
    return float(curve.tar[curve.far <= far + 1e-12].max())


def impostor_couples(first: NDArray[np.int64], second: NDArray[np.int64], same: NDArray[np.bool_]) -> int:
    """How many couples of people the mismatched pairs are of, in either order.

    Args:
        first: int64 [N] person of the left image.
        second: int64 [N] person of the right image.
        same: bool [N].
    """
    low, high = np.minimum(first, second)[~same], np.maximum(first, second)[~same]
    return len(np.unique(low * (int(high.max(initial=0)) + 1) + high))


def reportable_fars(fars: Sequence[float], couples: int) -> list[float]:
    """The false accept rates that enough couples of people stand behind: FAR x couples is at least 10.

    The impostor pairs of one couple are accepted together or not at all, more or less, so pairs would promise too much:
    at a FAR of 1e-3, 63 accepted pairs were seen to come from 9 to 16 couples.

    Args:
        fars: False accept rates.
        couples: What `impostor_couples` counts.
    """
    return [far for far in fars if far * couples >= COUPLES_A_FAR_NEEDS - 1e-9]  # .1 x 100 and the like are enough


def cross_validated_tar(similarity: Floats, same: NDArray[np.bool_], fold: NDArray[np.int64], far: float) -> Floats:
    """TAR of each fold at the threshold that reaches `far` on the other folds.

    Args:
        similarity: float64 [N].
        same: bool [N].
        fold: int64 [N] in 0..K-1.
        far: False accept rate that the threshold may not exceed on the other folds.

    Returns:
        float64 [K].
    """
    rates = np.empty(int(fold.max()) + 1)
    for k in range(len(rates)):
        training, test = fold != k, (fold == k) & same
        curve = roc(similarity[training], same[training])
        threshold = curve.thresholds[curve.far <= far + 1e-12][-1]
        rates[k] = np.mean(similarity[test] >= threshold)
    return rates


def _products_by_chunk(vectors: Floats, first: NDArray[np.int64], second: NDArray[np.int64]) -> Floats:
    """Inner products of row pairs, a bounded amount of memory at a time."""
    step = max(1, _CHUNK_NUMBERS // max(1, vectors.shape[1]))
    parts = [
        np.einsum("nd,nd->n", vectors[first[start : start + step]], vectors[second[start : start + step]])
        for start in range(0, len(first), step)
    ]
    return np.concatenate(parts)
