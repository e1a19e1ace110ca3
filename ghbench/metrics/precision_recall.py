"""Precision, recall, density and coverage of one set of features by the neighbourhoods of another."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import DataError

Floats = NDArray[np.float64]
Groups = NDArray[np.int64]
NAMES = ("precision", "recall", "density", "coverage")
NEAREST, DENSE = 3, 5
"""Neighbours that Kynkaanniemi et al. and Naeem et al. use."""
_BLOCK_NUMBERS = 8_000_000


def precision_recall(
    real: NDArray[np.floating[Any]],
    fake: NDArray[np.floating[Any]],
    nearest: int = NEAREST,
    dense: int = DENSE,
) -> dict[str, float]:
    """Precision, recall, density and coverage.

    A ball about each image reaches to its k-th nearest neighbour in its own set. Precision is the share of `fake`
    inside a ball of `real`, recall that of `real` inside a ball of `fake`, both with `nearest` neighbours and the
    ball's surface. Density is how many balls of `real` an image of `fake` is inside, over k; coverage the share of
    balls of `real` with an image of `fake` inside; both with `dense` neighbours, without the surface.

    Sources: Kynkaanniemi et al., "Improved Precision and Recall Metric for Assessing Generative Models", NeurIPS 2019,
    equations 1 and 2; Naeem et al., "Reliable Fidelity and Diversity Metrics for Generative Models", ICML 2020,
    equations 5 and 6, with < as in the authors' program.

    Args:
        real: [N, D] features of the reference.
        fake: [M, D] features of what is judged.
        nearest: Neighbours of precision and recall.
        dense: Neighbours of density and coverage.

    Returns:
        By `NAMES`.

    Raises:
        DataError: Widths that differ, or too few rows.
    """
    ungrouped: tuple[Groups, Groups] = (np.zeros(len(real), dtype=np.int64), np.zeros(len(fake), dtype=np.int64))
    values, _, _ = precision_recall_replicates(real, fake, ungrouped[0], ungrouped[1], nearest, dense)
    return dict(zip(NAMES, values.tolist(), strict=True))


def precision_recall_replicates(
    real: NDArray[np.floating[Any]],
    fake: NDArray[np.floating[Any]],
    real_groups: Groups,
    fake_groups: Groups,
    nearest: int = NEAREST,
    dense: int = DENSE,
) -> tuple[Floats, Floats, Floats]:
    """`precision_recall` of everything, without each group of `real`, and without each of `fake`.

    Args:
        real: [N, D] features.
        fake: [M, D] features.
        real_groups: int64 [N] group of each image, 0 to G - 1, see `ghbench.metrics.jackknife`.
        fake_groups: int64 [M], 0 to H - 1.
        nearest: Neighbours of precision and recall.
        dense: Neighbours of density and coverage.

    Returns:
        float64 [4], [G, 4] and [H, 4] in the order of `NAMES`; G and H are 0 for single groups.
    """
    _check(real, fake, real_groups, fake_groups, max(nearest, dense))
    # Rows sorted by group: what a group's columns hold is then one slice.
    orders = [np.argsort(groups, kind="stable") for groups in (real_groups, fake_groups)]
    x, y = (np.asarray(part, dtype=np.float64)[order] for part, order in zip((real, fake), orders, strict=True))
    of_x, of_y = real_groups[orders[0]], fake_groups[orders[1]]
    x_near, y_near = _nearest_by_group(x, of_x, max(nearest, dense)), _nearest_by_group(y, of_y, nearest)
    deletions = [range(int(groups.max()) + 1) if groups.max() else range(0) for groups in (of_x, of_y)]
    # Entry 0 of what follows is of everything, the others without a group.
    x_radii, x_dense = (_radii(x_near, deletions[0], k) for k in (nearest, dense))
    y_radii = _radii(y_near, deletions[1], nearest)
    inside = np.zeros((len(x_radii), len(y)), dtype=np.bool_)
    balls = np.zeros((len(x_radii), len(y)))
    reached = np.zeros((len(y_radii), len(x)), dtype=np.bool_)
    closest = np.empty((len(y_radii), len(x)))
    for rows, distance in _distances(x, y):
        for entry, (radius, narrow) in enumerate(zip(x_radii[:, rows], x_dense[:, rows], strict=True)):
            kept = of_x[rows] != entry - 1
            inside[entry] |= (distance[kept] <= radius[kept, None]).any(axis=0)
            balls[entry] += (distance[kept] < narrow[kept, None]).sum(axis=0)
        for entry, radius in enumerate(y_radii):
            kept = of_y != entry - 1
            reached[entry, rows] = (distance <= np.where(kept, radius, -1.0)).any(axis=1)
            closest[entry, rows] = distance[:, kept].min(axis=1)

    def scores(entry: int, other: int) -> list[float]:
        in_x, in_y = of_x != entry - 1, of_y != other - 1
        covered = closest[other, in_x] < x_dense[entry, in_x]
        return [
            float(inside[entry, in_y].mean()),
            float(reached[other, in_x].mean()),
            float(balls[entry, in_y].mean() / dense),
            float(covered.mean()),
        ]

    return (
        np.array(scores(0, 0)),
        np.array([scores(group + 1, 0) for group in deletions[0]]).reshape(-1, 4),
        np.array([scores(0, group + 1) for group in deletions[1]]).reshape(-1, 4),
    )


def _nearest_by_group(rows: Floats, groups: Groups, k: int) -> tuple[Floats, Groups]:
    """Each row's k smallest distances within every group [N, C], and the group of each column [C]."""
    found, columns = [], [np.flatnonzero(groups == group) for group in range(int(groups.max()) + 1)]
    for part, distance in _distances(rows, rows):
        distance[np.arange(len(distance)), np.arange(part.start, part.start + len(distance))] = np.inf
        found.append(
            np.concatenate(
                [
                    np.partition(distance[:, members], k - 1, axis=1)[:, :k]
                    if len(members) > k
                    else distance[:, members]
                    for members in columns
                ],
                axis=1,
            )
        )
    return np.concatenate(found), np.repeat(np.arange(len(columns)), [min(k, len(members)) for members in columns])


