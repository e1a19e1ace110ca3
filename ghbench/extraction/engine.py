"""The local extraction loop: resumable at the next missing shard, each different image encoded once."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.assets import Progress
from ghbench.dataset import Dataset
from ghbench.errors import PluginError, UsageError, UserError
from ghbench.extraction.checks import check_batch, check_repeatable
from ghbench.extraction.cores import one_core_left_over
from ghbench.extraction.finish import finish_level
from ghbench.extraction.loader import Batch, batches
from ghbench.extraction.precision import full_float32
from ghbench.extractor import Encoder, ExtractorSpec, OnDevice
from ghbench.store import ShardNote, StoredFeatures

_PROBED_IMAGES = 3
_OUT_OF_MEMORY = (
    "out of memory",  # CUDA and most others
    "allocate memory",  # torch's CPU allocator, ONNX Runtime
    "alloc_failed",  # cuBLAS and cuDNN
    "bad_alloc",  # C++ libraries
)


@dataclass(frozen=True, slots=True)
class ExtractionOptions:
    """How extraction runs; nothing here changes a feature.

    Args:
        batch_size: Images a batch; halved when memory runs out.
        workers: Decoding processes; None: as many as help.
        device: `cpu`, `cuda`, ... or `auto`.
        progress: Called with (images done, images in all, label).
    """

    batch_size: int = 32
    workers: int | None = None
    device: str = "auto"
    progress: Progress | None = None


def extract_features(
    extractor: Encoder,
    spec: ExtractorSpec,
    dataset: Dataset,
    stored: StoredFeatures,
    levels: Sequence[str],
    align: str,
    options: ExtractionOptions | None = None,
) -> int:
    """Fill the store with the levels of a dataset that are missing there.

    Two processes on one key do the work once: the second waits, and finds it done.

    Args:
        extractor: Encodes batches.
        spec: Its spec.
        dataset: Images.
        stored: Where the features go; its key says which view.
        levels: Names of levels wanted.
        align: Name of the alignment.
        options: How to run.

    Returns:
        Number of images encoded, 0 where nothing was missing.

    Raises:
        FeatureError: The features are unusable.
        PluginError: The extractor raised an error.
    """
    options = options or ExtractionOptions()
    with stored.writing():
        missing = {level: stored.missing_rows(level) for level in levels if not stored.is_ready(level)}
        if not missing:
            return 0
        first_row = _first_rows(dataset.image_digests())
        shards = sorted({rows for ranges in missing.values() for rows in ranges})
        encoded = 0
        if shards:
            _move(extractor, spec, options.device)
            encoder = _PatientEncoder(extractor, spec, tuple(missing), options.batch_size)
            prepared = _prepared_shards(dataset, shards, first_row, spec, align, stored.key.view, options)
            with closing(prepared), one_core_left_over(), full_float32():
                for (start, end), shard_batches in prepared:
                    shard = _encode_shard(encoder, shard_batches)
                    encoded += len(shard.position)
                    for level, ranges in missing.items():
                        if (start, end) in ranges:
                            rows = _rows_of_shard(level, start, end, first_row, shard, stored)
                            stored.write_shard(level, start, rows, shard.note)
        for level in missing:
            finish_level(stored, level, spec, dataset.image_digests())
        return encoded


@dataclass(frozen=True, slots=True)
class _Shard:
    """The different images of a shard: features [N, D] by level, and which of the N a dataset row is."""

    features: dict[str, NDArray[Any]]
    position: dict[int, int]
    note: ShardNote


class _PatientEncoder:
    """Calls `extract`, with ever smaller batches when memory runs out, and checks what comes back."""

    def __init__(self, extractor: Encoder, spec: ExtractorSpec, levels: Sequence[str], batch_size: int) -> None:
        self._extractor, self._spec, self._levels, self._most = extractor, spec, levels, batch_size
        self._probed = False

    def encode(self, images: NDArray[np.uint8], rows: list[int]) -> dict[str, NDArray[Any]]:
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
                        f"extractor {self._spec.name!r} runs out of memory with a single image: {error}",
                        fix="free some memory, or add --device cpu",
                    ) from error
                self._most = max(1, (end - done) // 2)
                continue
            done = end
        return {level: np.concatenate([part[level] for part in parts]) for level in self._levels}

    def probe(self, batch: Batch, features: dict[str, NDArray[Any]]) -> None:
        """Encode a few images of the first batch again, in a smaller batch and another order."""
        if self._probed:
            return
        self._probed = True
        chosen = list(range(min(_PROBED_IMAGES, len(batch.rows))))[::-1]
        rows = [batch.rows[index] for index in chosen]
        again = self.encode(np.ascontiguousarray(batch.images[chosen]), rows)
        check_repeatable({level: values[chosen] for level, values in features.items()}, again, self._spec.name, rows)

    def _encode_once(self, images: NDArray[np.uint8], rows: list[int]) -> dict[str, NDArray[Any]]:
        try:
            features = self._extractor.extract(images)
        except UserError:
            raise
        except Exception as error:
            if _is_out_of_memory(error):
                raise
            raise PluginError(
                f"extractor {self._spec.name!r} failed on rows {rows[0]} to {rows[-1]}: {type(error).__name__}: {error}"
            ) from error
        return check_batch(features, self._spec, rows, self._levels)


def _prepared_shards(
    dataset: Dataset,
    shards: Sequence[tuple[int, int]],
    first_row: Sequence[int],
    spec: ExtractorSpec,
    align: str,
    view: str,
    options: ExtractionOptions,
) -> Generator[tuple[tuple[int, int], Iterator[Batch]], None, None]:
    """Each shard with its batches; one loader runs through all, so that workers never wait for a shard's end."""
    plan = []
    for start, end in shards:
        rows = [row for row in range(start, end) if first_row[row] == row]
        plan.append([rows[at : at + options.batch_size] for at in range(0, len(rows), options.batch_size)])
    everything = [rows for shard in plan for rows in shard]
    stream = batches(
        dataset, everything, spec.preprocessing, align, mirrored=view == "flipped", workers=options.workers
    )
    total, done = sum(len(rows) for rows in everything), 0

    def counted(number: int) -> Iterator[Batch]:
        nonlocal done
        for _ in range(number):
            batch = next(stream)
            yield batch
            done += len(batch.rows)
            if options.progress is not None:
                options.progress(done, total, f"{spec.name} on {dataset.card().name}")

    with closing(stream):
        for shard, shard_plan in zip(shards, plan, strict=True):
            yield shard, counted(len(shard_plan))


