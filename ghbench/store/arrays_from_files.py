"""NumPy's array files, checked from their headers before anything is allocated.

A header of a hundred bytes can declare terabytes, and a compressed file can grow a thousandfold.
Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
"""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any, TypeVar

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from ghbench.errors import DataError
from ghbench.files import open_regular, read_as

T = TypeVar("T")

SINGLE = "features"
"""Name of the array of a `.npy`, which has none."""
_PLAIN = "save plain numbers or text with numpy.save or numpy.savez; pickled objects are never read"
_KINDS = "fiubUS"
_MAX_DIMENSIONS = 32
_MAX_MEMBERS = 4_096
_SPARE = 32 * 2**20
_GROWTH = 16
"""Real features compress less than this; what grows beyond `_SPARE` and this factor is refused."""


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of a `.npy` or `.npz`; which of them it is, the content says.

    Returns:
        Arrays of numbers or text by name, `features` for the one of a `.npy`; byte and memory order as in the file.

    Raises:
        DataError: It is no regular file, not an array file, damaged, declares more than it holds, compresses
            implausibly well, or holds Python objects, records or dates.
    """
    return _visit(path, _read)


def array_headers(path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Shape and dtype of every array that `read_arrays` would return, without reading one.

    Raises:
        DataError: See `read_arrays`.
    """
    return _visit(path, _shape)


def map_array(path: Path) -> NDArray[Any]:
    """The array of a `.npy`, memory-mapped and read-only.

    Raises:
        DataError: See `read_arrays`.
    """
    with _damage(path), open_regular(path) as stream:
        _header(stream, os.fstat(stream.fileno()).st_size, path.name)
        mapped: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        return mapped


def array_header(path: Path, name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and dtype of one array of a `.npz`; what else is in it is not looked at.

    Raises:
        DataError: There is no such array, or see `read_arrays`.
    """
    with _opened(path, name) as (_, shape, dtype):
        return shape, dtype


def array_parts(path: Path, name: str, rows: int) -> Iterator[NDArray[Any]]:
    """The same array in parts of some rows; never more is in memory, however far the file unpacks.

    Raises:
        DataError: See `array_header`; or the array ends early.
    """
    with _opened(path, name) as (stream, shape, dtype):
        yield from parts_of(stream, shape, dtype, rows)


def write_array(stream: IO[bytes], array: NDArray[Any]) -> None:
    """Write an array as `.npy`. `numpy.save` would not say why a write failed, for instance that the disk is full."""
    whole = np.ascontiguousarray(array)
    npy.write_array_header_1_0(stream, npy.header_data_from_array_1_0(whole))
    stream.write(whole.data)


def parts_of(stream: IO[bytes], shape: tuple[int, ...], dtype: np.dtype[Any], rows: int) -> Iterator[NDArray[Any]]:
    """Values [n, ...] in C order from where a stream stands, in parts of some rows.

    Raises:
        EOFError: There are fewer than the shape says.
    """
    width = math.prod(shape[1:]) * dtype.itemsize
    for start in range(0, shape[0], rows):
        count = min(rows, shape[0] - start)
        content = stream.read(count * width)
        if len(content) < count * width:
            raise EOFError(f"ends in row {start + len(content) // width} of {shape[0]}")
        yield np.frombuffer(content, dtype).reshape(count, *shape[1:])


@contextmanager
def _opened(path: Path, name: str) -> Iterator[tuple[IO[bytes], tuple[int, ...], np.dtype[Any]]]:
    with _damage(path), open_regular(path) as stream, zipfile.ZipFile(stream) as archive:
        if f"{name}.npy" not in archive.namelist():
            held = ", ".join(member.removesuffix(".npy") for member in archive.namelist()[:8])
            raise DataError(f"{path} has no array {name!r}; it has {held or 'none'}")
        member = archive.getinfo(f"{name}.npy")
        with archive.open(member) as part:
            shape, fortran, dtype = _header(part, member.file_size, f"{path.name}, array {name!r}")
            if fortran or not shape:
                raise ValueError(f"array {name!r} is not in C order")
            yield part, shape, dtype


def _damage(path: Path) -> AbstractContextManager[None]:
    return read_as(path, "a .npy or .npz file of plain arrays", _PLAIN)


def _visit(path: Path, visit: Callable[[IO[bytes], int, str], T]) -> dict[str, T]:
    with _damage(path), open_regular(path) as stream:
        size = os.fstat(stream.fileno()).st_size
        if stream.read(4) != b"PK\x03\x04":
            stream.seek(0)
            return {SINGLE: visit(stream, size, path.name)}
        with zipfile.ZipFile(stream) as archive:
            found = {}
            for member in _members(archive, size, path):
                name = member.filename.removesuffix(".npy")
                with archive.open(member) as part:
                    found[name] = visit(part, member.file_size, f"{path.name}, array {name!r}")
            return found


def _members(archive: zipfile.ZipFile, size: int, path: Path) -> list[zipfile.ZipInfo]:
    members = archive.infolist()
    names = {member.filename for member in members}
    if len(names) != len(members) or len(members) > _MAX_MEMBERS or not all(name.endswith(".npy") for name in names):
        raise ValueError("members that numpy.savez does not write")
    # The other methods are decompressed without a bound.
    if any(member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for member in members):
        raise ValueError("a compression that numpy does not write")
    declared = sum(member.file_size for member in members)
    if declared > _SPARE + _GROWTH * size:
        raise DataError(
            f"{path} of {size / 1e6:.1f} MB unpacks to {declared / 1e6:.0f} MB, more than {_GROWTH} times its size",
            fix="save it without compression: numpy.savez",
        )
    return members


def _header(stream: IO[bytes], size: int, label: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(stream)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"version {version} of the format")
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, dtype = read(stream)
    if dtype.kind not in _KINDS or dtype.itemsize == 0:
        raise DataError(f"{label} holds {dtype}, not plain numbers or text", fix=_PLAIN)
    if len(shape) > _MAX_DIMENSIONS or not all(type(side) is int and 0 <= side < 2**40 for side in shape):
        raise ValueError("an impossible shape")
    if math.prod(shape) * dtype.itemsize > size - stream.tell():
        raise DataError(f"{label} declares {shape} of {dtype}, more than it holds", fix="save the array again")
    return shape, fortran, dtype


def _shape(stream: IO[bytes], size: int, label: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    shape, _, dtype = _header(stream, size, label)
    return shape, dtype


def _read(stream: IO[bytes], size: int, label: str) -> NDArray[Any]:
    _header(stream, size, label)
    stream.seek(0)
    array: NDArray[Any] = npy.read_array(stream, allow_pickle=False)
    return array
