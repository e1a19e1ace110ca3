"""The feature store against plain files, in one run: about one backbone on all of LFW, and a million small rows."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from record import interleaved_seconds, write

from ghbench.store import FeatureKey, FeatureStore

try:
    import h5py
except ImportError:
    h5py = None
SIZES = {(13_000, 2_048): 5, (1_000_000, 512): 3}
"""Rows and numbers a row, and how often each is timed."""
OURS = "ghbench store"


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
    """Time writing and reading of each size, and write it down."""
    rows, numbers = [], {}
    for (count, dim), repeats in SIZES.items():
        writing, reading, damaged = times(count, dim, repeats)
        size = f"{count:,} x {dim:,}, {count * dim * 4 / 1e9:.1f} GB"
        numbers[size] = {"write_seconds": writing, "read_seconds": reading, "flipped_bit_found": damaged}
        for name in writing:
            ratios = [f"{taken[OURS] / taken[name]:.1f}" for taken in (writing, reading)]
            cells = [f"{writing[name]:.2f} s", ratios[0], f"{reading[name]:.2f} s", ratios[1]]
            rows.append([size, name, *cells, *["yes" if name == OURS else "no"] * 3])
    found = all(one["flipped_bit_found"] for one in numbers.values())
    text = f"""
float32. Median of {" and ".join(map(str, SIZES.values()))} repeats, the ways taking turns; reading includes the sum of
all numbers, so that mapped pages are read. Ratios above 1: the store is slower by that factor.

What the time buys: every shard is hashed, and hashed again when a process first reads it; all is synced to disk when
the level is complete. In this run a single flipped bit was
{"found, and only its shard was missing" if found else "NOT found"}. Plain files are not synced, so their write time
ends in memory, but for the row that says so.
"""
    head = ["features", "way", "write", "store is slower by", "read", "store is slower by", "verified",
            "survives a kill", "resumes"]  # fmt: skip
    write("feature_store", "Feature store against plain files", text, head, rows, numbers=numbers)


def times(count: int, dim: int, repeats: int) -> tuple[dict[str, float], dict[str, float], bool]:
    """Seconds of each way to write and to read features of a size, and whether a flipped bit was found."""
    features = np.random.default_rng(0).standard_normal((count, dim), dtype=np.float32)
    ids = [str(row) for row in range(count)]
    folder = Path(tempfile.mkdtemp(prefix="ghbench-benchmark-"))
    store = FeatureStore(folder / "store")

    def write_store() -> None:
        shutil.rmtree(store.root, ignore_errors=True)
        stored = store.open(key(), ids)
        with stored.writing():
            for start, end in stored.missing_rows("level"):
                stored.write_shard("level", start, features[start:end])
            stored.complete("level")

    def read_store() -> np.ndarray:
        return store.open(key(), ids).read("level")

    ways = {OURS: (write_store, read_store), **plain_ways(features, folder)}
    try:
        written = interleaved_seconds({name: save for name, (save, _) in ways.items()}, repeats)
        read = interleaved_seconds({name: partial(_sum, load) for name, (_, load) in ways.items()}, repeats)
        assert np.array_equal(read_store(), features)
        return written, read, _flip_a_bit(store, ids)
    finally:
        shutil.rmtree(folder)


def plain_ways(features: np.ndarray, folder: Path) -> dict[str, tuple[Callable[[], object], Callable[[], np.ndarray]]]:
    """How to write and to read a plain file, by the name of the way."""

    def save_synced() -> None:
        with (folder / "synced.npy").open("wb") as file:
            np.save(file, features)
            file.flush()
            os.fsync(file.fileno())

    def save_hdf5() -> None:
        with h5py.File(folder / "features.h5", "w") as file:
            file["features"] = features

    def load_hdf5() -> np.ndarray:
        with h5py.File(folder / "features.h5") as file:
            return file["features"][:]

    npy, synced, pt = (folder / name for name in ("features.npy", "synced.npy", "features.pt"))
    ways = {
        "np.save / np.load": (partial(np.save, npy, features), partial(np.load, npy)),
        "np.save, synced / np.load": (save_synced, partial(np.load, synced)),
        "torch.save / torch.load": (
            partial(torch.save, torch.from_numpy(features), pt),
            lambda: torch.load(pt).numpy(),
        ),
    }
    return ways if h5py is None else {**ways, "HDF5": (save_hdf5, load_hdf5)}


def _sum(load: Callable[[], np.ndarray]) -> float:
    return float(load().sum())


def _flip_a_bit(store: FeatureStore, ids: list[str]) -> bool:
    """Change one bit in the middle of all rows; whether exactly its shard is missed."""
    (path,) = store.root.glob("*/level/features.npy")
    with path.open("r+b") as file:
        middle = path.stat().st_size // 2
        file.seek(middle)
        (byte,) = file.read(1)
        file.seek(middle)
        file.write(bytes([byte ^ 1]))
    missing = store.open(key(), ids).missing_rows("level")
    return len(missing) == 1 and missing[0][0] <= len(ids) // 2 < missing[0][1]


if __name__ == "__main__":
    main()
