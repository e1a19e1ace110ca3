"""How many cores there are for the network, so that it never waits for a thread that has no core."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


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
