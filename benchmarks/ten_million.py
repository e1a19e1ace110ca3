"""Ten million codes of a generator: through the store, then nearest neighbours by indices that do not look at all rows.

    python benchmarks/ten_million.py [--store]

Takes about an hour of two cores and 25 GB of disk below GHBENCH_CACHE; with `--store` a third, for the searches stay as
they stand in the table.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import psutil
import torch
from feature_store import key
from record import RESULTS, write

from ghbench import locations
from ghbench.generators.loading import generator_plugin
from ghbench.probes.comparison import Comparison
from ghbench.probes.indexed import open_index
from ghbench.probes.knn import nearest
from ghbench.store import FeatureStore

GENERATOR, LEVEL = "mobile-stylegan-ffhq", "w"
ROWS, FEWER, K = 10_000_000, 1_000_000, 10
QUERIES, ASKED = 300, 5_000
"""Queries that the exact search answers too, and those that are timed."""
INDICES = {
    ROWS: ("IVF4096,PQ64@nprobe=16", "IVF4096,PQ64@nprobe=64"),
    FEWER: ("HNSW32@efSearch=64", "HNSW32@efSearch=256"),
}
KIND = "l2"


def main() -> None:
    """Draw, store, read, search, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", action="store_true", help="do not search")
    given = parser.parse_args()
    folder = locations.cache() / "ten-million"
    store = FeatureStore(folder)
    try:
        stored, rows = _stored(store)
        if given.store:
            numbers = json.loads((RESULTS / "ten_million.json").read_text(encoding="utf-8"))["searched"]
        else:
            numbers = _searched(stored.read(LEVEL), _codes(ASKED, seed=-1), folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    text = f"""
{ROWS:,} codes w of `{GENERATOR}`, 512 numbers each, float16, written into the store in shards and read again.
*Memory* is the largest growth of what the process holds itself, without pages of files, over what it held before, the
rows' ids among it. Rows that an earlier call has written are not timed.

Then the {K} nearest by Euclidean distance for {ASKED:,} other codes. *Recall*: share of the exact {K} that are found,
for the first {QUERIES} codes. *Opening*: making the index, or, the second time, reading it; both look at the digests
of all rows. The exact search reads all rows in blocks and is `ghbench.probes.knn.nearest`.

| rows | search | opening | a query | times as fast as exact | recall |
|---|---|---|---|---|---|
{chr(10).join(_lines(numbers))}
"""
    head = ["work", "seconds", "GB a second", "memory"]
    write("ten_million", "Ten million rows", text, head, rows, searched=numbers)


def _codes(count: int, seed: int) -> np.ndarray:
    """Codes w of random z, float16 [count, 512]."""
    z = torch.randn(count, 512, generator=torch.Generator().manual_seed(seed))
    with torch.inference_mode():
        return _generator().mapping(z)[:, 0].half().numpy()


def _generator() -> Any:
    if not _made:
        _made.append(generator_plugin(GENERATOR).load().eval())
    return _made[0]


_made: list[Any] = []


def _stored(store: FeatureStore) -> tuple[Any, list[list[str]]]:
    """Write and read all rows, and tell how long it took; what an earlier call has written is not timed."""
    before = _held()
    stored = store.open(key("float16"), [str(row) for row in range(ROWS)])
    most, writing, written = 0.0, 0.0, 0
    with stored.writing():
        for start, end in stored.missing_rows(LEVEL):
            rows = _codes(end - start, seed=start)
            seconds, _ = _timed(lambda start=start, rows=rows: stored.write_shard(LEVEL, start, rows))
            writing, written = writing + seconds, written + len(rows)
            most = max(most, _held() - before)
        ending, _ = _timed(lambda: stored.complete(LEVEL))
    told = []
    if written:
        told = [
            _line(
                "write, each shard with its sha256, and sync", writing + ending, written, max(most, _held() - before)
            ),
        ]
    again = store.open(key("float16"), stored.row_ids)
    before = _held()
    seconds, most = _timed(lambda: _read(again))
    return again, [*told, _line("read, each shard checked by its sha256", seconds, ROWS, most - before)]


def _line(what: str, seconds: float, rows: int, memory: float) -> list[str]:
    return [what, f"{seconds:.0f}", f"{rows * 512 * 2 / 1e9 / max(seconds, 1e-9):.2f}", f"{max(memory, 0):.2f} GB"]


def _read(stored: Any) -> float:
    """Sum of all numbers, in blocks; returns what is held at most."""
    whole, most = stored.read(LEVEL), 0.0
    for start in range(0, len(whole), 100_000):
        whole[start : start + 100_000].astype(np.float32).sum()
        most = max(most, _held())
    return most


def _held() -> float:
    """GB that this process holds itself, without pages of files."""
    info = psutil.Process().memory_info()
    return (info.rss - info.shared) / 1e9


def _timed(call: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    found = call()
    return time.perf_counter() - began, found


def _searched(codes: np.ndarray, queries: np.ndarray, folder: Path) -> dict[str, Any]:
    """Seconds of exact searches; of each index the seconds and the share of the exact neighbours that it finds."""
    numbers: dict[str, Any] = {}
    for rows, factories in INDICES.items():
        known = codes[:rows]
        asked = np.ascontiguousarray(Comparison.of(known, KIND).plain(queries))
        exact, (expected, _) = _timed(lambda known=known: nearest(queries[:QUERIES], known, K, KIND))
        numbers[f"{rows}, exact"] = exact
        for factory in factories:
            made, _, how = factory.partition("@")
            making, index = _timed(lambda known=known, made=made: open_index(known, KIND, made, folder / "indices"))
            faiss.ParameterSpace().set_index_parameters(index, how)
            seconds, found = _timed(lambda index=index, asked=asked: index.search(asked, K)[1])
            pairs = zip(found[:QUERIES].tolist(), expected.tolist(), strict=True)
            recall = np.mean([len({*one} & {*other}) / K for one, other in pairs])
            numbers[f"{rows}, {factory}"] = {"opening": making, "queries": seconds, "recall": recall}
    return numbers


def _lines(numbers: dict[str, Any]) -> list[str]:
    """The table of searches."""
    lines = []
    for rows, factories in INDICES.items():
        exact = numbers[f"{rows}, exact"] / QUERIES
        lines.append(f"| {rows:,} | exact |  | {1e3 * exact:.1f} ms | 1.0 | 1.000 |")
        for factory in factories:
            found = numbers[f"{rows}, {factory}"]
            each = found["queries"] / ASKED
            told = f"{found['opening']:.0f} s | {1e3 * each:.2f} ms | {exact / each:.0f} | {found['recall']:.3f}"
            lines.append(f"| {rows:,} | `{factory}` | {told} |")
    return lines


if __name__ == "__main__":
    main()
