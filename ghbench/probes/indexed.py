"""Nearest rows by an index of FAISS. What it finds is ranked again, so that a flat index answers as `nearest` does.

An index that has to be trained is kept in the cache; it is derived from the features, and made again where they differ.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from ghbench import atomic
from ghbench.digests import digest_array, digest_file, digest_json
from ghbench.errors import DataError, UsageError, UserError
from ghbench.extras import require
from ghbench.files import read_text
from ghbench.probes.comparison import Comparison, Features
from ghbench.probes.knn import nearest

FLAT = "Flat"
"""The index that looks at every row."""
_SPARE = 8  # rows found beyond k: equally similar ones may be ranked otherwise by FAISS
_CLOSE = 1e-5  # similarities that float32 may exchange, as a share of the largest
_ADDED = 64_000_000  # numbers that an index takes at once
_TRAINED = 300_000  # rows that an index is trained on, at most


class _Kept(BaseModel):
    """Beside an index: what its bytes must be."""

    model_config = ConfigDict(extra="forbid")

    sha256: str


def indexed_nearest(
    queries: Features,
    features: Features,
    k: int,
    kind: str,
    folder: Path,
    *,
    excluded: NDArray[np.int64] | None = None,
    factory: str = FLAT,
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The k most similar rows, see `ghbench.probes.knn.nearest`; approximately so unless the index is flat.

    Args:
        queries: [M, D].
        features: [N, D].
        k: Neighbours.
        kind: `cosine`, or `l2` for the negated Euclidean distance.
        folder: Where trained indices are kept.
        excluded: int64 [M] row of `features` that is left out for each query: itself. None: none is.
        factory: What FAISS's `index_factory` understands, `Flat`, `HNSW32`, `IVF256,Flat`; behind an @ how it searches:
            `IVF256,Flat@nprobe=16`.

    Returns:
        Rows int64 [M, k] and their similarities float32 [M, k].

    Raises:
        MissingError: FAISS is not installed.
        UsageError: FAISS cannot make such an index of these features.
        DataError: Fewer than k rows are left or found, or the dimensions differ.
    """
    faiss = require("faiss", "cpu")
    left = len(features) - (excluded is not None)
    if queries.shape[1:] != features.shape[1:] or not 1 <= k <= left:
        raise DataError(f"{k} neighbours among {left} rows of {features.shape[1:]} for {queries.shape[1:]}")
    comparison = Comparison.of(features, kind)
    asked = np.ascontiguousarray(comparison.plain(queries))
    made, at, search = factory.partition("@")
    index = _index(faiss, features, comparison, made, folder)
    if factory == FLAT and hasattr(faiss, "get_num_gpus") and faiss.get_num_gpus():
        index = faiss.index_cpu_to_all_gpus(index)
    wanted = min(k + _SPARE, len(features))
    try:
        if at:
            if "efConstruction" in search:  # FAISS takes it, and nothing changes any more
                raise RuntimeError("it is for making an index")
            faiss.ParameterSpace().set_index_parameters(index, search)
        found = index.search(asked, wanted)[1].astype(np.int64)
    except RuntimeError as error:
        raise UsageError(f"FAISS cannot search by {search!r}: {_last_line(error)}", fix=f"{made}@nprobe=16") from error
    facing = comparison.asked(queries)
    values = comparison.exact_of(facing, features, found)
    if excluded is not None:
        values[found == excluded[:, None]] = -np.inf
    rows, scores = _ranked(found, values, k)
    if not np.isfinite(scores).all():
        raise DataError(f"the index {factory} finds fewer than {k} neighbours", fix="an index that searches further")
    similarities = comparison.similarities(scores, facing)
    if factory == FLAT and wanted < len(features):
        # Where what was not found may be as similar, all rows are looked at.
        edge = values.min(axis=1, where=np.isfinite(values), initial=np.inf)
        lengths = np.einsum("md,md->m", facing, facing) - edge  # FAISS subtracts squares of about this size
        close = np.flatnonzero(scores[:, -1] - edge <= _CLOSE * (1.0 if kind == "cosine" else lengths))
        if len(close):
            own = None if excluded is None else excluded[close]
            rows[close], similarities[close] = nearest(queries[close], features, k, kind, excluded=own)
    return rows, similarities


def open_index(features: Features, kind: str, factory: str, folder: Path) -> Any:
    """The index of FAISS that `indexed_nearest` searches, of rows as `Comparison.plain` makes them.

    Args:
        features: [N, D].
        kind: `cosine`, or `l2` for the negated Euclidean distance.
        factory: What FAISS's `index_factory` understands.
        folder: Where trained indices are kept.

    Raises:
        MissingError: FAISS is not installed.
        UsageError: FAISS cannot make such an index of these features.
    """
    return _index(require("faiss", "cpu"), features, Comparison.of(features, kind), factory, folder)


def _ranked(
    found: NDArray[np.int64], values: NDArray[np.float32], k: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """The k best of what was found; of equally similar rows the first."""
    by_row = np.argsort(found, axis=1)
    found, values = np.take_along_axis(found, by_row, axis=1), np.take_along_axis(values, by_row, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(found, order, axis=1), np.take_along_axis(values, order, axis=1)


def _index(faiss: Any, features: Features, comparison: Comparison, factory: str, folder: Path) -> Any:
    """An index of all rows, which are read in blocks; kept unless it is flat."""
    metric = faiss.METRIC_INNER_PRODUCT if comparison.kind == "cosine" else faiss.METRIC_L2
    try:
        index = faiss.index_factory(features.shape[1], factory, metric)
    except RuntimeError as error:
        raise UsageError(f"FAISS knows no index {factory!r}: {_last_line(error)}", fix="Flat or HNSW32") from error
    if factory == FLAT:
        for block in _blocks(features):
            index.add(comparison.plain(features[block]))
        return index
    content = [digest_array(np.asarray(features[block])) for block in _blocks(features)]
    path = folder / f"{digest_json([content, comparison.kind, factory, faiss.__version__])[:32]}.faiss"
    kept = _read(faiss, path)
    if kept is not None:
        return kept
    try:
        if not index.is_trained:
            some = np.random.default_rng(0).choice(len(features), min(len(features), _TRAINED), replace=False)
            index.train(comparison.plain(features[np.sort(some)]))
        for block in _blocks(features):
            index.add(comparison.plain(features[block]))
    except RuntimeError as error:
        raise UsageError(f"FAISS makes no index {factory!r} of {features.shape}: {_last_line(error)}") from error
    # Another process may do the same: both write whole files.
    with atomic.atomic_file(path) as stream:
        faiss.write_index(index, faiss.PyCallbackIOWriter(stream.write))
    atomic.write_text(path.with_suffix(".json"), _Kept(sha256=digest_file(path)).model_dump_json())
    return index


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1]


def _blocks(features: Features) -> Iterator[slice]:
    size = max(1, _ADDED // max(features.shape[1], 1))
    for start in range(0, len(features), size):
        yield slice(start, start + size)


def _read(faiss: Any, path: Path) -> Any | None:
    """A kept index; None where there is none, or where it is not what was written: FAISS does not check its input."""
    try:
        kept = _Kept.model_validate_json(read_text(path.with_suffix(".json")))
        if digest_file(path) != kept.sha256:
            return None
        index = faiss.read_index(str(path))
    except (UserError, OSError, ValidationError, ValueError, RuntimeError):
        return None
    with suppress(OSError):  # a cache that others own is read all the same
        os.utime(path)
    return index
