"""Content digests: the same bytes, the same name, on every machine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ghbench.files import open_regular

if TYPE_CHECKING:
    from numpy.typing import NDArray

_AT_ONCE = 4_096
"""Lines that are encoded and hashed together."""


def digest_bytes(content: bytes) -> str:
    """Hexadecimal sha256 of `content`."""
    return hashlib.sha256(content).hexdigest()


def digest_file(path: Path) -> str:
    """Hexadecimal sha256 of the file at `path`.

    Raises:
        DataError: It is missing or no regular file.
    """
    with open_regular(path) as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest_lines(lines: Iterable[str]) -> str:
    """Hexadecimal sha256 of texts, in their order; line breaks inside them are escaped, so that they end none."""
    sha, left = hashlib.sha256(), iter(lines)
    while some := list(islice(left, _AT_ONCE)):
        text = "\n".join(some)
        if "\\" in text or text.count("\n") >= len(some):
            text = "\n".join(line.replace("\\", r"\\").replace("\n", r"\n") for line in some)
        sha.update(f"{text}\n".encode())
    return sha.hexdigest()


def digest_json(value: Any) -> str:
    """Hexadecimal sha256 of a JSON value, independent of the order of its keys."""
    return digest_bytes(json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False).encode())


def digest_array(array: NDArray[Any]) -> str:
    """Hexadecimal sha256 of an array's shape, dtype and values.

    The shape is part of it, so that two images with equal bytes and different sides have different digests.
    """
    import numpy as np  # here, because `ghbench list` needs text digests and must not wait for it

    sha = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    sha.update(np.ascontiguousarray(array).data)
    return sha.hexdigest()
