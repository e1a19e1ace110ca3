"""What keeps broken and hostile files from passing as images: whole files only, JPEGs to their end, bounded memory."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image, ImageFile

from ghbench.errors import DataError

MEMORY_BUDGET = 320 * 2**20
"""Bytes that the decoders of a process take together; an image that needs more is decoded alone."""

_NEXT_MARKER = re.compile(rb"\xff[^\x00\xff\xd0-\xd7]")
_END, _SCAN = 0xD9, 0xDA
_STANDALONE = frozenset({0x01, 0xD8, *range(0xD0, 0xD8)})
_ARITHMETIC = frozenset({0xC9, 0xCA})
_MORE = np.random.default_rng(0).integers(0, 255, 512, dtype=np.uint8).tobytes()  # no byte of it begins a marker
_SMALL_JPEG = 2**16


class _Memory:
    """Bytes that several threads may take together."""

    def __init__(self, budget: int) -> None:
        self._budget, self._taken, self._changed = budget, 0, threading.Condition()

    @contextmanager
    def reserve(self, size: int) -> Iterator[None]:
        """Wait until `size` bytes are free, or nobody else holds any; they are free again after the block."""
        with self._changed:
            self._changed.wait_for(lambda: self._taken == 0 or self._taken + size <= self._budget)
            self._taken += size
        try:
            yield
        finally:
            with self._changed:
                self._taken -= size
                self._changed.notify_all()


class _WholeFilesOnly:
    """Inside the block Pillow refuses files that are cut short, whoever has told it to fill them up with grey.

    `ImageFile.LOAD_TRUNCATED_IMAGES` is global; it has its old value again when the last of several threads is done.
    """

    def __init__(self) -> None:
        self._lock, self._inside, self._before = threading.Lock(), 0, False

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._before = ImageFile.LOAD_TRUNCATED_IMAGES
                ImageFile.LOAD_TRUNCATED_IMAGES = False
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                ImageFile.LOAD_TRUNCATED_IMAGES = self._before


MEMORY = _Memory(MEMORY_BUDGET)
WHOLE_FILES_ONLY = _WholeFilesOnly()


def bands(picture: Image.Image, pixels: int = 2**18) -> Iterator[tuple[int, Image.Image]]:
    """An image in bands of rows: first row and content of each; `picture` itself where it is small."""
    rows = max(1, pixels // picture.width)
    if picture.height <= rows:
        yield 0, picture
        return
    for top in range(0, picture.height, rows):
        yield top, picture.crop((0, top, picture.width, min(top + rows, picture.height)))


def check_whole_jpeg(content: bytes, picture: Image.Image, path: Path) -> None:
    """Refuse a JPEG whose coded data ends before its last block, although an end marker follows.

    libjpeg fills such an image up with grey and only warns, which Pillow does not pass on. More coded data in front of
    the end marker changes nothing in a whole image, where all blocks are decoded by then, and something in one that is
    cut short. To decode twice is spared in large files whose last block is not the grey that libjpeg fills with: less
    than their last 16 x 16 pixels may be missing. A progressive file that was cut exactly between two scans is whole by
    the standard, only blurred.

    Args:
        content: The file.
        picture: What was decoded from it.
        path: The file, for the message.

    Raises:
        DataError: It is cut short.
    """
    end, coding = _end_of_first_image(content)
    if end is not None and coding & _ARITHMETIC:  # its encoders may leave zeros at the end away
        return
    if end is not None and len(content) > _SMALL_JPEG and 0xC2 not in coding and not _ends_grey(picture):
        return
    if end is not None:
        with Image.open(io.BytesIO(content[:end] + _MORE + content[end:]), formats=["JPEG"]) as longer:
            parts = zip(bands(longer), bands(picture), strict=True)
            if longer.size == picture.size and all(one.tobytes() == other.tobytes() for (_, one), (_, other) in parts):
                return
    raise DataError(f"{path} is cut short; expected a whole JPEG file", fix="copy the file again from its source")


def _end_of_first_image(content: bytes) -> tuple[int | None, frozenset[int]]:
    """Where the end marker of the first image stands, None without one; and all markers before it."""
    position = 0
    seen: set[int] = set()
    while (match := _NEXT_MARKER.search(content, position)) is not None:
        marker = content[match.start() + 1]
        if marker == _END:
            return len(content[: match.start()].rstrip(b"\xff")), frozenset(seen)  # markers may be padded in front
        seen.add(marker)
        position = match.end()
        if marker not in _STANDALONE:
            position += int.from_bytes(content[position : position + 2], "big")
    return None, frozenset(seen)


def _ends_grey(picture: Image.Image) -> bool:
    """Whether the last pixels may be what libjpeg fills with: grey in luminance, for colour reaches in from above."""
    if picture.mode not in {"L", "RGB"}:
        return True
    width, height = picture.size
    last = np.asarray(picture.crop((max(0, width - 4), height - 1, width, height)).convert("L"), dtype=np.int16)
    return bool((np.abs(last - 128) <= 4).all())
