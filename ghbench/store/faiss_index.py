"""An exact FAISS index of a complete level: derived from the shards and rebuilt whenever they differ.

stage4/index-cosine.faiss    vectors, normalised for the cosine
stage4/index-cosine.json     digest of the shards, and its own sha256
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from ghbench import atomic
from ghbench.digests import digest_bytes, digest_lines
from ghbench.errors import DataError, UsageError, UserError
from ghbench.extractor import Similarity
from ghbench.extras import require
from ghbench.files import open_regular
from ghbench.store import manifest
from ghbench.store.feature_store import StoredFeatures


class IndexManifest(BaseModel):
    """`index-SIMILARITY.json`: an index is used only if both digests match."""

    model_config = ConfigDict(extra="forbid")

    schema_version: Literal[1] = 1
    similarity: Similarity
    shards_digest: str
    sha256: str


@dataclass(frozen=True, slots=True)
class FeatureIndex:
    """Nearest features of a level.

    Args:
        similarity: How vectors are compared.
        rows: Number of vectors.
        dim: Their length.
        index: The FAISS index.
    """

    similarity: Similarity
    rows: int
    dim: int
    index: Any

    def search(self, queries: NDArray[Any], k: int) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Find the most similar rows.

        Args:
            queries: floating [Q, D].
            k: Rows a query.

        Returns:
            Similarities float32 [Q, k], most similar first: the cosine, or the negated L2 distance; and dataset rows
            int64 [Q, k].

        Raises:
            UsageError: Queries of another length, or k beyond the number of rows.
        """
        if queries.ndim != 2 or queries.shape[1] != self.dim:
            raise UsageError(f"queries have shape {queries.shape}; expected [Q, {self.dim}]")
        if not 1 <= k <= self.rows:
            raise UsageError(f"k is {k}; expected 1 to {self.rows}, the number of rows")
        found, rows = self.index.search(_search_vectors(queries, self.similarity), k)
        # FAISS gives squared distances.
        similarities = found if self.similarity == "cosine" else -np.sqrt(np.maximum(found, 0.0))
        return similarities, rows


def feature_index(stored: StoredFeatures, level: str, similarity: Similarity = "cosine") -> FeatureIndex:
    """The index of a complete level: read from its file, or built if that is missing, damaged or outdated.

    Args:
        stored: Features.
        level: Name of a complete level.
        similarity: `cosine` or `l2`.

    Raises:
        DataError: The level is not complete.
        MissingError: FAISS is not installed.
    """
    faiss = require("faiss", "cpu")
    if not stored.is_complete(level):
        raise DataError(f"level {level!r} of {stored.folder.name} is not complete", fix="run the extraction again")
    path = stored.folder / level / f"index-{similarity}.faiss"
    shards_digest = digest_lines(entry.sha256 for entry in stored.notes(level))
    index = _read(faiss, path, shards_digest)
    if index is None:
        features = stored.read(level)
        index = (faiss.IndexFlatIP if similarity == "cosine" else faiss.IndexFlatL2)(features.shape[1])
        index.add(_search_vectors(features, similarity))
        content = faiss.serialize_index(index).tobytes()
        # Another process may do the same: both write the same bytes, atomically.
        atomic.write_bytes(path, content)
        made_from = IndexManifest(similarity=similarity, shards_digest=shards_digest, sha256=digest_bytes(content))
        manifest.write(made_from, path.with_suffix(".json"))
    return FeatureIndex(similarity, index.ntotal, index.d, index)


def _read(faiss: Any, path: Path, shards_digest: str) -> Any | None:
    made_from = manifest.read(IndexManifest, path.with_suffix(".json"))
    if made_from is None or made_from.shards_digest != shards_digest:
        return None
    try:
        with open_regular(path) as stream:
            content = stream.read()
    except (UserError, OSError):
        return None
    # FAISS does not validate its input; it only gets bytes that we wrote.
    if digest_bytes(content) != made_from.sha256:
        return None
    return faiss.deserialize_index(np.frombuffer(content, dtype=np.uint8))


def _search_vectors(features: NDArray[Any], similarity: Similarity) -> NDArray[np.float32]:
    """Vectors for FAISS: float32, of length 1 for the cosine; zeros stay zeros, similar to nothing."""
    rows = np.ascontiguousarray(features, dtype=np.float32)
    if similarity == "l2":
        return rows
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    return np.ascontiguousarray(rows / np.maximum(lengths, np.finfo(np.float32).tiny), dtype=np.float32)
