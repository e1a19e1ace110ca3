"""Which cores the network computes on, so that none of its threads waits for one that has no core."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

MOST_BATCHES = 4
"""Batches at once: each takes memory."""


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def cores_for_batches(*, concurrent: bool) -> Iterator[int]:
    """Share the cores among batches that are computed at once, for the length of the block.

    Threads that compute one batch together meet after every operation, and wait there for the slowest; threads with a
    batch each do not: MobileNetV2 beside a decoder on two cores runs at 88 images/s so, and at 66 otherwise.

    Args:
        concurrent: Whether there may be several at once.

    Yields:
        How many; torch computes each with its share of the threads.
    """
    with one_core_left_over():
        torch = sys.modules.get("torch")
        before = torch.get_num_threads() if torch is not None and concurrent else 1
        batches = min(MOST_BATCHES, before)
        if torch is None or batches == 1:
            yield 1
            return
        torch.set_num_threads(before // batches)
        try:
            yield batches
        finally:
            torch.set_num_threads(before)


@contextmanager
def one_core_left_over() -> Iterator[None]:
    """Keep torch off one core for the length of the block, where there are more than two.

    All threads of torch meet after every operation. If a decoder or another program holds the core of one of them, the
    others spin: MobileNetV2 on four cores, one of them busy, runs at 2 to 10 images/s with four threads and at 30 with
    three. The number does not depend on what is left to do, so an interrupted extraction goes on with the same sums.
    """
    torch = sys.modules.get("torch")
    cores = usable_cores()
    if torch is None or cores <= 2:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(min(before, cores - 1))
    try:
        yield
    finally:
        torch.set_num_threads(before)
