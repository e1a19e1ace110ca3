"""The k nearest neighbours: exact, in blocks of bounded memory, and the vote of their classes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ghbench.cores import usable_cores
from ghbench.errors import DataError
from ghbench.probes.comparison import Comparison, Features

_BLOCK = 4_000_000  # similarities at once
_QUERIES = 500  # queries that a core searches for at once
_FIRST, _MOST, _NUMBERS = 500, 4_000, 2_000_000  # rows of the first and of the largest block, and numbers of a block
_KEPT = 64_000_000  # numbers of rows that are prepared once, not anew for each block of queries
_REST = 64  # so few rows join the block before them
_SPARE = 8  # rows found beyond k
_CLOSE = 1e-5  # scores that products may exchange, as a share of the largest


def nearest(
    queries: Features, features: Features, k: int, kind: str = "cosine", *, excluded: NDArray[np.int64] | None = None
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The k most similar rows, the most similar first; of equally similar ones the first.

    Args:
        queries: [M, D].
        features: [N, D]; read in blocks, and may be a memory-mapped file.
        k: Neighbours.
        kind: `cosine`, or `l2` for the negated Euclidean distance.
        excluded: int64 [M] row of `features` that is left out for each query: itself. None: none is.

    Returns:
        Rows int64 [M, k] and their similarities float32 [M, k].

    Raises:
        DataError: Fewer than k rows are left, or the dimensions differ.
        ValueError: An unknown kind.
    """
    left = len(features) - (excluded is not None)
    if queries.shape[1:] != features.shape[1:] or not 1 <= k <= left:
        raise DataError(f"{k} neighbours among {left} rows of {features.shape[1:]} for {queries.shape[1:]}")
    comparison = Comparison.of(features, kind)
    known = comparison.known(features) if features.size <= _KEPT else None
    rows, similarities = np.empty((len(queries), k), np.int64), np.empty((len(queries), k), np.float32)

    def search(block: slice) -> None:
        own = None if excluded is None else excluded[block]
        rows[block], similarities[block] = _nearest_of_block(queries[block], features, known, k, comparison, own, left)

    # Products use all cores by themselves, the choice among them does not: so each core has queries of its own.
    workers = usable_cores()
    asked = [slice(start, start + _QUERIES) for start in range(0, len(queries), _QUERIES)]
    if len(asked) < workers:
        list(map(search, asked))
    else:
        with threadpool_limits(1, "blas"), ThreadPoolExecutor(workers) as pool:
            list(pool.map(search, asked))
    return rows, similarities


