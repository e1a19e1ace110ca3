"""How alike two encoders are on the same images, level by level, with intervals and what unrelated images give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ghbench.analysis.sources import different_images, encode, load_images
from ghbench.dataset import Dataset, labels
from ghbench.errors import UsageError
from ghbench.metrics.jackknife import jackknife_error, t_interval, unit_groups
from ghbench.metrics.similarity import MEASURES, NEIGHBOURS, RSA_IMAGES, permuted_values, replicates_of
from ghbench.running.options import RunOptions

DEFAULT_MEASURES = ("cka", "rsa-spearman", "mutual-knn")
GROUPS = 50
"""Groups of units that are left out in turn, at most."""
PERMUTATIONS = 19
"""The largest of 19 is exceeded by unrelated encoders with probability 1/20."""
PERMUTED_IMAGES = 1_000
"""Images of the permuted values of CKA and RSA, at most; with more images they only come closer to 0."""


@dataclass(frozen=True, slots=True)
class LevelSimilarity:
    """One measure between two levels.

    Args:
        measure: Name in `ghbench.metrics.similarity.MEASURES`.
        first: Level of the first encoder.
        second: Level of the second one.
        value: The value; NaN where a level tells no images apart.
        low: Lower end of the 95 % interval, NaN where there is none.
        high: Upper end.
        null: Mean value with the rows of the second encoder permuted.
        null_high: Largest of 19 such values.
    """

    measure: str
    first: str
    second: str
    value: float
    low: float
    high: float
    null: float
    null_high: float


@dataclass(frozen=True, slots=True)
class Similarity:
    """Two encoders on the same images.

    Args:
        first: Spec string of the first encoder.
        second: Spec string of the second one.
        data: Name of the dataset.
        images: Different images in use.
        unit: What was left out, with the numbers of units and groups: `40 people in 40 groups`.
        notes: What a reader should know.
        rows: Measure by measure, level by level.
    """

    first: str
    second: str
    data: str
    images: int
    unit: str
    notes: tuple[str, ...]
    rows: tuple[LevelSimilarity, ...]

    def matrix(self, measure: str) -> NDArray[np.float64]:
        """Values of a measure, float64 [levels of the first, levels of the second]."""
        rows = [row for row in self.rows if row.measure == measure]
        down = len(dict.fromkeys(row.first for row in rows))
        return np.array([row.value for row in rows]).reshape(down, -1)

    def levels(self) -> tuple[list[str], list[str]]:
        """Levels of the first and of the second encoder, in their order."""
        return list(dict.fromkeys(row.first for row in self.rows)), list(dict.fromkeys(row.second for row in self.rows))


def compare_encoders(
    first: str,
    second: str,
    data: str | Dataset,
    measures: Sequence[str] = DEFAULT_MEASURES,
    *,
    neighbours: int = NEIGHBOURS,
    options: RunOptions | None = None,
) -> Similarity:
    """Compare two encoders beyond scores.

    Args:
        first: Spec string, with `level=` as anywhere.
        second: Another one, or the same with other levels.
        data: A folder, the spec string of a dataset, or the dataset.
        measures: Names in `ghbench.metrics.similarity.MEASURES`.
        neighbours: k of `mutual-knn`.
        options: Alignment, limit, seed, dtype, extraction and store are used.

    Returns:
        Values of all pairs of levels with 95 % intervals by the jackknife over people, where labels are people, else
        over images.

    Raises:
        UsageError: No such measure, no features, or too few images.
    """
    options = options or RunOptions()
    unknown = [measure for measure in measures if measure not in MEASURES]
    if unknown or not measures:
        raise UsageError(f"there is no measure {', '.join(unknown) or ''!r}; choose among {', '.join(MEASURES)}")
    if neighbours != NEIGHBOURS and "mutual-knn" not in measures:
        raise UsageError(f"{neighbours} neighbours are for mutual-knn", fix="add that measure, or leave them out")
    dataset, repeated = different_images(load_images(data) if isinstance(data, str) else data, options.limit)
    one, two = (encode(extractor, dataset, options) for extractor in (first, second))
    kind, units = _units(dataset)
    groups = unit_groups(units, GROUPS, options.seed)
    sides = [list(one.levels.values()), list(two.levels.values())]
    notes = [f"{repeated} repeated images left out"] if repeated else []
    if one.align != two.align:
        notes.append(f"images are aligned by {one.align} for the first and by {two.align} for the second encoder")
    if "mutual-knn" in measures and 2 * neighbours >= len(dataset):
        notes.append(f"mutual-knn: of {len(dataset)} images each has {neighbours} neighbours, so chance is near 1")
    rows: list[LevelSimilarity] = []
    chosen = np.random.default_rng(options.seed)
    for done, measure in enumerate(dict.fromkeys(measures)):
        options.extraction.progress(done, len(measures), "measures of similarity")
        inside = np.arange(len(dataset))
        if measure.startswith("rsa") and len(dataset) > RSA_IMAGES:
            inside = np.sort(chosen.choice(len(dataset), RSA_IMAGES, replace=False))
            notes.append(f"{measure} on {RSA_IMAGES:,} of {len(dataset):,} images, chosen at random")
        used = inside if measure == "mutual-knn" else inside[np.sort(chosen.permutation(len(inside))[:PERMUTED_IMAGES])]
        group = np.unique(groups[inside], return_inverse=True)[1]
        left, right = ([level[inside] for level in side] for side in sides)
        values, without = replicates_of(measure, left, right, group, neighbours)
        errors = jackknife_error(without) if len(without) else np.full(values.shape, np.nan)
        left, right = ([level[used] for level in side] for side in sides)
        null = permuted_values(measure, left, right, PERMUTATIONS, chosen, neighbours)
        for (i, j), value in np.ndenumerate(values):
            low, high = t_interval(float(value), float(errors[i, j]), len(without))
            low, high = np.clip((low, high), 0 if measure == "mutual-knn" else -1, 1).tolist()
            names = list(one.levels)[i], list(two.levels)[j]
            beside = float(null[:, i, j].mean()), float(null[:, i, j].max())
            rows.append(LevelSimilarity(measure, *names, float(value), low, high, *beside))
    options.extraction.progress(len(measures), len(measures), "measures of similarity")
    unit = f"{len(np.unique(units)):,} {kind} in {int(groups.max()) + 1} groups"
    return Similarity(one.name, two.name, dataset.card().name, len(dataset), unit, tuple(notes), tuple(rows))


def _units(dataset: Dataset) -> tuple[str, NDArray[np.int64]]:
    """What is left out together: people, else single images."""
    if dataset.card().by_person:
        return "people", labels(dataset).values
    return "images", np.arange(len(dataset), dtype=np.int64)
