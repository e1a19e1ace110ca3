"""Which seeds of generated images serve which purpose, so that nothing is judged on what it was fitted or chosen on."""

from __future__ import annotations

from collections.abc import Mapping

from ghbench.errors import UsageError

RANGES: Mapping[str, range] = {
    "train": range(1_000_000),  # weights are fitted on these
    "monitoring": range(1_000_000, 2_000_000),  # what trainings watch while they run
    "metric-fitting": range(2_000_000, 3_000_000),  # what metrics fit: axes, probes, statistics of reference images
    "selection": range(3_000_000, 4_000_000),  # choices among what was trained: weights, levels, strengths
    "test": range(4_000_000, 5_000_000),  # reported numbers, and nothing else
}
"""Seeds by purpose; disjoint."""


def purpose_of(first: int, count: int) -> str:
    """The purpose of the seeds from `first` to `first + count - 1`.

    Raises:
        UsageError: No seeds, or seeds that are not all of one purpose.
    """
    last = first + count - 1
    for purpose, seeds in RANGES.items():
        if count >= 1 and first in seeds and last in seeds:
            return purpose
    known = ", ".join(f"{purpose} {seeds.start:,} to {seeds.stop - 1:,}" for purpose, seeds in RANGES.items())
    raise UsageError(f"seeds {first:,} to {last:,}; expected at least one, all of one purpose: {known}")


def seeds_for(purpose: str, count: int) -> range:
    """The first `count` seeds of a purpose.

    Raises:
        UsageError: There are not so many.
    """
    first = RANGES[purpose].start
    purpose_of(first, count)
    return range(first, first + count)
