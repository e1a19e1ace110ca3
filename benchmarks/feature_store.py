"""The feature store against plain files: 13,000 x 2,048 float32, about one backbone on all of LFW, in one run."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch
from record import interleaved_seconds, write

from ghbench.store import FeatureKey, FeatureStore

ROWS, DIM = 13_000, 2_048
REPEATS = 5


def key(dtype: str = "float32") -> FeatureKey:
    """A content key; what else stands in it does not matter here."""
    return FeatureKey(
        extractor="benchmark",
        extractor_version="1",
        options="benchmark",
        weights_digest="0" * 64,
        preprocessing={},
        align={},
        view="plain",
        backend="numpy-float32",
        dtype=dtype,
        dataset="benchmark",
        dataset_digest="0" * 64,
        decode_version=1,
    )


def main() -> None:
    """Time writing and reading and write it down."""
    features = np.random.default_rng(0).standard_normal((ROWS, DIM), dtype=np.float32)
    ids = [str(row) for row in range(ROWS)]
    folder = Path(tempfile.mkdtemp(prefix="ghbench-benchmark-"))
    store = FeatureStore(folder / "store")

    def write_store() -> None:
        shutil.rmtree(store.root, ignore_errors=True)
        stored = store.open(key(), ids)
        with stored.writing():
            for start, end in stored.missing_rows("level"):
                stored.write_shard("level", start, features[start:end])
            stored.complete("level")

    def read_store() -> float:
        return float(store.open(key(), ids).read("level").sum())

    def write_npy() -> None:
        np.save(folder / "features.npy", features)

    def read_npy() -> float:
        return float(np.load(folder / "features.npy").sum())

    def write_pt() -> None:
        torch.save(torch.from_numpy(features), folder / "features.pt")

    def read_pt() -> float:
        return float(torch.load(folder / "features.pt", weights_only=True).numpy().sum())

    try:
        writing = interleaved_seconds({"ghbench": write_store, "npy": write_npy, "pt": write_pt}, REPEATS)
        reading = interleaved_seconds({"ghbench": read_store, "npy": read_npy, "pt": read_pt}, REPEATS)
        assert np.array_equal(store.open(key(), ids).read("level"), features)
        damaged = _flip_a_byte(store)
    finally:
        shutil.rmtree(folder)
    names = {"ghbench": "ghbench store", "npy": "np.save / np.load", "pt": "torch.save / torch.load"}
    rows = [
        [
            title,
            f"{writing[name]:.2f} s",
            f"{writing['ghbench'] / writing[name]:.1f}",
            f"{reading[name]:.2f} s",
            f"{reading['ghbench'] / reading[name]:.1f}",
            *(["yes", "yes", "yes"] if name == "ghbench" else ["no", "no", "no"]),
        ]
        for name, title in names.items()
    ]
    text = f"""
{ROWS:,} x {DIM:,} float32 ({features.nbytes / 1e6:.0f} MB). Median of {REPEATS} repeats, the ways taking turns;
reading includes the sum of all numbers, so that mapped pages are read. Ratios above 1: the store is slower by that
factor.

What the time buys: every shard is hashed, synced to disk and renamed into place when written, and hashed again when a
process first reads it. In this run a single flipped bit was
{"found, and only its shard was missing" if damaged else "NOT found"}. Plain files are not synced, so their write time
ends in memory. For scale: at 40 images/s (mobilenet-v2 on four cores) the extraction of these rows takes more than
five minutes.
"""
    write(
        "feature_store",
        "Feature store against plain files",
        text,
        ["way", "write", "store is slower by", "read", "store is slower by", "verified", "survives a kill", "resumes"],
        rows,
        rows_dim=[ROWS, DIM],
        write_seconds=writing,
        read_seconds=reading,
        flipped_byte_found=damaged,
    )


def _flip_a_byte(store: FeatureStore) -> bool:
    """Damage the fourth shard by one bit; whether exactly that one is missed."""
    path = sorted(store.root.glob("*/level/shard-*.npy"))[3]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    stored = store.open(key(), [str(row) for row in range(ROWS)])
    return stored.missing_rows("level") == [(3 * stored.shard_rows, 4 * stored.shard_rows)]


if __name__ == "__main__":
    main()
