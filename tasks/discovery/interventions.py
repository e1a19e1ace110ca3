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
from ghbench.task import Evaluation, Metric, Policy, Reference, Role, Score, TaskInputs, Units

IMAGES, OTHER = "images", -1
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
    metrics: tuple[Metric, ...] = field(
        default=(
            Metric("centre", "row of W+", bounds=None),
            Metric("share", "of the distance of two pictures", bounds=None),
        ),
        init=False,
    )
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
    def name(self) -> str:
        """Canonical spec string."""
        inner = {f"dataset.{key}": value for key, value in self.source.options.items()}
        whole = SpecString(self.source.name, self.source.package, self.source.attribute)
        own = {} if self.source == DEFAULT else {"dataset": str(whole), **inner}
        return str(SpecString("interventions", options=own))

    def protocol(self) -> dict[str, Any]:
        """The protocol as JSON values."""
        return {
            "kind": "interventions",
            "dataset": self.source.name,
            "share": "of row i: mean squared distance of features when row i of the code is drawn anew, over that of "
            "two pictures",
            "pairs": "each picture and the next one, the last with the first",
            "centre": "mean row, weighted by the shares",
            "tuned": "nothing",
        }

    def roles(self) -> Mapping[str, Role]:
        """The pictures."""
        return {IMAGES: Role(self.dataset)}

    def check_datasets(self, datasets: Mapping[str, Dataset]) -> None:
        """Refuse pictures whose interventions are not known, see `ghbench.task.Checking`."""
        missing = {"picture", "row"} - set(datasets[IMAGES].targets)
        if missing:
            raise DataError(f"{self.source.name} has no target {' and '.join(sorted(missing))}")
        if not (datasets[IMAGES].targets["row"].values == OTHER).sum() > 1:
            raise DataError("expected two whole pictures or more", fix="use no --limit, or a larger one")

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
        """The share of each row, and their centre.

        Args:
            records: What `evaluate` returned.
            sample_weight: float64 [N], None for all ones.
        """
        weight = np.ones(len(records)) if sample_weight is None else sample_weight
        row = records["row"].to_numpy().astype(np.int64) + 1
        total = np.bincount(row, weight * records["distance"].to_numpy(np.float64))
        means = np.divide(total, count := np.bincount(row, weight), out=np.full(len(total), np.nan), where=count > 0)
        shares = means[1:] / means[0] if means[0] > 0 else np.full(len(means) - 1, np.nan)
        centre = float((shares * np.arange(len(shares))).sum() / shares.sum()) if shares.sum() > 0 else np.nan
        return [Score("centre", centre), *(Score("share", float(one), f"row-{n}") for n, one in enumerate(shares))]

    def units(self, records: pd.DataFrame) -> Units:
        """Pictures; a pair of two whole ones belongs to both."""
        first, second = (records[name].to_numpy().astype(np.int64) for name in ("picture", "other"))
        names = np.unique(np.concatenate([first, second]))
        return Units(
            "pictures", np.searchsorted(names, first), np.searchsorted(names, second), len(names), names.tolist()
        )

    @cached_property
    def dataset(self) -> Dataset:
        """The pictures."""
        return cast("Dataset", registry.build("dataset", self.source))
