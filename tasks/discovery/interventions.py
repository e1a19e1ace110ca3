"""Interventions: how much of what an embedding encodes each row of a generator's code decides; no labels are needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ghbench import registry
from ghbench.dataset import Dataset
from ghbench.errors import DataError
from ghbench.extractor import Encoder
from ghbench.spec_string import SpecString
from ghbench.task import Evaluation, Metric, Policy, Reference, Role, Score, TaskInputs

IMAGES, OTHER = "images", -1
CENTRE = "centre"
ROWS = 10
"""Rows of the code of the pictures that are used by default."""
DEFAULT = SpecString("resampled")


def interventions(dataset: SpecString | None = None) -> Interventions:
    """Measure how far features move when one row of the code is drawn anew.

    Args:
        dataset: Pictures with targets `picture` and `row`; `resampled` by default.
    """
    return Interventions(dataset or DEFAULT)


@dataclass(frozen=True)
class Interventions:
    """See `interventions`; satisfies `ghbench.task.Task`.

    Args:
        source: Spec string of the dataset.
    """

    source: SpecString = DEFAULT
    version: int = field(default=1, init=False)
    requires: tuple[type, ...] = field(default=(Encoder,), init=False)
    policies: tuple[Policy, ...] = field(default=("concat",), init=False)
    references: tuple[Reference, ...] = field(
        default=(
            Reference("pixels", "pixels"), Reference("thumbnail", "thumbnail"),
            Reference("random-trunk", "untrained network"),
        ),
        init=False,
    )  # fmt: skip

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The centre of the profile, and the share of each row; none is better for being large, so none is ranked."""
        told: dict[str, Any] = {"uncertainty": "error", "bounds": None, "error": "jackknife over pictures"}
        told["higher_is_better"] = None
        return tuple(
            Metric(name, "row of W+" if name == CENTRE else "of the distance of two pictures", **told)
            for name in self._names
        )

    @property
    def _names(self) -> list[str]:
        """Names of the metrics: what is drawn anew, as the dataset calls it, or rows, and then their centre first."""
        if self.source == DEFAULT:
            return [CENTRE, *(f"row-{row}" for row in range(ROWS))]
        row = self.dataset.targets["row"]
        return list(row.names) or [CENTRE, *(f"row-{number}" for number in range(int(np.max(row.values)) + 1))]

    @property
    def name(self) -> str:
        """Canonical spec string."""
        own = {} if self.source == DEFAULT else self.source.nested("dataset")
        return str(SpecString("interventions", options=own))

    def protocol(self) -> dict[str, Any]:
        """The protocol as JSON values."""
        shares = [name for name in self._names if name != CENTRE]
        return {
            "kind": "interventions",
            "dataset": self.source.name,
            "share": f"mean squared distance of features when one of {', '.join(shares)} is changed, over that of two "
            "pictures",
            "pairs": "each picture and the next one, the last with the first",
            **({"centre": "mean row, weighted by the shares"} if CENTRE in self._names else {}),
            "tuned": "nothing",
        }

    def roles(self) -> Mapping[str, Role]:
        """The pictures."""
        return {IMAGES: Role(self.dataset)}

    def check_datasets(self, datasets: Mapping[str, Dataset]) -> None:
        """Refuse pictures whose interventions are not known, see `ghbench.task_abilities.Checking`."""
        missing = {"picture", "row"} - set(datasets[IMAGES].targets)
        if missing:
            raise DataError(f"{self.source.name} has no target {' and '.join(sorted(missing))}")
        if not (datasets[IMAGES].targets["row"].values == OTHER).sum() > 2:
            raise DataError("expected three whole pictures or more", fix="use no --limit, or a larger one")

    def evaluate(self, inputs: TaskInputs) -> Evaluation:
        """Measure distances.

        Returns:
            One record a pair: the `row` drawn anew, -1 for two whole pictures, the numbers of the two, `picture` and
            `other`, equal unless both are whole, and the squared `distance` of their features, all levels together.
        """
        targets = inputs.datasets[IMAGES].targets
        picture, row = (np.asarray(targets[name].values).astype(np.int64) for name in ("picture", "row"))
        features = inputs.features[IMAGES]["plain"]
        whole = np.flatnonzero(row == OTHER)
        own = dict(zip(picture[whole].tolist(), whole.tolist(), strict=True))
        changed = np.array([place for place in np.flatnonzero(row >= 0) if int(picture[place]) in own], np.int64)
        starts = np.array([own[int(number)] for number in picture[changed]], np.int64)
        ends, following = np.concatenate([changed, np.roll(whole, -1)]), np.concatenate([starts, whole])
        distance = np.zeros(len(ends))
        for level in inputs.levels:
            values = np.asarray(features[level], np.float32)
            for part in np.array_split(np.arange(len(ends)), max(1, len(ends) // 500)):
                gap = values[ends[part]].astype(np.float64) - values[following[part]]
                distance[part] += np.square(gap).sum(axis=1)
        records = pd.DataFrame({"row": row[ends].astype(np.int16)})
        records["picture"], records["other"] = picture[following].astype(np.int32), picture[ends].astype(np.int32)
        records["distance"] = distance.astype(np.float32)
        return Evaluation(records)

    def score(self, records: pd.DataFrame, sample_weight: NDArray[np.float64] | None = None) -> Sequence[Score]:
        """The share of what is drawn anew, and the centre of rows.

        Args:
            records: What `evaluate` returned.
            sample_weight: float64 [N], None for all ones.
        """
        weight, names = np.ones(len(records)) if sample_weight is None else sample_weight, self._names
        row, picture, other = (records[name].to_numpy().astype(np.int64) for name in ("row", "picture", "other"))
        known, both = np.unique([picture, other], return_inverse=True)
        picture, other = both.reshape(2, -1)
        pictures, rows = len(known), len(names) + (CENTRE not in names)
        # Whole pictures are compared in pairs: without a picture there is neither of its two.
        second = np.flatnonzero(row == OTHER)
        cell = np.concatenate([picture, other[second]]) * rows + np.concatenate([row, row[second]]) + 1
        distance = weight * records["distance"].to_numpy(np.float64)
        sums, counts = (
            np.bincount(cell, np.append(values, values[second]), pictures * rows)
            .reshape(pictures, rows)
            .astype(np.float64)
            for values in (distance, weight)
        )
        all_sums, all_counts = (np.bincount(row + 1, values, rows).astype(np.float64) for values in (distance, weight))
        whole = _profile(all_sums, all_counts)
        without = _profile(all_sums - sums, all_counts - counts)
        spread = np.sqrt((pictures - 1) / pictures * np.square(without - without.mean(axis=0)).sum(axis=0))
        found = zip(whole[-len(names) :], spread[-len(names) :], names, strict=True)
        return [Score(name, float(value), standard_error=float(error)) for value, error, name in found]

    @cached_property
    def dataset(self) -> Dataset:
        """The pictures."""
        return cast("Dataset", registry.build("dataset", self.source))


def _profile(sums: NDArray[np.float64], counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Centre and shares [..., 1 + rows] from sums and numbers of squared distances, those of whole pictures first."""
    with np.errstate(divide="ignore", invalid="ignore"):
        means = sums / counts
        shares = means[..., 1:] / means[..., :1]
        centre = (shares * np.arange(shares.shape[-1])).sum(axis=-1) / shares.sum(axis=-1)
    return np.concatenate([centre[..., None], shares], axis=-1)
