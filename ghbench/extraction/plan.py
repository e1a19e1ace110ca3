"""Extraction in three parts that know nothing of each other: a plan, the encoding of a shard, its commit to the store.

The local engine runs them one after the other. Plans, shards and what comes of them can be pickled, so another engine
can encode shards on other machines and commit them in any order.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.dataset import Dataset
from ghbench.errors import PluginError, UserError
from ghbench.extraction.checks import check_batch, check_repeatable
from ghbench.extraction.loader import Batch, batches
from ghbench.extraction.target import FeatureTarget
from ghbench.extractor import Encoder, ExtractorSpec
from ghbench.resident_memory import PEAK
from ghbench.store import ShardNote
from ghbench.user_code import known_fix, user_frame

_PROBED_IMAGES = 3
_OUT_OF_MEMORY = (
    "out of memory",  # CUDA and most others
    "allocate memory",  # torch's CPU allocator, ONNX Runtime
    "alloc_failed",  # cuBLAS and cuDNN
    "bad_alloc",  # C++ libraries
)


@dataclass(frozen=True, slots=True)
class Shard:
    """Consecutive rows of a dataset that are encoded and stored together.

    Args:
        start: First row.
        rows: Rows to encode, each different image once.
        source: int64 [n], for each row of the shard its image's place in `rows`.
        levels: Levels whose shard is missing.
    """

    start: int
    rows: tuple[int, ...]
    source: NDArray[np.int64]
    levels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """What has to be encoded to complete some levels of a dataset in the store.

    Args:
        dataset: The images.
        spec: The extractor's spec.
        align: Name of the alignment.
        mirrored: Whether images are flipped left to right.
        batch_size: Images a batch, at most.
        levels: Levels that are not complete.
        shards: What is missing; empty where only the last check of a level is.
    """

    dataset: Dataset
    spec: ExtractorSpec
    align: str
    mirrored: bool
    batch_size: int
    levels: tuple[str, ...]
    shards: tuple[Shard, ...]

    def batch_rows(self, shard: Shard) -> list[list[int]]:
        """Dataset rows of each batch of a shard."""
        rows = list(shard.rows)
        return [rows[at : at + self.batch_size] for at in range(0, len(rows), self.batch_size)]


@dataclass(frozen=True, slots=True)
class EncodedShard:
    """The features of a shard, ready to be committed.

    Args:
        start: First row.
        features: By level [n, D], one row a row of the dataset.
        note: How it was made.
        encoded: Images that went through the network.
    """

    start: int
    features: dict[str, NDArray[Any]]
    note: ShardNote
    encoded: int


def plan_extraction(
    spec: ExtractorSpec, dataset: Dataset, stored: FeatureTarget, levels: Sequence[str], align: str, batch_size: int
) -> Plan:
    """Find out which shards of which levels are missing; call inside `stored.writing()`.

    Args:
        spec: The extractor's spec.
        dataset: The images.
        stored: Where the features go; its key says which view.
        levels: Names of levels wanted.
        align: Name of the alignment.
        batch_size: Images a batch.
    """
    missing = {level: stored.missing_rows(level) for level in levels if not stored.is_ready(level)}
    identities = dataset.identities()
    shards = []
    for start, end in sorted({rows for ranges in missing.values() for rows in ranges}):
        first: dict[str, int] = {}
        place: list[int] = []
        rows: list[int] = []
        for row in range(start, end):
            place.append(first.setdefault(identities[row], len(first)))
            if len(first) > len(rows):
                rows.append(row)
        needed = tuple(level for level, ranges in missing.items() if (start, end) in ranges)
        shards.append(Shard(start, tuple(rows), np.asarray(place, dtype=np.int64), needed))
    return Plan(dataset, spec, align, stored.key.view == "flipped", batch_size, tuple(missing), tuple(shards))


class ShardEncoder:
    """Encodes shards, with ever smaller batches when memory runs out, and checks what comes back.

    Args:
        extractor: Encodes batches.
        plan: What to encode.
        at_once: Batches that are computed at once, each by a thread of its own.
    """

    def __init__(self, extractor: Encoder, plan: Plan, at_once: int = 1) -> None:
        self._extractor, self._plan, self._at_once = extractor, plan, at_once
        self._most, self._probed = plan.batch_size, False

    def encode(self, shard: Shard, prepared: Iterable[Batch] | None = None) -> EncodedShard:
        """Encode a shard.

        Args:
            shard: One of the plan's.
            prepared: Its batches where somebody prepares them in advance; None: they are prepared here.

        Raises:
            FeatureError: The features are unusable.
            PluginError: The extractor raised an error.
        """
        began = time.perf_counter()
        PEAK.restart()
        plan, parts, fallbacks, padded = self._plan, [], 0, 0.0
        if prepared is None:
            rows = plan.batch_rows(shard)
            prepared = batches(
                plan.dataset, rows, plan.spec.preprocessing, plan.align, mirrored=plan.mirrored, workers=0
            )
        with closing(self._computed(prepared)) as computed:
            for batch, of_batch in computed:
                parts.append(of_batch)
                self._probe(batch, of_batch)
                fallbacks += int(batch.fallback.sum())
                padded += float(batch.padded.sum())
        features = {level: np.concatenate([part[level] for part in parts])[shard.source] for level in shard.levels}
        seconds, memory = time.perf_counter() - began, round(PEAK.recent() or 0.0, 1)
        return EncodedShard(shard.start, features, ShardNote(fallbacks, padded, seconds, memory), len(shard.rows))

    def _computed(self, prepared: Iterable[Batch]) -> Generator[tuple[Batch, dict[str, NDArray[Any]]], None, None]:
        """Batches with their features, in their order."""
        if self._at_once == 1:
            for batch in prepared:
                yield batch, self._patiently(batch.images, batch.rows)
            return
        pool = ThreadPoolExecutor(self._at_once, "encoder")
        waiting: deque[tuple[Batch, Future[dict[str, NDArray[Any]]]]] = deque()
        try:
            for batch in prepared:
                waiting.append((batch, pool.submit(self._patiently, batch.images, batch.rows)))
                if len(waiting) > self._at_once:  # one more, so that no thread waits for a batch
                    first, features = waiting.popleft()
                    yield first, features.result()
            while waiting:
                first, features = waiting.popleft()
                yield first, features.result()
        finally:
            pool.shutdown(cancel_futures=True)

    def _patiently(self, images: NDArray[np.uint8], rows: list[int]) -> dict[str, NDArray[Any]]:
        parts: list[dict[str, NDArray[Any]]] = []
        done = 0
        while done < len(rows):
            end = min(done + self._most, len(rows))
            try:
                parts.append(self._encode_once(images[done:end], rows[done:end]))
            except Exception as error:
                if not _is_out_of_memory(error):
                    raise
                if end - done == 1:
                    raise PluginError(
                        f"extractor {self._plan.spec.name!r} runs out of memory with a single image: {error}",
                        fix="free some memory, or add --device cpu",
                    ) from error
                self._most = max(1, (end - done) // 2)
                continue
            done = end
        return {level: np.concatenate([part[level] for part in parts]) for level in self._plan.levels}

    def _encode_once(self, images: NDArray[np.uint8], rows: list[int]) -> dict[str, NDArray[Any]]:
        spec = self._plan.spec
        try:
            features = self._extractor.extract(images)
        except UserError:
            raise
        except Exception as error:
            if _is_out_of_memory(error):
                raise
            raise PluginError(
                f"extractor {spec.name!r} failed on rows {rows[0]} to {rows[-1]}: "
                f"{type(error).__name__}: {error}{user_frame(error)}",
                fix=known_fix(error),
            ) from error
        return check_batch(features, spec, rows, self._plan.levels)

    def _probe(self, batch: Batch, features: dict[str, NDArray[Any]]) -> None:
        """Encode a few images of the first batch again, in a smaller batch and another order."""
        if self._probed:
            return
        self._probed = True
        chosen = list(range(min(_PROBED_IMAGES, len(batch.rows))))[::-1]
        rows = [batch.rows[index] for index in chosen]
        again = self._patiently(np.ascontiguousarray(batch.images[chosen]), rows)
        expected = {level: values[chosen] for level, values in features.items()}
        check_repeatable(expected, again, self._plan.spec.name, rows)


def commit_shard(stored: FeatureTarget, shard: EncodedShard) -> None:
    """Put the features of a shard into the store; call inside `stored.writing()`.

    Raises:
        FeatureError: A number is too large for the storage dtype.
        UserError: The disk is full; the shards so far are kept.
    """
    for level, rows in shard.features.items():
        stored.write_shard(level, shard.start, rows, shard.note)


def _is_out_of_memory(error: BaseException) -> bool:
    """Whether a smaller batch may help; frameworks raise plain RuntimeErrors for it, each in its own words."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(words in text for words in _OUT_OF_MEMORY)
