"""The bytes of a checkpoint, memory-mapped so that only the parts in use take memory."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ghbench.errors import DataError
from ghbench.files import open_regular

Buffer = bytes | mmap.mmap


@contextmanager
def open_buffer(source: Path | bytes | BinaryIO) -> Iterator[Buffer]:
    """The content of `source`; files are memory-mapped.

    Raises:
        DataError: The file cannot be opened or is empty.
    """
    if isinstance(source, bytes):
        yield source
    elif isinstance(source, Path):
        with open_regular(source) as stream:
            if not stream.seek(0, 2):
                raise DataError(f"{source} is empty", fix="get the file again")
            with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
                yield mapped
    else:
        yield source.read()
