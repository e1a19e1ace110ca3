"""How alike two encoders are on the same images: linear CKA, representational similarity analysis, mutual k-NN.

Every measure is computed for all pairs of levels at once, with its value without each group of images (see
`ghbench.metrics.jackknife`). None compares an image with itself. All is float64; beside the features, memory holds
blocks of rows, or for RSA the pairs of at most `RSA_IMAGES` images.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import DataError, UsageError

Floats = NDArray[np.float64]
Features = NDArray[np.floating[Any]]
Replicates = tuple[Floats, Floats]
"""Values float64 [A, B] of A and B levels, and without each of G groups [G, A, B], G being 0 for a single group."""
NEIGHBOURS = 10
RSA_IMAGES = 2_000
_BLOCK_NUMBERS = 16_000_000  # numbers that a block of rows may hold, over all levels


def cka(first: Features, second: Features, batch: int | None = None) -> float:
    """Linear centred kernel alignment with the unbiased estimator of HSIC; 0 for unrelated features, however few rows.

    Sources: Kornblith et al., "Similarity of Neural Network Representations Revisited", ICML 2019 (CKA); Song et al.,
    "Feature Selection via Dependence Maximization", JMLR 13 (2012), equation 5 (unbiased HSIC); Nguyen et al., "Do Wide
    and Deep Networks Learn the Same Things?", ICLR 2021, equations 2 and 3 (its average over minibatches).

    Args:
        first: [N, D] features.
        second: [N, E] features of the same images.
        batch: Rows of a minibatch, at least 4; None for all at once. A last batch of fewer rows is left out.

    Returns:
        At most about 1; NaN where one of the encoders tells no images apart.

    Raises:
        DataError: Different images, or fewer than 4.
    """
    size = len(first) if batch is None else batch
    _check([first], [second], fewest=4, rows=size)
    both, one_group = [_centred(side) for side in (first, second)], np.zeros(size, dtype=np.int64)
    starts = range(0, len(first) - size + 1, size)
    parts = [_hsic([side[at : at + size] for side in both], [(0, 1), (0, 0), (1, 1)], one_group)[0] for at in starts]
    return float(_alignment(*np.sum(parts, axis=0)))


def cka_replicates(first: Sequence[Features], second: Sequence[Features], groups: NDArray[np.int64]) -> Replicates:
    """`cka` of every level of one encoder with every level of another.

    Args:
        first: A levels [N, D].
        second: B levels [N, E] of the same images.
        groups: int64 [N] group of each image, 0 to G - 1.
    """
    _check(first, second, fewest=4)
    levels, split = [_centred(level) for level in (*first, *second)], len(first)
    cross = [(i, split + j) for i in range(split) for j in range(len(second))]
    found = _hsic(levels, [*cross, *((i, i) for i in range(len(levels)))], groups)
    crossed = found[:, : len(cross)].reshape(-1, split, len(second))
    own = found[:, len(cross) :]
    values = _alignment(crossed, own[:, :split, None], own[:, None, split:])
    return values[0], values[1:]


def _hsic(levels: Sequence[Floats], pairs: Sequence[tuple[int, int]], groups: NDArray[np.int64]) -> Floats:
    """Unbiased HSIC of pairs of levels, [1 + G, pairs]: of all rows, then without each group (if there are several).

    Levels are centred, which changes no unbiased HSIC and spares digits. Song's estimator needs three sums over kernel
    matrices K and L with zero diagonals: of K L's trace, of all of K and of L, and of the product of their row sums.
    Kept as sums within and between groups, they give every deletion.
    """
    order = np.argsort(groups, kind="stable")
    sizes = np.bincount(groups)
    starts, member = np.cumsum(sizes) - sizes, groups[order]
    sorted_levels = [level[order] for level in levels]
    count, number = len(groups), len(sizes)
    row_sums = np.empty((len(levels), count, number))
    traces = np.zeros((len(pairs), number, number))
    one_hot = np.eye(number)[member]
    for rows in _row_blocks(count, len(levels)):
        kernels = [level[rows] @ level.T for level in sorted_levels]
        for index, kernel in enumerate(kernels):
            np.einsum("ii->i", kernel[:, rows])[:] = 0.0
            row_sums[index, rows] = np.add.reduceat(kernel, starts, axis=1)
        for index, (i, j) in enumerate(pairs):
            products = np.add.reduceat(kernels[i] * kernels[j], starts, axis=1)
            traces[index] += one_hot[rows].T @ products
    kept = np.ones((1, number)) if number == 1 else np.concatenate([np.ones((1, number)), 1 - np.eye(number)])
    left, right = (np.array(side) for side in zip(*pairs, strict=True))
    found = []
    for keep in kept:
        n = float(sizes @ keep)
        inside = row_sums @ keep * keep[member]
        totals, crossed = inside.sum(axis=1), (inside @ inside.T)[left, right]
        trace = np.einsum("g,pgh,h->p", keep, traces, keep)
        middle = totals[left] * totals[right] / ((n - 1) * (n - 2))
        found.append((trace + middle - 2 * crossed / (n - 2)) / (n * (n - 3)))
    return np.array(found)


def rsa_replicates(
    first: Sequence[Features], second: Sequence[Features], groups: NDArray[np.int64], *, ranks: bool = True
) -> Replicates:
    """Representational similarity analysis: correlation of the dissimilarities of all pairs of different images.

    Dissimilarity is 1 - Pearson's correlation of two feature vectors. Source: Kriegeskorte, Mur and Bandettini,
    "Representational Similarity Analysis", Frontiers in Systems Neuroscience 2 (2008).

    Args:
        first: A levels [N, D].
        second: B levels [N, E] of the same images.
        groups: int64 [N] group of each image, 0 to G - 1.
        ranks: Spearman's correlation of the dissimilarities; False for Pearson's.

    Raises:
        DataError: Different images, fewer than 3, or a level with fewer than 2 numbers.
    """
    _check(first, second, fewest=3)
    upper = np.triu_indices(len(groups), 1)
    tables = [_dissimilarity(level)[upper] for level in (*first, *second)]
    ordered = [np.unique(table, return_inverse=True)[1].astype(np.int32) if ranks else None for table in tables]
    left, right = groups[upper[0]], groups[upper[1]]
    number, found = int(groups.max()) + 1, []
    for group in (-1, *(range(number) if number > 1 else ())):
        keep = (left != group) & (right != group)
        rows = [
            _standardised(table[keep] if order is None else _mid_ranks(order[keep]))
            for table, order in zip(tables, ordered, strict=True)
        ]
        found.append(np.stack(rows[: len(first)]) @ np.stack(rows[len(first) :]).T)
    return found[0], np.array(found[1:]).reshape(-1, len(first), len(second))


def mutual_knn_replicates(
    first: Sequence[Features], second: Sequence[Features], groups: NDArray[np.int64], k: int = NEIGHBOURS
) -> Replicates:
    """Share of an image's k nearest neighbours that two encoders have in common, mean over images.

    Nearest by cosine of the features, uncentred. Source: Huh et al., "The Platonic Representation Hypothesis", ICML
    2024, section 3.1 and appendix A. Unrelated encoders share k / (N - 1).

    Args:
        first: A levels [N, D].
        second: B levels [N, E] of the same images.
        groups: int64 [N] group of each image, 0 to G - 1.
        k: Neighbours, fewer than images are left without any one group.

    Raises:
        DataError: Different images, or too few for k.
    """
    sizes = np.bincount(groups)
    number = len(sizes)
    fewest = len(groups) - (int(sizes.max()) if number > 1 else 0)
    _check(first, second, fewest=2)
    if not 1 <= k < fewest:
        raise UsageError(f"{k} neighbours of {fewest} images; expected 1 to {fewest - 1}", fix=f"-k {fewest - 1}")
    candidates = [_nearest_by_group(_unit_rows(level), groups, k) for level in (*first, *second)]
    found = []
    for group in (-1, *(range(number) if number > 1 else ())):
        kept = groups != group
        sets = [_top(*nearest, groups, group, k)[kept] for nearest in candidates]
        found.append(np.array([[_overlap(one, two) for two in sets[len(first) :]] for one in sets[: len(first)]]))
    return found[0], np.array(found[1:]).reshape(-1, len(first), len(second))


def permuted_values(
    measure: str,
    first: Sequence[Features],
    second: Sequence[Features],
    permutations: int,
    rng: np.random.Generator,
    k: int = NEIGHBOURS,
) -> Floats:
    """A measure between images and other images: the rows of the second encoder permuted.

    Args:
        measure: Name in `MEASURES`.
        first: A levels [N, D].
        second: B levels [N, E].
        permutations: How many.
        rng: Random numbers.
        k: Neighbours for `mutual-knn`.

    Returns:
        float64 [permutations, A, B].
    """
    orders = [rng.permutation(len(first[0])) for _ in range(permutations)]
    if measure == "mutual-knn":
        one_group = np.zeros(len(first[0]), dtype=np.int64)
        near = [
            [_top(*_nearest_by_group(_unit_rows(level), one_group, k), one_group, -1, k) for level in side]
            for side in (first, second)
        ]
        return np.array(
            [[[_overlap(a, np.argsort(order)[b[order]]) for b in near[1]] for a in near[0]] for order in orders]
        )
    made = {"cka": _aligned_kernel, "rsa-spearman": _ranked_table, "rsa-pearson": _plain_table}[measure]
    one, two = np.stack([made(level).ravel() for level in first]), [made(level) for level in second]
    return np.array([one @ np.stack([b[np.ix_(order, order)].ravel() for b in two]).T for order in orders])


MEASURES: dict[str, str] = {
    "cka": "linear CKA, unbiased",
    "rsa-spearman": "RSA, Spearman's correlation of correlation distances",
    "rsa-pearson": "RSA, Pearson's correlation of correlation distances",
    "mutual-knn": "mutual k-NN by cosine",
}
"""Measures by name."""


def replicates_of(
    measure: str, first: Sequence[Features], second: Sequence[Features], groups: NDArray[np.int64], k: int = NEIGHBOURS
) -> Replicates:
    """A measure of `MEASURES`, of all pairs of levels, with its values without each group.

    Raises:
        UsageError: There is no such measure.
    """
    if measure == "cka":
        return cka_replicates(first, second, groups)
    if measure == "mutual-knn":
        return mutual_knn_replicates(first, second, groups, k)
    if measure in MEASURES:
        return rsa_replicates(first, second, groups, ranks=measure == "rsa-spearman")
    raise UsageError(f"there is no measure {measure!r}; choose among {', '.join(MEASURES)}")


def _centred(features: Features) -> Floats:
    """Differences from the mean, at a scale where nothing overflows; unbiased CKA depends on neither."""
    values: Floats = np.asarray(features, dtype=np.float64)
    values = values - values.mean(axis=0)
    scale = float(np.abs(values).max())
    return np.asarray(values / scale) if scale > 0 else values


def _unit_rows(features: Features) -> Floats:
    values = np.asarray(features, dtype=np.float64)
    largest = np.abs(values).max(axis=1, keepdims=True)
    values = values / np.where(largest > 0, largest, 1.0)
    length = np.linalg.norm(values, axis=1, keepdims=True)
    return np.asarray(values / np.where(length > 0, length, 1.0))


def _alignment(cross: Floats, first: Floats, second: Floats) -> Floats:
    """HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)); NaN where an encoder's own is not positive."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where((first > 0) & (second > 0), cross / np.sqrt(first * second), np.nan))


