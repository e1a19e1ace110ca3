"""Features for other programs: what is written is read back equal, a block at a time."""

from __future__ import annotations

import io
import json
import tarfile
import tracemalloc

import numpy as np
import pytest

from ghbench.errors import UsageError
from ghbench.store import feature_files
from ghbench.store.feature_files import read_features, write_features

ROWS = 9_000  # more than two blocks
IDS = [f"image {row}" for row in range(ROWS)]
ABOUT = {"key_digest": "abc"}


@pytest.fixture(scope="module")
def levels():
    draw = np.random.default_rng(0)
    return {
        "coarse": draw.normal(size=(ROWS, 3)).astype(np.float32),
        "fine": draw.normal(size=(ROWS, 5)).astype(np.float16),
    }


@pytest.mark.parametrize("suffix", [".npz", ".parquet", ".safetensors"])
def test_what_is_written_is_read_back(tmp_path, levels, suffix):
    write_features(tmp_path / f"f{suffix}", levels, IDS, ABOUT, force=False)
    found = read_features(tmp_path / f"f{suffix}")
    assert (found.ids, found.about) == (IDS, ABOUT)
    for level, values in levels.items():
        assert found.levels[level].dtype == values.dtype
        np.testing.assert_array_equal(found.levels[level], values)


def test_an_archive_holds_one_sample_a_row(tmp_path, levels):
    few = {level: values[:3] for level, values in levels.items()}
    write_features(tmp_path / "f.tar", few, IDS[:3], ABOUT, force=False)
    with tarfile.open(tmp_path / "f.tar") as archive:
        content = {member.name: archive.extractfile(member).read() for member in archive}
        assert json.loads(archive.pax_headers["ghbench"]) == ABOUT
    # WebDataset joins what is equal up to the first dot.
    assert {name.partition(".")[0] for name in content} == {"0000000", "0000001", "0000002"}
    assert content["0000002.id"] == b"image 2"
    np.testing.assert_array_equal(np.load(io.BytesIO(content["0000002.fine.npy"])), few["fine"][2])


def test_a_name_with_a_numbers_place_makes_many_archives(tmp_path, levels, monkeypatch):
    monkeypatch.setattr(feature_files, "SHARD_ROWS", 4)
    target, other = tmp_path / "f-%02d.tar", tmp_path / "f-notes.tar"
    other.write_bytes(b"mine")

    def write(rows, *, force):
        write_features(target, {level: values[:rows] for level, values in levels.items()}, IDS[:rows], {}, force=force)
        return sorted(path.name for path in tmp_path.glob("f-0*.tar"))

    assert write(10, force=False) == ["f-00.tar", "f-01.tar", "f-02.tar"]
    with tarfile.open(tmp_path / "f-02.tar") as archive:
        assert {name.partition(".")[0] for name in archive.getnames()} == {"0000008", "0000009"}
        row = np.load(io.BytesIO(archive.extractfile("0000009.coarse.npy").read()))
    np.testing.assert_array_equal(row, levels["coarse"][9])
    with pytest.raises(UsageError, match=r"f-00\.tar exists already"):
        write(10, force=False)
    assert write(8, force=True) == ["f-00.tar", "f-01.tar"]
    assert other.read_bytes() == b"mine"


@pytest.mark.parametrize("suffix", [".npz", ".parquet", ".safetensors", ".tar"])
def test_rows_are_never_all_in_memory(tmp_path, suffix):
    np.save(tmp_path / "big.npy", np.zeros((20_000, 512), np.float32))  # 41 MB
    mapped = np.load(tmp_path / "big.npy", mmap_mode="r")
    ids = [str(row) for row in range(len(mapped))]
    write_features(tmp_path / f"first{suffix}", {"a": mapped[:8]}, ids[:8], {}, force=False)  # imports
    tracemalloc.start()
    write_features(tmp_path / f"f{suffix}", {"a": mapped}, ids, {}, force=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 25e6
