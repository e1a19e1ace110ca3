"""Footers of Parquet agree with Arrow's reading, and damaged ones raise nothing but `ValueError`."""

from __future__ import annotations

import contextlib

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from ghbench.parquet_footer import row_groups

KINDS = ("BOOLEAN", "INT32", "INT64", "INT96", "FLOAT", "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY")
TABLE = pa.table({
    "flag": [True, None, False], "text": ["a", "", None], "row": pa.array([1, 2, 3], pa.int32()),
    "many": pa.array([[1.0, 2.0], [], [3.0]], pa.list_(pa.float64())), "half": pa.array([0, 1, 2], pa.float32()),
    "fixed": pa.array([b"abc", b"def", b"ghi"], pa.binary(3)),
    "pair": pa.array([[1, 2], [3, 4], [5, 6]], pa.list_(pa.int64(), 2)), **{f"column {n}": [n] * 3 for n in range(20)},
})  # fmt: skip


@pytest.fixture
def path(tmp_path):
    parquet.write_table(TABLE, tmp_path / "a.parquet", row_group_size=2)
    return tmp_path / "a.parquet"


def test_what_is_declared_is_what_arrow_reads(path):
    about = parquet.ParquetFile(path).metadata
    found = row_groups(path)
    assert len(found) == about.num_row_groups == 2
    for number, group in enumerate(found):
        theirs = about.row_group(number)
        columns = [theirs.column(place) for place in range(theirs.num_columns)]
        assert group.size == theirs.total_byte_size
        assert [(KINDS[one.kind], one.values) for one in group.columns] == [
            (one.physical_type, one.num_values) for one in columns
        ]


def test_damaged_footers_raise_one_kind_of_error(path):
    content, rng, refused = path.read_bytes(), np.random.default_rng(0), 0
    footer = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    for _ in range(3_000):
        damaged = bytearray(content)
        for place in rng.integers(footer, len(content), 3):
            damaged[place] = rng.integers(256)
        path.write_bytes(damaged)
        with contextlib.suppress(ValueError):
            row_groups(path)
            continue
        refused += 1
    assert refused > 100


@pytest.mark.parametrize(
    "content", [b"", b"PAR1", b"PAR1" * 3, b"\xff\xff\xff\xffPAR1", b"\x1c" * 5_000 + b"\x88\x13\0\0PAR1"]
)
def test_what_is_no_footer_is_refused(tmp_path, content):
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(ValueError, match="footer"):
        row_groups(tmp_path / "a")
