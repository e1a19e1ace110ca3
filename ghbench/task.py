"""What a task is: datasets in roles, a protocol written down as data, `evaluate` to records and a pure `score`."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ghbench.dataset import Dataset
from ghbench.extractor import Extractor, ExtractorSpec

View = Literal["plain", "flipped"]
Policy = Literal["each", "concat", "vote", "vote-z", "fuse", "best"]
POLICIES: tuple[Policy, ...] = ("each", "concat", "vote", "vote-z", "fuse", "best")


@dataclass(frozen=True, slots=True)
class Role:
    """A dataset in the part that it plays in a task.

    Args:
        dataset: The images.
        views: Which views of them the task needs features of.
        annotations_digest: sha256 of what else the task reads about them: pairs and folds, landmarks, boxes.
    """

    dataset: Dataset
    views: tuple[View, ...] = ("plain",)
    annotations_digest: str | None = None


@dataclass(frozen=True, slots=True)
class TaskInputs:
    """All that a task may look at.

    Args:
        spec: The extractor's spec.
        levels: The levels asked for, in the extractor's order.
        policy: How several levels become one answer.
        features: By role, view and level: float32 [N, D], rows in the dataset's order.
        datasets: By role.
        extractor: The live extractor, for tasks that need an ability beyond features.
    """

    spec: ExtractorSpec
    levels: tuple[str, ...]
    policy: Policy
    features: Mapping[str, Mapping[str, Mapping[str, NDArray[np.float32]]]]
    datasets: Mapping[str, Dataset]
    extractor: Extractor | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Score:
    """One number.

    Args:
        metric: Name, in the field's terms.
        value: The point value; NaN where the sample does not define it.
        unit: `fraction`, `pixels`, `dB`...
        higher_is_better: Direction.
        level: Level it belongs to under the policy `each`, else None.
        standard_error: By a convention of the field, where there is one; such a metric gets no bootstrap interval.
    """

    metric: str
    value: float
    unit: str = "fraction"
    higher_is_better: bool = True
    level: str | None = None
    standard_error: float | None = None


@dataclass(frozen=True, slots=True)
class Units:
    """The true units of a task's records: what a bootstrap resamples.

    A record that belongs to one unit u weighs m_u, a record that compares two different units a and b weighs
    m_a * m_b, where m are the multiplicities of a draw.

    Args:
        kind: Name of the unit in the plural, for instance `people`.
        first: int64 [N] unit of each record.
        second: int64 [N] second unit of each record, None where records have only one.
        count: Number of units.
    """

    kind: str
    first: NDArray[np.int64]
    second: NDArray[np.int64] | None
    count: int

    def weights(self, multiplicity: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Record weights [N] of a bootstrap draw with multiplicities [count]."""
        weight = np.asarray(multiplicity[self.first], dtype=np.float64)
        if self.second is None:
            return weight
        other = self.first != self.second
        weight[other] *= multiplicity[self.second[other]]
        return weight


@runtime_checkable
class Task(Protocol):
    """An evaluation protocol.

    Attributes:
        name: Canonical spec string of the task.
        version: Grows whenever numbers may change.
        main_metric: The metric that ranks.
        requires: Ability Protocols that an extractor must satisfy.
        references: Spec strings of the trivial and untrained rows that stand in its table.
        untrained: Extractor among them that nobody taught; a row within noise of the best of its rows says so.
    """

    name: str
    version: int
    main_metric: str
    requires: tuple[type, ...]
    references: tuple[str, ...]
    untrained: str

    def protocol(self) -> dict[str, Any]:
        """Splits, folds, what is tuned on what and what extractors may be fitted on, as JSON values."""
        ...

    def datasets(self) -> Mapping[str, Role]:
        """Datasets by role. Raises MissingError where they cannot be had."""
        ...

    def evaluate(self, inputs: TaskInputs, rng: np.random.Generator) -> pd.DataFrame:
        """Compute the per-item records."""
        ...

    def score(self, records: pd.DataFrame, sample_weight: NDArray[np.float64] | None = None) -> Sequence[Score]:
        """Turn records into metrics; pure, the same records always give the same scores.

        Args:
            records: What `evaluate` returned.
            sample_weight: float64 [N], None for all ones.
        """
        ...

    def units(self, records: pd.DataFrame) -> Units:
        """Say what the independent units of the records are."""
        ...


@runtime_checkable
class Noting(Protocol):
    """A task that can say what its records lack, for the warnings of a result."""

    def notes(self, records: pd.DataFrame) -> Sequence[str]:
        """Sentences about records that `evaluate` has just returned: what was left out, and why."""
        ...


@runtime_checkable
class Replicating(Protocol):
    """A task that can score many bootstrap draws at once, faster than one call of `score` a draw."""

    def score_replicates(
        self, records: pd.DataFrame, multiplicity: NDArray[np.float64], metrics: Collection[str] | None = None
    ) -> Mapping[tuple[str, str | None], NDArray[np.float64]]:
        """Score every draw.

        Args:
            records: What `evaluate` returned.
            multiplicity: float64 [B, U] how often each draw holds each unit.
            metrics: Names of the metrics wanted, None for all; others may be left out.

        Returns:
            By (metric, level) a float64 [B], equal to `score` with the weights of each draw.
        """
        ...
