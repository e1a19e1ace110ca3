"""Arrays that take a while to work out, kept in the cache."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench import locations
from ghbench.atomic import write_bytes
from ghbench.errors import DataError
from ghbench.store.arrays_from_files import read_arrays


def kept_arrays(
    folder: str, name: str, count: int, make: Callable[[], Mapping[str, NDArray[Any]]]
) -> Mapping[str, NDArray[Any]]:
    """Arrays from the cache; made, and written there, where they are absent, damaged or of another length.

    Args:
        folder: Below the cache.
        name: Of the file; all that decides the arrays must be part of it.
        count: Rows of each array.
        make: Works them out.
    """
    path = locations.cache() / folder / f"{name}.npz"
    kept = _read(path)
    if kept and all(len(values) == count for values in kept.values()):
        return kept
    made: dict[str, Any] = dict(make())
    stream = io.BytesIO()
    np.savez(stream, **made)
    write_bytes(path, stream.getvalue())
    return made


def _read(path: Path) -> Mapping[str, NDArray[Any]]:
    try:
        return read_arrays(path)
    except DataError:
        return {}
