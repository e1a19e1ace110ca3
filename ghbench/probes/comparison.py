"""Cosines and distances of rows as products of float32 that keep the digits which tell rows apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.probes.rows import Floats, blocks, of_unit_length

Features = NDArray[np.floating[Any]]
_GATHERED = 4_000_000  # numbers of found rows at once


@dataclass(frozen=True, eq=False)
class Comparison:
    """How rows are compared: less what all of them have in common.

    Let x and y be rows, for cosines of unit length or zero, and x' and y' the same less their common part. As
    x' y' - |y'|^2 / 2 ranks all y by their distance from an x, and so by their cosine where y is not zero, a number
    beside y' makes the ranking a product: (|y|^2 - 1 - |y'|^2) / 2 for cosines.

    Args:
        kind: `cosine`, or `l2` for the negated Euclidean distance.
        common: The common part, float32 [D].
    """

    kind: str
    common: Floats

    @classmethod
    def of(cls, features: Features, kind: str) -> Comparison:
        """The comparison with rows [N, D], which are read in blocks.

        Raises:
            ValueError: An unknown kind.
        """
        if kind not in {"cosine", "l2"}:
            raise ValueError(f"similarity must be cosine or l2, not {kind!r}")
        total = np.zeros(features.shape[1])
        for block in blocks(*features.shape):
            rows = of_unit_length(features[block]) if kind == "cosine" else features[block]
            total += rows.sum(axis=0, dtype=np.float64)
        return cls(kind, (total / len(features)).astype(np.float32))

    def asked(self, queries: Features) -> Floats:
        """Queries [M, D] whose products with `known` rows are scores: float32 [M, D + 1]; zeros for rows of zeros."""
        moved, zero = self._moved(queries)
        facing = np.column_stack([moved, np.ones(len(moved), np.float32)])
        facing[zero] = 0
        return facing

    def known(self, rows: Features) -> Floats:
        """Rows [N, D] and the number that stands beside them: float32 [N, D + 1]."""
        moved, zero = self._moved(rows)
        return np.column_stack([moved, (np.einsum("nd,nd->n", moved, moved) + zero) / np.float32(-2)])

    def exact(self, asked: Floats, known: Floats) -> Floats:
        """Scores less half of |x'|^2, by differences: near rows keep their digits, and equal rows have equal scores.

        Products promise neither: what is near is the difference of large numbers there, and the last digits depend on
        where in a matrix a row stands.

        Args:
            asked: float32 [M, D + 1] or [1, D + 1].
            known: float32 [M, c, D + 1], or [n, D + 1] for one query.

        Returns:
            float32 [M, c], or [n].
        """
        one = known.ndim == 2
        rows, queries = known[..., :-1], asked[0, :-1] if one else asked[:, None, :-1]
        gaps = rows - queries
        found: Floats = np.einsum("...d,...d->...", gaps, gaps) / np.float32(-2)
        if self.kind == "cosine":
            # Beside rows of zeros stands half a unit more than their length says; to a query of zeros all are alike.
            zero = np.einsum("...d,...d->...", rows, rows) / -2 - known[..., -1] > 0.25
            found = np.where(zero, found - np.float32(0.5), found)
            defined: NDArray[np.bool_] = np.any(asked != 0, axis=1)
            found = np.where(defined if one else defined[:, None], found, np.float32(0))
        return found

    def exact_of(
        self, asked: Floats, features: Features, found: NDArray[np.int64], known: Floats | None = None
    ) -> Floats:
        """`exact` of queries and some rows each.

        Args:
            asked: float32 [M, D + 1].
            features: [N, D].
            found: int64 [M, c] rows for each query; below 0 for none.
            known: float32 [N, D + 1], what `known` makes of the features, where that is there already.

        Returns:
            float32 [M, c], -inf for none.
        """
        values = np.empty(found.shape, np.float32)
        size = max(1, _GATHERED // max(found.shape[1] * asked.shape[1], 1))
        for start in range(0, len(asked), size):
            block = slice(start, start + size)
            chosen = found[block].ravel()
            rows = self.known(features[chosen]) if known is None else known[chosen]
            values[block] = self.exact(asked[block], rows.reshape(*found[block].shape, -1))
        values[found < 0] = -np.inf
        return values

    def similarities(self, exact: Floats, asked: Floats) -> Floats:
        """Similarities [M, n] of what `exact` gives for queries [M, D + 1]."""
        if self.kind == "cosine":
            defined: NDArray[np.bool_] = np.any(asked != 0, axis=1)
            return np.where(defined[:, None], 1 + exact, np.float32(0))
        distances: Floats = np.sqrt(-2 * exact)
        return -distances

    def plain(self, rows: Features) -> Floats:
        """Rows [N, D] for an index: their products are cosines, or their distances those of the rows."""
        return of_unit_length(rows) if self.kind == "cosine" else rows.astype(np.float32) - self.common

    def _moved(self, rows: Features) -> tuple[Floats, NDArray[np.bool_]]:
        """Rows less the common part, and whether they are zero, which no cosine is defined for."""
        plain = self.plain(rows)
        if self.kind == "l2":
            return plain, np.zeros(len(rows), np.bool_)
        zero: NDArray[np.bool_] = np.all(plain == 0, axis=1)
        plain -= self.common
        return plain, zero
