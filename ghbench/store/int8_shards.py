"""Features in eight bits: whole numbers from -127 to 127, and for each column of a shard a float32 to multiply them by.

A scale a row would lose columns that are small in all images, of which networks have many. The scales are a shard's
own, so that shards are written one by one; they are its last four rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

DTYPE = "int8"
SCALE_ROWS = 4
_LARGEST = 127


def pack(rows: NDArray[Any]) -> NDArray[np.int8]:
    """A shard as it is stored.

    Args:
        rows: float [n, D], finite.

    Returns:
        int8 [n + 4, D].
    """
    values = rows.astype(np.float32, copy=False)
    scales = (np.abs(values).max(axis=0, initial=0) / np.float32(_LARGEST)).astype("<f4")
    whole = np.rint(np.divide(values, scales, out=np.zeros_like(values), where=scales > 0))
    in_bytes = scales.view(np.int8).reshape(-1, SCALE_ROWS).T
    return np.concatenate([whole.clip(-_LARGEST, _LARGEST).astype(np.int8), in_bytes])


def unpack(stored: NDArray[np.int8]) -> NDArray[np.float32]:
    """A shard as it is computed with.

    Args:
        stored: int8 [n + 4, D].

    Returns:
        float32 [n, D].
    """
    scales = np.ascontiguousarray(stored[-SCALE_ROWS:].T).view("<f4")[:, 0]
    return stored[:-SCALE_ROWS].astype(np.float32) * scales.astype(np.float32)
