"""Records come back as they were written; Parquet that would grow, is damaged or none is refused by name."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from ghbench.errors import DataError
from ghbench.results.records_file import read_records

LISTS = pa.ListArray.from_arrays([0, 10**6, 2 * 10**6], np.zeros(2 * 10**6))
RECORDS = pd.DataFrame({"unit": ["a", "b", None], "row": [1, 2, 3], "score": [0.5, np.nan, 1.0], "same": [True] * 3})
RECORDS["level"] = pd.Categorical(["r4", "r8", "r4"])


def test_records_come_back_as_pandas_reads_them(tmp_path):
    for frame in (RECORDS, RECORDS[:0], pd.concat([RECORDS] * 30_000, ignore_index=True)):
        frame.to_parquet(tmp_path / "x.parquet", compression="zstd", index=False)
        pd.testing.assert_frame_equal(read_records(tmp_path / "x.parquet"), pd.read_parquet(tmp_path / "x.parquet"))


GROWING = {
    "equal numbers": lambda: np.zeros(20_000_000),
    "nulls": lambda: pa.nulls(40_000_000),
    "one long text in many rows": lambda: ["a" * 2**20] * 150,
}


@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted in kilobytes on Linux")
@pytest.mark.parametrize("kind", GROWING)
def test_a_small_file_that_grows_is_refused_in_little_memory(kind, tmp_path):
    path = tmp_path / "x.parquet"
    parquet.write_table(pa.table({"a": GROWING[kind]()}), path, compression="zstd")
    assert path.stat().st_size < 2**20
    code = (
        "import sys; from pathlib import Path; from ghbench.errors import DataError\n"
        "from ghbench.results.records_file import read_records\n"
        "try: read_records(Path(sys.argv[1]))\n"
        "except DataError as error: print(error)\n"
        "print(int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0]) // 1024)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert "more than 128 MB" in done.stdout
    assert int(done.stdout.split()[-1]) < 500


def test_lists_in_cells_are_refused(tmp_path):
    parquet.write_table(pa.table({"a": LISTS}), tmp_path / "x.parquet")
    with pytest.raises(DataError, match="lists"):
        read_records(tmp_path / "x.parquet")


def test_what_is_no_parquet_is_refused_by_name(tmp_path):
    path = tmp_path / "x.parquet"
    RECORDS.to_parquet(path)
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for damaged in [b"", b"garbage", b"PAR1PAR1", content[:-1], content[9:]] + [content] * 150:
        changed = bytearray(damaged)
        if damaged is content:
            for place in rng.integers(0, len(content), 3):
                changed[place] = rng.integers(256)
        path.write_bytes(changed)
        try:
            assert isinstance(read_records(path), pd.DataFrame)
        except DataError as error:
            refused += "x.parquet" in str(error)
    assert refused > 50
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(DataError, match="named pipe"):
        read_records(path)
