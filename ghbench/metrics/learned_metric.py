"""A metric for features, learned without labels from pictures of a generator and changes of them.

Features are compared by the cosine of (features - mean) @ matrix, see `ghbench.extractor.LearnedMetric`. Whitening
makes the leading principal components equally important (Jegou and Chum, ECCV 2012, section 3). Within-class whitening
divides by how much features vary while what is shown stays the same: within-class covariance normalisation (Hatch,
Kajarekar and Stolcke, Interspeech 2006, section 2), with changed pictures in place of labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import DataError
from ghbench.extractor import LearnedMetric

Floats = NDArray[np.float64]
Features = NDArray[np.floating[Any]]
Kind = Literal["centred", "whitened", "within"]

COMPONENTS = (16, 32, 64, 128, 256, 512)
RIDGES = (0.01, 0.03, 0.1, 0.3)
"""What `chosen_metric` chooses among."""
_SMALL = 1 / 256
"""Columns with smaller numbers than that, beside 1, need float32: float16 keeps fewer steps of numbers below 2^-14."""


@dataclass(frozen=True)
class Principal:
    """Principal components of features.

    Args:
        mean: float64 [D].
        vectors: float64 [D, K], orthonormal columns, the leading component first.
        deviations: float64 [K], standard deviations along them.
    """

    mean: Floats
    vectors: Floats
    deviations: Floats


@dataclass(frozen=True)
class Chosen:
    """A metric, and how it was chosen.

    Args:
        metric: The metric.
        components: Principal components in use; 0 for centring alone.
        ridge: Ridge of within-class whitening; 0 elsewhere.
        decidability: Geometric mean of the decidability over the changes that chose it.
    """

    metric: LearnedMetric
    components: int
    ridge: float
    decidability: float


def principal(features: Features, count: int) -> Principal:
    """Leading principal components.

    Args:
        features: [N, D].
        count: How many at most; fewer where features have fewer dimensions than that.

    Raises:
        DataError: Fewer than 3 rows, or rows that are all the same.
    """
    from scipy.linalg import eigh

    if len(features) < 3:
        raise DataError(f"{len(features)} rows of features have no principal components; expected at least 3")
    rows = features.astype(np.float64)
    mean = rows.mean(axis=0)
    rows -= mean
    tall = len(rows) > rows.shape[1]
    gram = rows.T @ rows if tall else rows @ rows.T
    values, found = eigh(gram, subset_by_index=(max(len(gram) - count, 0), len(gram) - 1))
    values, found = values[::-1], found[:, ::-1]
    kept = values > max(values[0], 0.0) * 1e-9
    if not kept.any():
        raise DataError("features are the same for all pictures; no metric can be learned from them")
    values, found = values[kept], found[:, kept]
    vectors = found if tall else rows.T @ found / np.sqrt(values)
    return Principal(mean, vectors, np.sqrt(values / (len(rows) - 1)))


def whitening(found: Principal, components: int) -> LearnedMetric:
    """The leading components, divided by their standard deviations."""
    return _metric(found.mean, found.vectors[:, :components] / found.deviations[:components])


def within_class(found: Principal, changes: Features, components: int, ridge: float) -> LearnedMetric:
    """The leading components, whitened by the covariance of differences that should not count.

    Args:
        found: Principal components.
        changes: [n, D] features of changed pictures less those of the unchanged ones.
        components: Components in use.
        ridge: Added to the covariance, as a share of its mean variance.
    """
    vectors = found.vectors[:, :components]
    differences = changes.astype(np.float64) @ vectors
    covariance = differences.T @ differences / (2 * len(differences))
    covariance += ridge * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    # inverse(L).T of covariance = L L.T: differences so transformed have the same covariance as by any other root.
    return _metric(found.mean, vectors @ np.linalg.inv(np.linalg.cholesky(covariance)).T)


def decidability(first: Features, second: Features) -> float:
    """How far the cosines of rows that belong together lie above all others, in standard deviations.

    Source: Daugman, "Biometric decision landscapes", 2000, section 2: |difference of means| over the root of the mean
    of both variances; signed here.

    Args:
        first: [N, D].
        second: [N, D]; row i shows the same as row i of `first`.
    """
    one, two = (_unit(rows) for rows in (first, second))
    cosines = one @ two.T
    same = np.eye(len(cosines), dtype=np.bool_)
    genuine, impostor = cosines[same], cosines[~same]
    spread = np.sqrt((genuine.var() + impostor.var()) / 2)
    return float((genuine.mean() - impostor.mean()) / spread) if spread > 0 else 0.0


def chosen_metric(
    kind: Kind, features: Features, changes: Features, plain: Features, changed: Mapping[str, Features]
) -> Chosen:
    """Learn a metric; how many components and which ridge is decided on other pictures and other kinds of change.

    The rule: of `COMPONENTS` x `RIDGES`, what has the largest geometric mean, over the kinds of change, of the
    `decidability` of `plain` against `changed`; a geometric one, so that no kind rules by its scale. Components are at
    most half as many as there are pictures to learn from.

    Args:
        kind: `centred`, `whitened` or `within`.
        features: [N, D] of generated pictures.
        changes: [n, D] features of changed pictures less those of the unchanged ones; only `within` needs some.
        plain: [M, D] of pictures that are not among them.
        changed: [M, D] of the same with changes of kinds that `changes` has none of, by kind.
    """
    if kind == "centred":
        metric = LearnedMetric(features.mean(axis=0, dtype=np.float64).astype(np.float32), None)
        return Chosen(metric, 0, 0.0, overall_decidability(metric, plain, changed))
    found = principal(features, max(COMPONENTS))
    most = min(len(features) // 2, found.vectors.shape[1])
    counts = [count for count in COMPONENTS if count <= most] or [most]
    options = [(count, ridge) for count in counts for ridge in (RIDGES if kind == "within" else (0.0,))]
    trials = []
    for count, ridge in options:
        metric = within_class(found, changes, count, ridge) if kind == "within" else whitening(found, count)
        trials.append(Chosen(metric, count, ridge, overall_decidability(metric, plain, changed)))
    return max(trials, key=lambda trial: trial.decidability)


def overall_decidability(metric: LearnedMetric, plain: Features, changed: Mapping[str, Features]) -> float:
    """Geometric mean, over kinds of change, of the `decidability` in a metric; 0 where one is not positive."""
    start = metric.apply(plain)
    found = [max(decidability(start, metric.apply(rows)), 0.0) for rows in changed.values()]
    return float(np.prod(found) ** (1 / len(found)))


def _metric(mean: Floats, matrix: Floats) -> LearnedMetric:
    # Cosines do not change with the scale; this one suits float16, unless some columns are far smaller than others.
    scaled = matrix / np.abs(matrix).max()
    small = np.abs(scaled).max(axis=0).min() < _SMALL
    return LearnedMetric(mean.astype(np.float32), scaled.astype(np.float32 if small else np.float16))


def _unit(rows: Features) -> Floats:
    wide = rows.astype(np.float64)
    norms = np.linalg.norm(wide, axis=1, keepdims=True)
    unit: Floats = wide / np.where(norms > 0, norms, 1.0)
    return unit
