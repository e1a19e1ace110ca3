"""The idx format of MNIST and its kin: a typed array behind a short header, usually gzipped."""

from __future__ import annotations

import gzip
import struct
import zlib
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ghbench.errors import DataError
from ghbench.files import open_regular

LARGEST = 1 << 30
"""Bytes that an array may have; a few bytes of header can claim far more."""

_GZIP = b"\x1f\x8b"
_UNSIGNED_BYTE = 0x08


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """Read an idx file of unsigned bytes, gzipped or not.

    The format: two zero bytes, a type code, the number of dimensions, each dimension as a big-endian uint32, and the
    values in C order (Y. LeCun, C. Cortes and C. Burges, The MNIST database of handwritten digits).

    Args:
        path: The file.
        dimensions: How many the array must have: 1 for labels, 3 for images.

    Returns:
        uint8 array with `dimensions` axes.

    Raises:
        DataError: The file is missing, truncated, longer than its header says, or no idx file of that kind.
    """
    content = _content(path)
    header = 4 + 4 * dimensions
    if len(content) < header:
        raise DataError(f"{path} ends after {len(content)} bytes; expected an idx header of {header}")
    zeros, kind, found = struct.unpack_from(">HBB", content)
    if zeros != 0 or kind != _UNSIGNED_BYTE or found != dimensions:
        raise DataError(
            f"{path} begins with {content[:4].hex(' ')}; expected 00 00 {_UNSIGNED_BYTE:02x} {dimensions:02x}, "
            f"an idx file of unsigned bytes with {dimensions} dimensions"
        )
    shape = struct.unpack_from(f">{dimensions}I", content, 4)
    if len(content) - header != prod(shape):
        raise DataError(f"{path} holds {len(content) - header} values; expected {prod(shape)} for the shape {shape}")
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape)


def _content(path: Path) -> bytes:
    try:
        with open_regular(path) as stream:
            packed = stream.read(2) == _GZIP
            stream.seek(0)
            if not packed:
                content = stream.read(LARGEST + 1)
            else:
                with gzip.GzipFile(fileobj=stream) as unpacked:
                    content = unpacked.read(LARGEST + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} cannot be unpacked; expected a whole gzip file: {error}") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}; expected an idx file") from error
    if len(content) > LARGEST:
        raise DataError(f"{path} holds more than {LARGEST} bytes; expected a smaller idx file")
    return content
