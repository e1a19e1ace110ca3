"""Verification metrics of many bootstrap draws over people at once, exact and without a loop over the draws.

Pairs share people, so pairs are not independent: a draw resamples people, a matched pair of person p weighs m_p and
a mismatched pair of a and b weighs m_a * m_b. All pairs of one pair of people thus share a weight, and every weighted
count becomes a sparse matrix product over pairs of people. Between two neighbouring genuine similarities the ROC is
horizontal, so its vertices at genuine similarities carry it whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ghbench.metrics.verification import Floats

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_CHUNK_NUMBERS = 400_000  # numbers a draw array holds: small enough to stay in the cache


@dataclass(frozen=True, slots=True)
class JudgedPairs:
    """Scored and judged pairs of images of people.

    Args:
        similarity: float64 [N].
        same: bool [N].
        accepted: float64 [N], how often the pair was accepted (0 or 1 with one assignment of folds).
        decided: float64 [N], how often it was decided.
        first: int64 [N] person of the left image.
        second: int64 [N] person of the right image.
    """

    similarity: Floats
    same: NDArray[np.bool_]
    accepted: Floats
    decided: Floats
    first: NDArray[np.int64]
    second: NDArray[np.int64]


def accuracy_replicates(pairs: JudgedPairs, multiplicity: Floats) -> Floats:
    """Balanced accuracy of every draw.

    Args:
        pairs: Judged pairs.
        multiplicity: float64 [B, P], how often each draw holds each person.

    Returns:
        float64 [B]; NaN where a draw holds no matched or no mismatched pair.
    """
    people, same = multiplicity.shape[1], pairs.same
    matched = [_weighted_counts(pairs.first[same], count[same], people) for count in (pairs.accepted, pairs.decided)]
    first, second, couple = _couples(pairs)
    mismatched = np.stack(
        [_weighted_counts(couple, count[~same], len(first)) for count in (pairs.accepted, pairs.decided)], axis=1
    )
    step = max(1, _CHUNK_NUMBERS // max(1, len(first)))
    parts = [
        (multiplicity[start : start + step, first] * multiplicity[start : start + step, second]) @ mismatched
        for start in range(0, len(multiplicity), step)
    ]
    false, impostors = np.concatenate(parts).T
    with np.errstate(invalid="ignore", divide="ignore"):
        accepted_rate = (multiplicity @ matched[0]) / (multiplicity @ matched[1])
        accuracy: Floats = (accepted_rate + 1 - false / impostors) / 2
    return accuracy


def roc_replicates(pairs: JudgedPairs, multiplicity: Floats, fars: Sequence[float]) -> dict[str | float, Floats]:
    """AUC, EER and TAR at FAR of every draw; pairs weigh by how often they were decided.

    Args:
        pairs: Judged pairs.
        multiplicity: float64 [B, P], how often each draw holds each person.
        fars: False accept rates at which TAR is wanted.

    Returns:
        `auc`, `eer` and one entry a false accept rate, each float64 [B].
    """
    counts = _count_at_genuine(pairs, multiplicity.shape[1])
    step = max(1, _CHUNK_NUMBERS // max(1, *counts.newly_above.shape))
    parts = [
        _roc_of_draws(counts, multiplicity[start : start + step], fars) for start in range(0, len(multiplicity), step)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


@dataclass(frozen=True, slots=True)
class _Counts:
    """What the ROC of any draw is made of; T distinct genuine similarities from large to small, U pairs of people.

    Sparse, as most cells are empty. `newly_above` [T, U] counts impostor pairs at the first genuine similarity that
    they lie above, and `tied` [T, U] those equal to it; `total` [U] all of them; `genuine` [T, P] counts the genuine
    pairs of each person at each similarity.
    """

    newly_above: csr_array
    tied: csr_array
    total: Floats
    genuine: csr_array
    first: NDArray[np.int64]
    second: NDArray[np.int64]


def _count_at_genuine(pairs: JudgedPairs, people: int) -> _Counts:
    from scipy.sparse import csr_array

    same = pairs.same
    ascending, rank = np.unique(pairs.similarity[same], return_inverse=True)
    width = len(ascending)
    first, second, cell = _couples(pairs)
    impostor, weight = pairs.similarity[~same], pairs.decided[~same]
    # An impostor lies above the genuine similarities that are smaller: in descending order, from that place onward.
    smaller = np.searchsorted(ascending, impostor, side="left")
    above, ties = smaller > 0, np.searchsorted(ascending, impostor, side="right") > smaller

    def counts(chosen: NDArray[np.bool_], places: NDArray[np.int64]) -> csr_array:
        return csr_array((weight[chosen], (places[chosen], cell[chosen])), shape=(width, len(first)))

    return _Counts(
        newly_above=counts(above, width - smaller),
        tied=counts(ties, width - 1 - smaller),
        total=_weighted_counts(cell, weight, len(first)),
        genuine=csr_array((pairs.decided[same], (width - 1 - rank, pairs.first[same])), shape=(width, people)),
        first=first,
        second=second,
    )


def _roc_of_draws(counts: _Counts, multiplicity: Floats, fars: Sequence[float]) -> dict[str | float, Floats]:
    weight = multiplicity[:, counts.first] * multiplicity[:, counts.second]
    with np.errstate(invalid="ignore", divide="ignore"):
        impostors = (weight @ counts.total)[:, None]
        before = np.cumsum((counts.newly_above @ weight.T).T, axis=1) / impostors
        after = before + (counts.tied @ weight.T).T / impostors
        tar = np.cumsum((counts.genuine @ multiplicity.T).T, axis=1)
        tar /= tar[:, -1:]
    # The curve climbs to (after, tar) at each genuine similarity, from (before, the previous tar).
    previous = np.concatenate([np.zeros((len(tar), 1)), tar[:, :-1]], axis=1)
    after_previous = np.concatenate([np.zeros((len(tar), 1)), after[:, :-1]], axis=1)
    area = (before - after_previous) * previous + (after - before) * (previous + tar) / 2
    answers: dict[str | float, Floats] = {
        "auc": area.sum(axis=1) + (1 - after[:, -1]),
        "eer": _crossings(before, after, previous, tar),
    }
    for far in fars:
        answers[far] = np.where(after <= far + 1e-12, tar, 0.0).max(axis=1)
    broken = np.isnan(answers["auc"])
    for far in fars:
        answers[far][broken] = np.nan
    return answers


def _crossings(before: Floats, after: Floats, previous: Floats, tar: Floats) -> Floats:
    """Where each draw's curve meets FAR = 1 - TAR."""
    rows = np.arange(len(tar))
    reached = after + tar >= 1
    at = np.argmax(reached, axis=1)
    far_end, tar_end = after[rows, at], tar[rows, at]
    far_start, tar_start = before[rows, at], previous[rows, at]
    on_level = far_start + tar_start >= 1  # already met on the horizontal stretch that leads here
    rise = far_end + tar_end - far_start - tar_start
    with np.errstate(invalid="ignore", divide="ignore"):
        climbed = far_start + (1 - far_start - tar_start) / rise * (far_end - far_start)
    crossing = np.where(on_level, 1 - tar_start, climbed)
    return np.where(np.isnan(tar[:, -1]) | np.isnan(after[:, -1]), np.nan, crossing)


def _couples(pairs: JudgedPairs) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Both people [U] of each couple that mismatched pairs are of, and the couple [M] of each mismatched pair."""
    low = np.minimum(pairs.first, pairs.second)[~pairs.same]
    high = np.maximum(pairs.first, pairs.second)[~pairs.same]
    people = int(high.max(initial=0)) + 1
    cells, couple = np.unique(low * people + high, return_inverse=True)
    return cells // people, cells % people, couple


def _weighted_counts(index: NDArray[np.int64], weight: Floats, length: int) -> Floats:
    return np.asarray(np.bincount(index, weight, length), dtype=np.float64)