def _nearest_of_block(
    queries: Features,
    features: Features,
    known: NDArray[np.float32] | None,
    k: int,
    comparison: Comparison,
    excluded: NDArray[np.int64] | None,
    left: int,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """`nearest` of a few queries; rows are prepared here unless they are already `known`.

    Some rows more than k are found by products and scored anew by differences. Where a row that was not found may be as
    near, for all that a product tells, all rows are.
    """
    asked = comparison.asked(queries)
    wanted = min(k + _SPARE, left)
    # The best so far, in the order of their rows.
    best = np.empty((len(asked), 0), np.int64)
    values = np.empty(best.shape, np.float32)
    memory = np.empty(len(asked) * min(_MOST + _REST, len(features)), np.float32)
    for part in _growing(len(features), features.shape[1]):
        found = _scores(asked, comparison.known(features[part]) if known is None else known[part], memory)
        if excluded is not None:
            own = excluded - part.start
            inside = np.flatnonzero((own >= 0) & (own < found.shape[1]))
            found[inside, own[inside]] = -np.inf
        chosen, alike = _candidates(found, values, wanted)
        best = np.concatenate([best, chosen + part.start], axis=1)
        values = np.concatenate([values, alike], axis=1)
        kept = np.sort(_largest(values, min(wanted, values.shape[1])), axis=1)
        best, values = np.take_along_axis(best, kept, axis=1), np.take_along_axis(values, kept, axis=1)
    exact = comparison.exact_of(asked, features, best, known)
    order = np.argsort(-exact, axis=1, kind="stable")[:, :k]
    rows, exact = np.take_along_axis(best, order, axis=1), np.take_along_axis(exact, order, axis=1)
    if wanted < left:
        last = np.take_along_axis(values, order[:, -1:], axis=1)[:, 0]
        close = last - values.min(axis=1) <= _CLOSE * np.abs(values).max(axis=1)
        for one in np.flatnonzero(close):
            own = -1 if excluded is None else int(excluded[one])
            rows[one], exact[one] = _nearest_of_all(asked[one : one + 1], features, known, k, comparison, own)
    return rows, comparison.similarities(exact, asked)


def _nearest_of_all(
    asked: NDArray[np.float32],
    features: Features,
    known: NDArray[np.float32] | None,
    k: int,
    comparison: Comparison,
    excluded: int,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The k nearest rows of one query [1, D + 1], and `Comparison.exact` of them: each row by its difference."""
    best, values = np.empty(0, np.int64), np.empty(0, np.float32)
    for part in _growing(len(features), features.shape[1]):
        found = comparison.exact(asked, comparison.known(features[part]) if known is None else known[part])
        if part.start <= excluded < part.stop:
            found[excluded - part.start] = -np.inf
        best, values = np.append(best, np.arange(part.start, part.stop)), np.append(values, found)
        order = np.argsort(-values, kind="stable")[:k]
        best, values = best[order], values[order]
    return best, values


def scores_of(queries: Features, features: Features, kind: str) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """What ranks all rows for each query, in blocks of bounded memory.

    Args:
        queries: [M, D].
        features: [N, D].
        kind: `cosine`, or `l2` for the negated Euclidean distance.

    Yields:
        Queries, and scores float32 [m, N], the larger the more similar; a caller may change them.

    Raises:
        ValueError: An unknown kind.
    """
    comparison = Comparison.of(features, kind)
    known = comparison.known(features)
    for block in _blocks(len(queries), len(features)):
        yield block, _scores(comparison.asked(queries[block]), known)


def majority(classes: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The class that most neighbours have; of several the one whose neighbour is the nearest.

    Args:
        classes: int64 [M, k] class of each neighbour, the nearest first.
        count: Number of classes.

    Returns:
        int64 [M].
    """
    votes = np.zeros((len(classes), count), np.int64)
    np.add.at(votes, (np.arange(len(classes))[:, None], classes), 1)
    # Among the neighbours in their order, the first whose class has the most votes.
    support = np.take_along_axis(votes, classes, axis=1)
    first = support.argmax(axis=1)
    chosen: NDArray[np.int64] = classes[np.arange(len(classes)), first]
    return chosen


def weighted(
    classes: NDArray[np.int64], similarities: NDArray[np.float32], count: int, temperature: float
) -> NDArray[np.int64]:
    """The class with the largest sum of exp(similarity / temperature); of equal ones the smallest number.

    Source: Wu et al. 2018, "Unsupervised Feature Learning via Non-Parametric Instance Discrimination", section 3.4.

    Args:
        classes: int64 [M, k] class of each neighbour.
        similarities: float32 [M, k] their cosines.
        count: Number of classes.
        temperature: Above 0.

    Returns:
        int64 [M].
    """
    exact = similarities.astype(np.float64) / temperature
    votes = np.zeros((len(classes), count))
    np.add.at(votes, (np.arange(len(classes))[:, None], classes), np.exp(exact - exact.max(axis=1, keepdims=True)))
    chosen: NDArray[np.int64] = votes.argmax(axis=1)
    return chosen


def _candidates(
    found: NDArray[np.float32], best: NDArray[np.float32], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Columns of each row that may be among its k largest, and their values, in the order of the columns.

    Once k are known, only what is larger than all but k - 1 of them can enter: a comparison finds the few, where a
    selection would look for the k largest of each block.

    Args:
        found: [m, n].
        best: [m, B] the largest values so far.
        k: How many are wanted.

    Returns:
        Columns int64 [m, c] and values float32 [m, c]; rows with fewer are filled up with values of -inf.
    """
    if best.shape[1] == k:
        rows, columns = _few(found > best.min(axis=1)[:, None])
        each = np.bincount(rows, minlength=len(found))
        most = int(each.max(initial=0))
        if most <= 4 * k + 16:
            places = np.arange(len(rows)) - np.repeat(np.cumsum(each) - each, each)
            chosen = np.zeros((len(found), most), np.int64)
            values = np.full(chosen.shape, -np.inf, np.float32)
            chosen[rows, places], values[rows, places] = columns, found[rows, columns]
            return chosen, values
    chosen = np.sort(_largest(found, min(k, found.shape[1])), axis=1)
    return chosen, np.take_along_axis(found, chosen, axis=1)


def _few(chosen: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the few true values, as `numpy.nonzero` has them: eight values are looked at at once."""
    flat = chosen.ravel()
    end = len(flat) // 8 * 8
    words = np.flatnonzero(flat[:end].view(np.uint64))
    places = np.append((8 * words[:, None] + np.arange(8)).ravel(), np.arange(end, len(flat)))
    return np.divmod(places[flat[places]], chosen.shape[1])


def _largest(values: NDArray[np.float32], k: int) -> NDArray[np.int64]:
    """Columns of the k largest values of each row, of equal ones the first."""
    best = np.argpartition(-values, k - 1, axis=1)[:, :k]
    least = np.take_along_axis(values, best, axis=1).min(axis=1)
    tied = np.flatnonzero((values >= least[:, None]).sum(axis=1) > k)
    best[tied] = np.argsort(-values[tied], axis=1, kind="stable")[:, :k]
    return best


def _scores(
    asked: NDArray[np.float32], known: NDArray[np.float32], memory: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Scores [m, n], see `Comparison`.

    They are written into `memory` [at least m n], so that it is not mapped anew for each block.
    """
    shape = len(asked), len(known)
    place = None if memory is None else memory[: shape[0] * shape[1]].reshape(shape)
    found: NDArray[np.float32] = np.matmul(asked, known.T, out=place)
    return found


def _blocks(queries: int, rows: int) -> Iterator[slice]:
    size = max(1, _BLOCK // max(rows, 1))
    for start in range(0, queries, size):
        yield slice(start, min(start + size, queries))


def _growing(rows: int, width: int) -> Iterator[slice]:
    """Blocks of rows, each as large as all before it: what is found in them keeps most of the others out."""
    most = max(_REST, min(_MOST, _NUMBERS // max(width, 1)))
    start, size = 0, min(_FIRST, most)
    while start < rows:
        end = rows if start + size + _REST > rows else start + size
        yield slice(start, end)
        start, size = end, min(end, most)
