"""Features that an extractor already has go into the store through the same checks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from ghbench.data.subset import Subset
from ghbench.dataset import Dataset
from ghbench.extraction.checks import check_batch
from ghbench.extraction.finish import finish_level
from ghbench.extraction.target import FeatureTarget
from ghbench.extractor import ExtractorSpec


@runtime_checkable
class Precomputed(Protocol):
    """An extractor whose features were computed elsewhere."""

    def precomputed(self, dataset: Dataset) -> Mapping[str, NDArray[Any]]:
        """Features of all rows of a dataset by level, [N, D]; raises MissingError for other datasets."""
        ...


def store_precomputed(
    extractor: Precomputed, spec: ExtractorSpec, dataset: Dataset, stored: FeatureTarget, levels: Sequence[str]
) -> None:
    """Check precomputed features and put them into the store.

    Raises:
        MissingError: The extractor has none of this dataset.
        FeatureError: They are unusable.
    """
    whole: Dataset = dataset
    rows = np.arange(len(dataset))
    while isinstance(whole, Subset):  # features were made of the whole dataset
        rows, whole = whole.rows[rows], whole.whole
    checked = check_batch(extractor.precomputed(whole), spec, range(len(whole)))
    features = {level: values[rows] for level, values in checked.items()}
    with stored.writing():
        for level in [level for level in levels if not stored.is_ready(level)]:
            for start, end in stored.missing_rows(level):
                stored.write_shard(level, start, np.asarray(features[level][start:end]))
            finish_level(stored, level, spec.name, dataset)
