"""What the runner lends a task for its own computations: a device, a cache folder, progress, seeds, the one engine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench import locations
from ghbench.dataset import Dataset, content_digest
from ghbench.errors import UsageError
from ghbench.extraction import ExtractionOptions, extract_features, move, resolve_device
from ghbench.extractor import Encoder, Extractor
from ghbench.imaging import alignment
from ghbench.probes.indexed import FLAT, indexed_nearest
from ghbench.probes.knn import nearest
from ghbench.progress import Progress
from ghbench.results import files
from ghbench.running.keys import align_parts, feature_key, identity_of_extractor
from ghbench.running.options import Search
from ghbench.spec_string import parse
from ghbench.store import FeatureStore
from ghbench.store.indices import indices_folder
from ghbench.task import AnySubject


@dataclass(frozen=True)
class RunContext:
    """Satisfies `ghbench.task.Context`.

    Args:
        task: Name of the task, for its folder in the cache.
        seed: The run's seed.
        extraction: Batch size, workers, device, progress.
        store: Feature store.
        search: How neighbours are found, see `RunOptions`.
    """

    task: str
    seed: int
    extraction: ExtractionOptions
    store: FeatureStore
    search: Search = "numpy"

    @property
    def device(self) -> str:
        """Where to compute."""
        return resolve_device(self.extraction.device)

    @property
    def batch_size(self) -> int:
        """Images to compute on together."""
        return self.extraction.batch_size

    @property
    def progress(self) -> Progress:
        """Called with (done, total, label)."""
        return self.extraction.progress

    @property
    def cache(self) -> Path:
        """Folder for what is worth keeping between runs."""
        return locations.cache() / "tasks" / files.task_folder(self.task)

    def rng(self, *stream: int) -> np.random.Generator:
        """Random numbers from the run's seed; another stream gives others."""
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(0, *stream)))

    def on_device(self, subject: AnySubject) -> AnySubject:
        """The same subject, moved to the device where it can be moved."""
        move(subject, subject.spec().name, self.extraction.device)
        return subject

    def features(
        self, extractor: Extractor, dataset: Dataset, levels: Sequence[str] | None = None, *, options: str = ""
    ) -> Mapping[str, NDArray[np.float32]]:
        """Features of a dataset by level, from the store or extracted into it; see `ghbench.task.Context`."""
        spec = extractor.spec()
        if not isinstance(extractor, Encoder):
            raise UsageError(f"{spec.name!r} encodes no images")
        wanted = spec.default_levels if levels is None else tuple(levels)
        unknown = set(wanted) - {level.name for level in spec.levels}
        if unknown:
            raise UsageError(f"{spec.name!r} has no level {', '.join(sorted(unknown))}")
        align = alignment(spec.preprocessing.align)
        built_from = identity_of_extractor(parse(options)) if options else spec.name
        key = feature_key(spec, built_from, dataset.card().name, content_digest(dataset), align_parts(align))
        stored = self.store.open(key, dataset.ids)
        extract_features(extractor, spec, dataset, stored, wanted, align.name, self.extraction)
        return {level: np.asarray(stored.read(level), dtype=np.float32) for level in wanted}

    def nearest(
        self,
        queries: NDArray[Any],
        features: NDArray[Any],
        k: int,
        kind: str,
        *,
        excluded: NDArray[np.int64] | None = None,
        index: str = "",
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The k most similar rows; see `ghbench.task.Context`."""
        if self.search == "numpy" and not index:
            return nearest(queries, features, k, kind, excluded=excluded)
        return indexed_nearest(queries, features, k, kind, indices_folder(), excluded=excluded, factory=index or FLAT)
