"""Arrays that take a while to work out, kept in the cache, whole or in blocks of rows."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench import locations
from ghbench.atomic import write_bytes
from ghbench.digests import digest_json
from ghbench.errors import DataError
from ghbench.store.arrays_from_files import read_arrays


def kept_arrays(
    folder: str, key: object, make: Callable[[], Mapping[str, NDArray[Any]]], rows: int | None = None
) -> Mapping[str, NDArray[Any]]:
    """Arrays that are read from the cache, or made and written there; a damaged file is made again.

    Args:
        folder: Below the cache.
        key: JSON values that decide the arrays.
        make: Works them out.
        rows: How many rows each has; None where they differ.
    """
    path = locations.cache() / folder / f"{digest_json(key)[:32]}.npz"
    kept = _read(path)
    if not kept or (rows is not None and any(len(values) != rows for values in kept.values())):
        kept = dict(make())
        stream = io.BytesIO()
        np.savez(stream, **kept)  # type: ignore[arg-type]
        write_bytes(path, stream.getvalue())
    return kept


def kept_rows(
    folder: str,
    key: object,
    rows: NDArray[np.int64],
    total: int,
    block: int,
    make: Callable[[range], Mapping[str, NDArray[Any]]],
) -> Mapping[str, NDArray[Any]]:
    """Rows of arrays: those of the blocks that hold them are read from the cache, or made and written there.

    An interrupt costs one block; so does a damaged file.

    Args:
        folder: Below the cache.
        key: JSON values that decide the arrays, their rows being numbered from 0.
        rows: int64 [M], in any order.
        total: How many rows there are.
        block: Rows of a block.
        make: Works out the arrays of consecutive rows.

    Returns:
        Arrays [M, ...] by name.
    """
    parts: dict[int, Mapping[str, NDArray[Any]]] = {}
    for start in np.unique(rows // block * block).tolist():
        own = range(start, min(start + block, total))
        parts[start] = kept_arrays(folder, [key, start], lambda own=own: make(own), len(own))  # type: ignore[misc]
    names = next(iter(parts.values()))
    return {name: np.stack([parts[row // block * block][name][row % block] for row in rows.tolist()]) for name in names}


def _read(path: Path) -> Mapping[str, NDArray[Any]]:
    try:
        return read_arrays(path)
    except DataError:
        return {}
