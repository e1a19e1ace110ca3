"""Nearest neighbours by NumPy and by a flat index of FAISS, beside scikit-learn's brute force."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from record import interleaved_seconds, write
from sklearn.neighbors import NearestNeighbors

from ghbench.probes.indexed import indexed_nearest
from ghbench.probes.knn import nearest

ROWS, WIDTH, QUERIES, REPEATS = 60_000, 256, 5_000, 3
LIMIT = "products alone"


def main() -> None:
    """Time, compare what is found, and write the table."""
    draw = np.random.default_rng(0)
    features, queries = (draw.normal(size=(count, WIDTH)).astype(np.float32) for count in (ROWS, QUERIES))
    rows, numbers = [], {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for k in (5, 20, 200):
            model = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(features)
            ways = {
                "ghbench": lambda k=k: nearest(queries, features, k, "l2")[0],
                "ghbench, FAISS": lambda k=k: indexed_nearest(queries, features, k, "l2", folder)[0],
                "scikit-learn": lambda model=model: model.kneighbors(queries, return_distance=False),
            }
            found = {way: call() for way, call in ways.items()}
            ways[LIMIT] = lambda: products(queries, features)
            equal = {way: float((rows_of == found["scikit-learn"]).mean()) for way, rows_of in found.items()}
            assert min(equal.values()) > 0.999
            seconds = interleaved_seconds(ways, REPEATS)
            theirs = seconds["scikit-learn"]
            rows += [
                [way, str(k), f"{taken:.2f} s", f"{theirs / taken:.1f}", f"{equal[way]:.2%}" if way in equal else ""]
                for way, taken in seconds.items()
            ]
            numbers[f"k {k}"] = seconds
    text = f"""
The k nearest of {ROWS:,} rows of {WIDTH} numbers, float32, for {QUERIES:,} queries, by Euclidean distance; making the
index is part of the time. *Equal*: share of neighbours that scikit-learn finds too, at the same rank. *Products alone*:
all scalar products in blocks, with nothing chosen; an exact search in float32 that looks at every row takes no less.
"""
    head = ["way", "k", "seconds", "times as fast as scikit-learn", "equal"]
    write("neighbours", "Nearest neighbours", text, head, rows, numbers=numbers)


def products(queries: np.ndarray, features: np.ndarray) -> None:
    """All scalar products, each block over the one before."""
    block = np.empty((1_000, 2_000), np.float32)
    for rows in range(0, len(features), block.shape[1]):
        known = features[rows : rows + block.shape[1]].T
        for start in range(0, len(queries), len(block)):
            np.matmul(queries[start : start + len(block)], known, out=block)


if __name__ == "__main__":
    main()
