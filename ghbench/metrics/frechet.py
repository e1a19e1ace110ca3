"""Distances between two sets of features: Frechet distance and kernel distance (squared maximum mean discrepancy).

Both are named by the features that they are computed on; only features of the original Inception network make them
the published FID and KID.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import DataError

Floats = NDArray[np.float64]
Estimator = Literal["unbiased", "biased", "u-statistic"]


def frechet_distance(first: NDArray[np.floating[Any]], second: NDArray[np.floating[Any]]) -> float:
    """Frechet distance between normal distributions fitted to two sets of features.

    Source: Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", NeurIPS 2017, equation 6.

    Args:
        first: [N, D] features, N at least 2.
        second: [M, D] features, M at least 2.

    Returns:
        |mu1 - mu2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)), never negative; biased upwards for few images.

    Raises:
        DataError: Too few rows, or widths that differ.
    """
    _check(first, second)
    return frechet_distance_of_moments(*moments(first), *moments(second))


def moments(features: NDArray[np.floating[Any]]) -> tuple[Floats, Floats]:
    """Mean [D] and unbiased covariance [D, D] of features [N, D], in float64."""
    values = np.asarray(features, dtype=np.float64)
    return values.mean(axis=0), np.cov(values, rowvar=False, ddof=1).reshape(values.shape[1], values.shape[1])


def frechet_distance_of_moments(
    first_mean: Floats, first_covariance: Floats, second_mean: Floats, second_covariance: Floats
) -> float:
    """The same from means [D] and covariances [D, D].

    The trace of (S1 S2)^(1/2) is that of (S1^(1/2) S2 S1^(1/2))^(1/2), whose argument is symmetric: two symmetric
    eigendecompositions, no general matrix root, no imaginary parts to cut off, and rank-deficient covariances are fine.
    """
    values, vectors = np.linalg.eigh(first_covariance)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T
    cross = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second_covariance @ root), 0.0)).sum()
    shift = first_mean - second_mean
    distance = shift @ shift + np.trace(first_covariance) + np.trace(second_covariance) - 2 * cross
    return max(0.0, float(distance))


def kernel_distance(
    first: NDArray[np.floating[Any]], second: NDArray[np.floating[Any]], estimator: Estimator = "unbiased"
) -> float:
    """Squared maximum mean discrepancy under the kernel (x.y / D + 1)^3.

    Source: Binkowski et al., "Demystifying MMD GANs", ICLR 2018, section 4; Gretton et al., "A Kernel Two-Sample
    Test", JMLR 2012, equations 3 to 5.

    Args:
        first: [N, D] features.
        second: [M, D] features; the u-statistic needs M = N.
        estimator: `unbiased` leaves a set's pairs of a row with itself out; `biased` keeps them; `u-statistic` leaves
            the pairs of equal index out between the sets too.

    Returns:
        The estimate; unbiased ones may be negative.

    Raises:
        DataError: Too few rows, widths that differ, or a u-statistic of sets of different size.
    """
    _check(first, second)
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    n, m = len(x), len(y)
    within_x, within_y, between = _polynomial(x, x), _polynomial(y, y), _polynomial(x, y)
    if estimator == "biased":
        return float(within_x.mean() + within_y.mean() - 2 * between.mean())
    unbiased_within = (within_x.sum() - np.trace(within_x)) / (n * (n - 1))
    unbiased_within += (within_y.sum() - np.trace(within_y)) / (m * (m - 1))
    if estimator == "unbiased":
        return float(unbiased_within - 2 * between.mean())
    if n != m:
        raise DataError(f"the u-statistic needs sets of equal size, got {n} and {m}")
    return float(unbiased_within - 2 * (between.sum() - np.trace(between)) / (n * (n - 1)))


def kernel_distance_of_subsets(
    first: NDArray[np.floating[Any]], second: NDArray[np.floating[Any]], subsets: NDArray[np.integer[Any]]
) -> Floats:
    """Kernel distance of pairs of subsets, whose mean and deviation are reported as KID.

    Args:
        first: [N, D] features.
        second: [M, D] features.
        subsets: [S, 2, K] rows of the first and of the second set in each pair of subsets.

    Returns:
        float64 [S].
    """
    return np.array([kernel_distance(first[rows[0]], second[rows[1]]) for rows in subsets])


def _polynomial(x: Floats, y: Floats) -> Floats:
    kernel: Floats = (x @ y.T / x.shape[1] + 1.0) ** 3
    return kernel


def _check(first: NDArray[Any], second: NDArray[Any]) -> None:
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise DataError(f"expected two arrays [N, D] of one width, got {first.shape} and {second.shape}")
    if min(len(first), len(second)) < 2:
        raise DataError(f"a covariance needs at least two rows, got {len(first)} and {len(second)}")
