"""The idx reader: what it reads, and the sentence for each way in which a file can be wrong."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest

from ghbench.data import idx
from ghbench.data.idx import read_idx
from ghbench.errors import DataError

IMAGES = np.arange(2 * 3 * 4, dtype=np.uint8).reshape(2, 3, 4)


def idx_bytes(array, kind=0x08):
    return struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape) + array.tobytes()


@pytest.mark.parametrize("pack", [gzip.compress, bytes])
def test_images_and_labels_are_read_gzipped_or_not(tmp_path, pack):
    (tmp_path / "images").write_bytes(pack(idx_bytes(IMAGES)))
    (tmp_path / "labels").write_bytes(pack(idx_bytes(IMAGES[0, 0])))
    assert np.array_equal(read_idx(tmp_path / "images", 3), IMAGES)
    assert read_idx(tmp_path / "labels", 1).tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "ends after 0 bytes; expected an idx header of 16"),
        (idx_bytes(IMAGES)[:10], "ends after 10 bytes; expected an idx header of 16"),
        (idx_bytes(IMAGES)[:-1], r"holds 23 values; expected 24 for the shape \(2, 3, 4\)"),
        (idx_bytes(IMAGES) + b"!", r"holds 25 values; expected 24"),
        (idx_bytes(IMAGES, kind=0x0D), "begins with 00 00 0d 03; expected 00 00 08 03"),
        (idx_bytes(IMAGES[0]) + b"\0" * 4, "begins with 00 00 08 02; expected 00 00 08 03"),
        (struct.pack(">HBB3I", 0, 8, 3, *[2**32 - 1] * 3), "holds 0 values; expected 79228"),
        (b"<!DOCTYPE html><html></html>", "begins with 3c 21 44 4f; expected 00 00 08 03"),
        (gzip.compress(idx_bytes(IMAGES))[:-9], "cannot be unpacked; expected a whole gzip file"),
        (gzip.compress(idx_bytes(IMAGES))[:-5] + b"12345", "cannot be unpacked; expected a whole gzip file"),
        (b"\x1f\x8bnonsense", "cannot be unpacked; expected a whole gzip file"),
    ],
    # A gzip file holds the time: without names of their own, cases would have another one in every process.
    ids=[
        "empty", "no header", "too short", "too long", "another type", "labels", "a bomb", "a web page",
        "gzip cut off", "gzip with a wrong sum", "no gzip",
    ],
)  # fmt: skip
def test_a_wrong_file_is_named_with_what_was_expected(tmp_path, content, message):
    (tmp_path / "wrong.gz").write_bytes(content)
    with pytest.raises(DataError, match=rf"wrong\.gz {message}"):
        read_idx(tmp_path / "wrong.gz", 3)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nothing\.gz.* cannot be read: No such file"):
        read_idx(tmp_path / "nothing.gz", 3)


def test_a_few_bytes_cannot_unpack_to_no_end(tmp_path, monkeypatch):
    monkeypatch.setattr(idx, "LARGEST", 1000)
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(bytes(10_000)))
    with pytest.raises(DataError, match=r"bomb\.gz holds more than 1000 bytes"):
        read_idx(tmp_path / "bomb.gz", 3)
