"""Large blocks of memory: kept by the process when they are freed, not handed back to the system each time."""

from __future__ import annotations

import ctypes
import os

KEPT = 2**30
"""Largest block that is kept, in bytes."""
_MMAP_THRESHOLD, _TRIM_THRESHOLD, _TOP_PAD = -3, -1, -2
"""Numbers of glibc's `mallopt`."""


def keep_freed_memory() -> bool:
    """Have glibc reuse large blocks instead of mapping new ones.

    A network's activations are blocks of many megabytes. By default each is mapped, zeroed page by page as it is
    written, and unmapped, which takes a generator on the CPU more time than its arithmetic. The peak of resident memory
    stays; what is freed below it is not given back before the process ends.

    The command line calls this; a script that draws or trains on the CPU may. Whoever set `MALLOC_` variables or
    glibc's tunables of `malloc` in the environment has decided, and nothing is changed.

    Returns:
        Whether blocks are kept: not on systems without glibc, nor where an older one refuses the threshold.
    """
    if any(name.startswith("MALLOC_") for name in os.environ) or "malloc" in os.environ.get("GLIBC_TUNABLES", ""):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    values = ((_MMAP_THRESHOLD, KEPT), (_TRIM_THRESHOLD, 2**31 - 1), (_TOP_PAD, 2**26))
    return all(mallopt(number, value) == 1 for number, value in values)