def _radii(near: tuple[Floats, Groups], deletions: range, k: int) -> Floats:
    """Distance to the k-th nearest neighbour, of everything and without each group: [1 + G, N]."""
    distances, of_column = near
    kept = [distances, *(distances[:, of_column != group] for group in deletions)]
    return np.array([np.partition(part, k - 1, axis=1)[:, k - 1] for part in kept])


def _distances(x: Floats, y: Floats) -> Iterator[tuple[slice, Floats]]:
    """Euclidean distances, a block of rows of `x` at a time."""
    centre = y.mean(axis=0)  # a large common part would take digits
    x, y = x - centre, y - centre
    lengths, step = np.square(y).sum(axis=1), max(1, _BLOCK_NUMBERS // len(y))
    for start in range(0, len(x), step):
        part = x[start : start + step]
        squares = np.square(part).sum(axis=1)[:, None] + lengths - 2 * part @ y.T
        yield slice(start, start + len(part)), np.sqrt(np.maximum(squares, 0.0))


def _check(real: NDArray[Any], fake: NDArray[Any], real_groups: Groups, fake_groups: Groups, k: int) -> None:
    if real.ndim != 2 or fake.ndim != 2 or real.shape[1] != fake.shape[1]:
        raise DataError(f"expected two arrays [N, D] of one width, got {real.shape} and {fake.shape}")
    for groups in (real_groups, fake_groups):
        sizes = np.bincount(groups)
        without = int(sizes.max()) if len(sizes) > 1 else 0  # the jackknife leaves groups out
        if len(groups) - without <= k:
            raise DataError(
                f"{len(groups)} images are too few for {k} nearest neighbours each; expected at least {k + 1 + without}"
            )
