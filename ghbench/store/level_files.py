"""The files of a level: one of all rows, which maps into memory, or one a shard where they were written singly."""

from __future__ import annotations

import hashlib
import io
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench import atomic
from ghbench.digests import digest_bytes
from ghbench.errors import DataError
from ghbench.files import open_regular, read_as
from ghbench.store import int8_shards
from ghbench.store.arrays_from_files import map_array
from ghbench.store.manifest import LevelManifest

WHOLE, SHARDS = "features.npy", "shard-*.npy"


def shard_name(number: int) -> str:
    """What the file of a shard is called."""
    return f"shard-{number:05d}.npy"


def shard_path(folder: Path, number: int) -> Path:
    """The file of one shard of the level in `folder`."""
    return folder / shard_name(number)


def shard_bytes(rows: NDArray[Any]) -> bytes:
    """A shard as a `.npy` file; its sha256 is what the level's manifest records."""
    content = io.BytesIO()
    np.save(content, np.ascontiguousarray(rows), allow_pickle=False)
    return content.getvalue()


def checked_rows(content: bytes | None, shape: tuple[int, int], dtype: str, sha256: str) -> NDArray[Any] | None:
    """Rows of a shard as numbers, from what `shard_bytes` made; None unless it is the shard that is meant.

    Args:
        content: Of its file, None where there is none.
        shape: As it is stored, see `stored_shape`.
        dtype: As it is stored.
        sha256: Its digest.
    """
    if content is None or digest_bytes(content) != sha256:
        return None
    try:
        stored = np.load(io.BytesIO(content), allow_pickle=False)
    except (ValueError, EOFError, OSError):
        return None
    rows = _as_features(stored) if stored.shape == shape and stored.dtype == dtype else None
    return rows if rows is not None and np.isfinite(rows).all() else None


def stored_shape(rows: int, dim: int, dtype: str, shards: int = 1) -> tuple[int, int]:
    """Shape of rows as they are stored, in so many shards."""
    return rows + shards * _scale_rows(dtype), dim


def file_bytes(rows: int, dim: int, dtype: str, shards: int = 1) -> int:
    """Size of a file of rows, a shard or several merged."""
    numbers = int(np.prod(stored_shape(rows, dim, dtype, shards)))
    return len(file_header(rows, dim, dtype, shards)) + numbers * np.dtype(dtype).itemsize


def file_header(rows: int, dim: int, dtype: str, shards: int = 1) -> bytes:
    """How such a file begins."""
    about = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False}
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, about | {"shape": stored_shape(rows, dim, dtype, shards)})
    return header.getvalue()


def place(number: int, start: int, level: LevelManifest) -> int:
    """Bytes between the header of the file of all rows and a shard's first row, which is row `start` of all."""
    rows = start + number * _scale_rows(level.dtype)
    return rows * level.shape[1] * np.dtype(level.dtype).itemsize


def shard_digest(rows: NDArray[Any]) -> str:
    """sha256 of `shard_bytes`, without a copy of the rows."""
    whole = np.ascontiguousarray(rows)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(whole))
    sha = hashlib.sha256(header.getvalue())
    sha.update(whole.data)
    return sha.hexdigest()


def read_rows(folder: Path, number: int, level: LevelManifest) -> NDArray[Any] | None:
    """Rows of one shard, memory-mapped, from its own file or else from the file of all rows; None if neither has them.

    The file of all rows may be cut short: what comes before the cut is still read. With a header that is not the
    level's it counts for nothing.
    """
    first, end = level.shards[number].rows
    each = first // number if number else end - first
    header = file_header(*level.shape, level.dtype, -(-level.shape[0] // max(1, each)))
    try:
        path = shard_path(folder, number)
        if path.exists():
            return map_array(path)
        with read_as(folder / WHOLE, "a file of features"), open_regular(folder / WHOLE) as file:
            if file.read(len(header)) != header:
                return None
            shape = stored_shape(end - first, level.shape[1], level.dtype)
            return np.memmap(file, level.dtype, "r", len(header) + place(number, first, level), shape)
    except (OSError, DataError):
        return None


def is_intact(folder: Path, number: int, level: LevelManifest) -> bool:
    """Whether a shard's rows are there, are what the manifest declares, and have the recorded sha256.

    A manifest may be forged together with its shards; numbers that are none are never believed.
    """
    entry = level.shards[number]
    rows = read_rows(folder, number, level)
    height = entry.rows[1] - entry.rows[0] + _scale_rows(level.dtype)
    if rows is None or rows.shape != (height, level.shape[1]) or rows.dtype != level.dtype:
        return False
    return shard_digest(rows) == entry.sha256 and bool(np.isfinite(_as_features(rows)).all())


def merge(folder: Path, level: LevelManifest) -> None:
    """Write all rows into one file and delete those of single shards, if there are any."""
    shards = [shard_path(folder, number) for number in level.shards]
    if not any(path.is_file() for path in shards):
        return
    with atomic.atomic_file(folder / WHOLE) as file:
        file.write(file_header(*level.shape, level.dtype, len(shards)))
        for number in sorted(level.shards):
            rows = read_rows(folder, number, level)
            assert rows is not None  # just verified
            file.write(np.ascontiguousarray(rows).data)
    for path in shards:
        path.unlink(missing_ok=True)


def map_rows(folder: Path, level: LevelManifest) -> NDArray[Any]:
    """All rows of a level whose shards are intact: [rows, dim], memory-mapped.

    Copied if several shards are not merged, and as float32 if they are stored as int8.

    Raises:
        DataError: Rows have vanished since they were checked.
    """
    packed = level.dtype == int8_shards.DTYPE
    if not packed and not any(shard_path(folder, number).is_file() for number in level.shards):
        with suppress(DataError):
            whole = map_array(folder / WHOLE)
            if whole.shape == level.shape:
                return whole
        raise _changed(folder)
    whole = np.empty(level.shape, np.float32 if packed else level.dtype)
    for number, entry in level.shards.items():
        whole[slice(*entry.rows)] = features_of_shard(folder, number, level)
    return whole


def features_of_shard(folder: Path, number: int, level: LevelManifest) -> NDArray[Any]:
    """The rows of one intact shard as numbers: [n, dim].

    Raises:
        DataError: They have vanished since they were checked.
    """
    rows = read_rows(folder, number, level)
    if rows is None:  # another process has just merged or removed them
        raise _changed(folder)
    return _as_features(rows)


def _changed(folder: Path) -> DataError:
    return DataError(f"{folder} has just been changed", fix="run the command again")


def _as_features(rows: NDArray[Any]) -> NDArray[Any]:
    """A shard's rows as numbers: themselves, or float32 [n, D] where they are stored in eight bits."""
    return int8_shards.unpack(rows) if rows.dtype == int8_shards.DTYPE else rows


def _scale_rows(dtype: str) -> int:
    """Rows of a shard beside its features."""
    return int8_shards.SCALE_ROWS if dtype == int8_shards.DTYPE else 0