def _dissimilarity(features: Features) -> Floats:
    """1 - Pearson's correlation of rows, [N, N]."""
    if features.shape[1] < 2:
        raise DataError("a level of 1 number has no correlation distances", fix="--measure cka,mutual-knn")
    values = _unit_rows(_unit_rows(features) - _unit_rows(features).mean(axis=1, keepdims=True))
    return 1.0 - values @ values.T


def _mid_ranks(order: NDArray[np.int32]) -> Floats:
    """Ranks of values given by their place among the distinct ones, ties at the mean of their ranks."""
    counts = np.bincount(order)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    return np.asarray(ranks[order])


def _standardised(values: Floats) -> Floats:
    """Mean 0 and length 1, so that products are correlations; NaN where all are equal."""
    values = values - values.mean()
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(values / np.sqrt(np.square(values).sum()))


def _plain_table(features: Features) -> Floats:
    return _square(_dissimilarity(features), lambda values: values)


def _ranked_table(features: Features) -> Floats:
    return _square(
        _dissimilarity(features), lambda values: _mid_ranks(np.unique(values, return_inverse=True)[1].astype(np.int32))
    )


def _square(table: Floats, of: Callable[[Floats], Floats]) -> Floats:
    """Standardised values of all pairs of different images as a symmetric matrix; products count each pair twice."""
    upper = np.triu_indices(len(table), 1)
    found = np.zeros_like(table)
    found[upper] = _standardised(of(table[upper])) / np.sqrt(2)
    return found + found.T


