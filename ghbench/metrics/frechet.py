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
INFINITY_SIZES = 8
"""Sizes of subsets through which the line of `frechet_distance_at_infinity` goes."""
_BLOCK_NUMBERS = 16_000_000  # numbers in a block of rows of a kernel matrix


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
    if min(len(first), len(second)) > first.shape[1]:
        return frechet_distance_of_moments(*moments(first), *moments(second))
    # Fewer images than numbers: the same trace is the sum of the singular values of a matrix of images by images.
    x, y = (np.asarray(part, dtype=np.float64) for part in (first, second))
    means, (x, y) = (x.mean(axis=0), y.mean(axis=0)), (x - x.mean(axis=0), y - y.mean(axis=0))
    n, m = len(x) - 1, len(y) - 1
    cross = np.linalg.svd(x @ y.T, compute_uv=False).sum() / np.sqrt(n * m)
    spread = np.square(x).sum() / n + np.square(y).sum() / m
    return max(0.0, float(np.square(means[0] - means[1]).sum() + spread - 2 * cross))


def frechet_replicates(
    first: NDArray[np.floating[Any]],
    second: NDArray[np.floating[Any]],
    first_groups: NDArray[np.int64],
    second_groups: NDArray[np.int64],
) -> tuple[Floats, Floats]:
    """`frechet_distance` without each group of the first set [G], and without each of the second [H].

    Args:
        first: [N, D] features.
        second: [M, D] features.
        first_groups: int64 [N] group of each image, 0 to G - 1, see `ghbench.metrics.jackknife`.
        second_groups: int64 [M], 0 to H - 1.
    """
    number, other = int(first_groups.max()) + 1, int(second_groups.max()) + 1
    return (
        np.array([frechet_distance(first[first_groups != group], second) for group in range(number)]),
        np.array([frechet_distance(first, second[second_groups != group]) for group in range(other)]),
    )


def frechet_distance_at_infinity(
    first: NDArray[np.floating[Any]], second: NDArray[np.floating[Any]], rng: np.random.Generator
) -> float:
    """What the Frechet distance tends to for many images: a line in 1 / n through random subsets of both sets.

    Source: Chong and Forsyth, "Effectively Unbiased FID and Inception Score", CVPR 2020, section 4, who subsample the
    generated images alone; with subsets of one size of both sets the bias is linear in 1 / n too.

    Args:
        first: [N, D] features.
        second: [M, D] features.
        rng: Chooses the subsets: `INFINITY_SIZES` sizes from a quarter of the smaller set to all of it.

    Returns:
        The intercept; it may be negative.
    """
    most = min(len(first), len(second))
    sizes = (1 / np.linspace(4 / most, 1 / most, INFINITY_SIZES)).astype(np.int64)
    values = [
        frechet_distance(*(part[rng.choice(len(part), size, replace=False)] for part in (first, second)))
        for size in sizes
    ]
    return float(np.polyfit(1 / sizes, values, 1)[1])


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
    if estimator == "u-statistic" and len(first) != len(second):
        raise DataError(f"the u-statistic needs sets of equal size, got {len(first)} and {len(second)}")
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    n, m = len(x), len(y)
    within_x, within_y, between = _kernel_sum(x, x), _kernel_sum(y, y), _kernel_sum(x, y)
    if estimator == "biased":
        return within_x / n**2 + within_y / m**2 - 2 * between / (n * m)
    within = (within_x - _diagonal(x, x).sum()) / (n * (n - 1)) + (within_y - _diagonal(y, y).sum()) / (m * (m - 1))
    if estimator == "unbiased":
        return float(within - 2 * between / (n * m))
    return float(within - 2 * (between - _diagonal(x, y).sum()) / (n * (n - 1)))


def kernel_replicates(
    first: NDArray[np.floating[Any]],
    second: NDArray[np.floating[Any]],
    first_groups: NDArray[np.int64],
    second_groups: NDArray[np.int64],
) -> tuple[Floats, Floats]:
    """The unbiased `kernel_distance` without each group of the first set [G], and without each of the second [H].

    Args:
        first: [N, D] features.
        second: [M, D] features.
        first_groups: int64 [N] group of each image, 0 to G - 1, see `ghbench.metrics.jackknife`.
        second_groups: int64 [M], 0 to H - 1.
    """
    _check(first, second)
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    sums = []
    for part, groups in ((x, first_groups), (y, second_groups)):
        sums.append(_kernel_sums(part, part, groups, groups))
        sums[-1] -= np.diag(np.bincount(groups, _diagonal(part, part)))
    between = _kernel_sums(x, y, first_groups, second_groups)
    sizes = np.bincount(first_groups), np.bincount(second_groups)

    def without(keep: Floats, other: Floats) -> float:
        n, m = keep @ sizes[0], other @ sizes[1]
        within = keep @ sums[0] @ keep / (n * (n - 1)) + other @ sums[1] @ other / (m * (m - 1))
        return float(within - 2 * (keep @ between @ other) / (n * m))

    every = [np.ones(len(part)) for part in sizes]
    return (
        np.array([without(keep, every[1]) for keep in 1 - np.eye(len(sizes[0]))]),
        np.array([without(every[0], keep) for keep in 1 - np.eye(len(sizes[1]))]),
    )


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


def _kernel_sum(x: Floats, y: Floats) -> float:
    one_group = [np.zeros(len(part), dtype=np.int64) for part in (x, y)]
    return float(_kernel_sums(x, y, *one_group)[0, 0])


def _kernel_sums(x: Floats, y: Floats, x_groups: NDArray[np.int64], y_groups: NDArray[np.int64]) -> Floats:
    """The kernel summed between groups, [G, H]; a block of rows at a time."""
    one_hot = [np.eye(int(groups.max()) + 1)[groups] for groups in (x_groups, y_groups)]
    total = np.zeros((one_hot[0].shape[1], one_hot[1].shape[1]))
    step = max(1, _BLOCK_NUMBERS // len(y))
    for start in range(0, len(x), step):
        rows = slice(start, start + step)
        total += one_hot[0][rows].T @ ((x[rows] @ y.T / x.shape[1] + 1.0) ** 3 @ one_hot[1])
    return total


def _diagonal(x: Floats, y: Floats) -> Floats:
    diagonal: Floats = (np.einsum("nd,nd->n", x, y) / x.shape[1] + 1.0) ** 3
    return diagonal


def _check(first: NDArray[Any], second: NDArray[Any]) -> None:
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise DataError(f"expected two arrays [N, D] of one width, got {first.shape} and {second.shape}")
    if min(len(first), len(second)) < 2:
        raise DataError(f"a covariance needs at least two rows, got {len(first)} and {len(second)}")
