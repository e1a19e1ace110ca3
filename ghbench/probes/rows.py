"""Features as probes read them: in blocks, standardised or projected on the way."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import DataError

Floats = NDArray[np.float32]
_BLOCK = 4_000_000  # numbers at once


class Rows(Protocol):
    """A matrix [N, D] of floating numbers whose rows can be sliced: an array, a memory map, or `Transformed`."""

    @property
    def shape(self) -> tuple[int, ...]:
        """(N, D)."""
        ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Any, /) -> NDArray[Any]: ...


class Transformed:
    """Rows as (row - mean) * scale, or (row - mean) @ axes, computed when they are read.

    Args:
        rows: [N, D].
        mean: float32 [D].
        scale: float32 [D], or axes float32 [D, K].
    """

    def __init__(self, rows: Rows, mean: Floats, scale: Floats) -> None:
        self.rows, self.mean, self.scale = rows, mean, scale
        self.shape: tuple[int, ...] = (len(rows), scale.shape[-1])

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: Any, /) -> Floats:
        centred: Floats = np.asarray(self.rows[rows], np.float32) - self.mean
        return np.asarray(centred @ self.scale if self.scale.ndim == 2 else centred * self.scale, np.float32)


class Chosen:
    """Some rows of a matrix, gathered when they are read.

    Args:
        rows: [N, D].
        places: int64 [M] rows, in the order wanted.
    """

    def __init__(self, rows: Rows, places: NDArray[np.int64]) -> None:
        self.rows, self.places = rows, places
        self.shape: tuple[int, ...] = (len(places), rows.shape[1])

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, rows: Any, /) -> NDArray[Any]:
        return self.rows[self.places[rows]]


def blocks(rows: int, width: int) -> Iterator[slice]:
    """Slices of rows, each of a few million numbers of `width` a row."""
    size = max(256, _BLOCK // max(width, 1))
    for start in range(0, rows, size):
        yield slice(start, min(start + size, rows))


def moments(rows: Rows) -> tuple[Floats, Floats]:
    """Mean and standard deviation of each column, float32 [D].

    Raises:
        DataError: A number is not finite.
    """
    count, width = rows.shape
    total, squares = np.zeros(width), np.zeros(width)
    first = np.asarray(rows[0:1], np.float64)[0]  # subtracted first: squares of large numbers would lose the spread
    with np.errstate(invalid="ignore"):  # infinity is refused below
        for block in blocks(count, width):
            part = np.asarray(rows[block], np.float64) - first
            total += part.sum(axis=0)
            squares += np.einsum("nd,nd->d", part, part)
        mean = total / count
        deviation = np.sqrt(np.maximum(squares / count - np.square(mean), 0))
    if not np.isfinite(deviation).all():
        raise DataError("features are not finite")
    return (mean + first).astype(np.float32), deviation.astype(np.float32)


def standardised(rows: Rows, by: Rows) -> Transformed:
    """Rows less the mean of the rows `by`, over their standard deviation; columns that never vary become 0.

    A column never varies if it does so by less than a millionth of its mean, which float32 cannot tell from rounding.
    """
    mean, deviation = moments(by)
    varies = deviation > 1e-6 * np.abs(mean)
    scale = np.where(varies, 1 / np.where(varies, deviation, 1), 0).astype(np.float32)
    return Transformed(rows, mean, scale)


def scatter_axes(rows: Rows, most: int | None = None) -> tuple[Floats, Floats, Floats]:
    """Principal axes, by the eigenvectors of the smaller of scatter and Gram matrix.

    Args:
        rows: [N, D].
        most: Largest number of axes, those of the largest variance, and only such as float32 tells from rounding; None
            for all: D, or where there are not so many rows, those that have any variance.

    Returns:
        Mean float32 [D], variances float32 [R] falling, and axes float32 [D, R], orthonormal.

    Raises:
        DataError: A number is not finite.
    """
    count, width = rows.shape
    mean, _ = moments(rows)
    if count <= width:
        centred = np.asarray(rows[0:count], np.float64) - mean
        variances, vectors = np.linalg.eigh(centred @ centred.T / count)
    else:
        scatter = np.zeros((width, width), np.float64)
        for block in blocks(count, width):
            part = np.asarray(rows[block], np.float32) - mean
            scatter += part.T @ part
        variances, vectors = np.linalg.eigh(scatter / count)
    whole = most is None and count > width
    least = (1e-12 if most is None else 1e-7) * variances.max(initial=0)
    kept = np.flatnonzero(whole | (variances > least))[::-1][:most]
    variances, vectors = np.maximum(variances[kept], 0), vectors[:, kept]
    if count <= width:
        vectors = centred.T @ (vectors / np.sqrt(variances * count))
    return mean, variances.astype(np.float32), np.ascontiguousarray(vectors, np.float32)


def side_by_side(views: Mapping[str, NDArray[Any]], levels: Sequence[str]) -> Floats:
    """Features of some levels [N, D] beside one another: float32."""
    return np.concatenate([np.asarray(views[level], np.float32) for level in levels], axis=1)


def of_unit_length(rows: NDArray[np.floating[Any]]) -> Floats:
    """A copy of rows [N, D], each divided by its length; zeros stay."""
    exact = rows.astype(np.float32)
    with np.errstate(over="ignore"):
        lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    if not np.all((lengths > 1e-15) & (lengths < 1e15)):  # squares that float32 has no room for
        largest = np.abs(exact).max(axis=1, keepdims=True)
        np.divide(exact, largest, out=exact, where=largest > 0)
        lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    np.divide(exact, lengths, out=exact, where=lengths > 0)
    return exact