def _aligned_kernel(features: Features) -> Floats:
    """U-centred kernel of length 1: products are unbiased CKA.

    Source: Szekely and Rizzo, "Partial Distance Correlation with Methods for Dissimilarities", Annals of Statistics 42
    (2014), definition 2.
    """
    values = _centred(features)
    kernel = values @ values.T
    np.fill_diagonal(kernel, 0.0)
    n = len(kernel)
    rows = kernel.sum(axis=1)
    kernel = kernel - rows[:, None] / (n - 2) - rows[None] / (n - 2) + rows.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(kernel, 0.0)
    return np.asarray(kernel / np.linalg.norm(kernel))


def _nearest_by_group(units: Floats, groups: NDArray[np.int64], k: int) -> tuple[NDArray[np.int64], Floats]:
    """Each row's k nearest rows within every group: rows [N, C] and cosines [N, C], enough for any deletion."""
    columns = [np.flatnonzero(groups == group) for group in range(int(groups.max()) + 1)]
    near, cosines = [], []
    for rows in _row_blocks(len(units), 1):
        cosine = units[rows] @ units.T
        np.einsum("ii->i", cosine[:, rows])[:] = -np.inf
        found = []
        for members in columns:
            part = cosine[:, members]
            chosen = np.argpartition(-part, k - 1, axis=1)[:, :k] if len(members) > k else None
            found.append(np.broadcast_to(members, part.shape) if chosen is None else members[chosen])
        near.append(np.concatenate(found, axis=1))
        cosines.append(np.take_along_axis(cosine, near[-1], axis=1))
    return np.concatenate(near), np.concatenate(cosines)