def _encode_shard(encoder: _PatientEncoder, shard_batches: Iterator[Batch]) -> _Shard:
    began = time.perf_counter()
    parts: list[dict[str, NDArray[Any]]] = []
    position: dict[int, int] = {}
    fallbacks, invented = 0, 0.0
    for batch in shard_batches:
        parts.append(encoder.encode(batch.images, batch.rows))
        encoder.probe(batch, parts[-1])
        for row in batch.rows:
            position[row] = len(position)
        fallbacks += int(batch.fallback.sum())
        invented += float(batch.invented.sum())
    features = {level: np.concatenate([part[level] for part in parts]) for level in parts[0]} if parts else {}
    return _Shard(features, position, ShardNote(fallbacks, invented, time.perf_counter() - began))


def _rows_of_shard(
    level: str, start: int, end: int, first_row: Sequence[int], shard: _Shard, stored: StoredFeatures
) -> NDArray[Any]:
    """A shard's features in order; an image that stood in an earlier shard is copied from there.

    The earlier shard is always there: shards are made in order, and those not made now were found intact.
    """
    rows = []
    for row in range(start, end):
        source = first_row[row]
        if source >= start:
            rows.append(shard.features[level][shard.position[source]])
        else:
            shard_start = source - source % stored.shard_rows
            rows.append(stored.read_shard(level, shard_start)[source - shard_start])
    return np.stack(rows)


def _first_rows(digests: Sequence[str]) -> list[int]:
    """For each row the first row with the same pixels."""
    first: dict[str, int] = {}
    return [first.setdefault(digest, row) for row, digest in enumerate(digests)]


def _is_out_of_memory(error: BaseException) -> bool:
    """Whether a smaller batch may help; frameworks raise plain RuntimeErrors for it, each in its own words."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or any(words in text for words in _OUT_OF_MEMORY)


def _move(extractor: Encoder, spec: ExtractorSpec, device: str) -> None:
    if not isinstance(extractor, OnDevice):
        return
    device = _resolve_device(device)
    try:
        extractor.to(device)
    except UserError:
        raise
    except Exception as error:
        raise UsageError(
            f"extractor {spec.name!r} cannot be brought to {device!r}: {type(error).__name__}: {error}",
            fix="--device cpu",
        ) from error


def _resolve_device(name: str) -> str:
    if name != "auto":
        return name
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"
