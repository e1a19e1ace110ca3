"""Imported features as an extractor."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ghbench.dataset import Dataset
from ghbench.extractor import ExtractorSpec, Level, Preprocessing, TrainingRecord
from ghbench.store.imported import Comparison, ImportedTraining, load_imported


class Imported:
    """Features imported by `ghbench cache import`; they exist for one dataset.

    Args:
        name: Their name, given at the import.
        similarity: `cosine` or `l2`; None: as the file said, else `cosine`.
    """

    def __init__(self, name: str, similarity: Literal["cosine", "l2"] | None = None) -> None:
        self._features = load_imported(name)
        self._similarity: Literal["cosine", "l2"] | None = similarity

    def spec(self) -> ExtractorSpec:
        """Levels and digest as imported; the training as it was stated."""
        manifest = self._features.manifest
        stated = manifest.training or ImportedTraining()
        compared = manifest.comparison or Comparison()
        levels = tuple(Level(level, dim) for level, dim in manifest.dims.items())
        return ExtractorSpec(
            name=manifest.name,
            version="1",
            levels=levels,
            default_levels=tuple(level.name for level in levels),
            preprocessing=Preprocessing((0, 0), resize="elsewhere", grey="elsewhere", normalise="elsewhere"),
            weights_digest=manifest.digest,
            training=TrainingRecord(
                datasets=tuple(stated.datasets),
                image_digests=None,
                supervision=stated.supervision,
                domain=stated.domain,
            ),
            licence=stated.licence,
            similarity=self._similarity or compared.similarity,
            centred=compared.centred,
            mean=None
            if compared.mean is None
            else {level: np.asarray(mean, dtype=np.float32) for level, mean in compared.mean.items()},
            backend="imported-float32",
        )

    def precomputed(self, dataset: Dataset) -> dict[str, NDArray[Any]]:
        """The imported features, if they are of this dataset."""
        return self._features.of(dataset)