def _top(near: NDArray[np.int64], cosines: Floats, groups: NDArray[np.int64], left_out: int, k: int) -> Any:
    """The k nearest rows that are not of a group, int64 [N, k]."""
    values = np.where(groups[near] == left_out, -np.inf, cosines) if left_out >= 0 else cosines
    chosen = np.argpartition(-values, k - 1, axis=1)[:, :k]
    return np.take_along_axis(near, chosen, axis=1)


def _overlap(one: NDArray[np.int64], two: NDArray[np.int64]) -> float:
    """Mean share of common neighbours; a chunk at a time."""
    common = sum(
        int((one[rows, :, None] == two[rows, None, :]).sum()) for rows in _row_blocks(len(one), 1, one.shape[1] ** 2)
    )
    return common / one.size


def _row_blocks(rows: int, levels: int, width: int | None = None) -> Iterator[slice]:
    step = max(1, _BLOCK_NUMBERS // (levels * (width or rows)))
    yield from (slice(start, min(start + step, rows)) for start in range(0, rows, step))


def _check(first: Sequence[Features], second: Sequence[Features], fewest: int, rows: int | None = None) -> None:
    shapes = [level.shape for level in (*first, *second)]
    if any(len(shape) != 2 or shape[0] != shapes[0][0] for shape in shapes):
        raise DataError(f"expected features [N, D] of the same images, got {', '.join(map(str, shapes))}")
    count = shapes[0][0] if rows is None else min(rows, shapes[0][0])
    if count < fewest:
        raise DataError(f"{count} images; expected at least {fewest}")
