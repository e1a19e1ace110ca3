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

    def asked(self, queries: Features) -> tuple[Floats, Floats]:
        """Queries whose products with `known` rows are scores.

        Args:
            queries: [M, D].

        Returns:
            float32 [M, D + 1], and float32 [M] what `similarities` needs.
        """
        moved, zero = self._moved(queries)
        facing = np.column_stack([moved, np.ones(len(moved), np.float32)])
        lengths = np.einsum("nd,nd->n", moved, moved)
        if self.kind == "l2":
            return facing, lengths
        facing[zero] = 0
        return facing, np.where(zero, 0, 1 - lengths / 2).astype(np.float32)

    def known(self, rows: Features) -> Floats:
        """Rows [N, D] and the number that stands beside them: float32 [N, D + 1]."""
        moved, zero = self._moved(rows)
        return np.column_stack([moved, (np.einsum("nd,nd->n", moved, moved) + zero) / np.float32(-2)])

    def scores(
        self, asked: Floats, features: Features, found: NDArray[np.int64], known: Floats | None = None
    ) -> Floats:
        """Scores of queries and some rows each; equal rows have equal ones, which products of matrices don't promise.

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
            values[block] = np.einsum("md,mcd->mc", asked[block], rows.reshape(*found[block].shape, -1))
        values[found < 0] = -np.inf
        return values

    def similarities(self, scores: Floats, offsets: Floats) -> Floats:
        """Similarities of scores [M, n], where `asked` gave the offsets [M]."""
        if self.kind == "cosine":
            return scores + offsets[:, None]
        distances: Floats = np.sqrt(np.maximum(offsets[:, None] - 2 * scores, 0))
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
