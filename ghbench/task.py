"""What a task is: roles, metrics, a protocol written down as data, `evaluate` to records and a pure `score`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, TypeVar, runtime_checkable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ghbench.dataset import Dataset
from ghbench.digests import digest_json
from ghbench.errors import DataError, UsageError
from ghbench.extractor import Extractor, ExtractorSpec, Subject, SubjectSpec
from ghbench.progress import Progress

View = Literal["plain", "flipped"]
Policy = Literal["each", "concat", "vote", "vote-z", "fuse", "best"]
POLICIES: tuple[Policy, ...] = ("each", "concat", "vote", "vote-z", "fuse", "best")
Uncertainty = Literal["units", "runs", "error", "none"]
LEVEL = "level"
"""Column that the runner adds to the records under the policy `each`."""
AnySubject = TypeVar("AnySubject", bound=Subject)


@dataclass(frozen=True, slots=True)
class Role:
    """A dataset in the part that it plays in a task.

    Args:
        dataset: The images.
        split: Name of the split whose rows are used; None for all rows.
        judged: Whether the subject is scored on it; otherwise the task only learns from it, or needs it for reference.
        views: The views of which the task needs features; `()` where it needs none.
        annotations_digest: sha256 of what else the task reads about the images: pairs and folds, boxes.
    """

    dataset: Dataset
    split: str | None = None
    judged: bool = True
    views: tuple[View, ...] = ("plain",)
    annotations_digest: str | None = None


@dataclass(frozen=True, slots=True)
class Metric:
    """A number that a task reports.

    Args:
        name: In the field's terms.
        unit: `fraction`, `pixels`, `dB`...
        higher_is_better: Direction; None for a number that describes, of which neither more nor less is better.
        uncertainty: Where it comes from: `units`, a bootstrap over the task's units; `runs`, the same where the units
            are independent runs (training seeds), which cannot be paired between systems; `error`, a standard error
            that the task computes; `none`. Only `units` and `runs` are ranked.
        bounds: Smallest and largest possible value, either of them None where there is none; None without any.
        error: What the standard error is, for `error`: `over folds, by the LFW convention`.
    """

    name: str
    unit: str = "fraction"
    higher_is_better: bool | None = True
    uncertainty: Uncertainty = "units"
    bounds: tuple[float | None, float | None] | None = (0.0, 1.0)
    error: str = ""


@dataclass(frozen=True, slots=True)
class Score:
    """The value of a metric.

    Args:
        metric: Name of the metric.
        value: The point value; NaN where the records do not define it.
        level: The level of features or codes that it is about, None for all together.
        standard_error: For metrics whose uncertainty is `error`.
        units: How many units the metric is defined on, where these are not all of them.
    """

    metric: str
    value: float
    level: str | None = None
    standard_error: float | None = None
    units: int | None = None


@dataclass(frozen=True, slots=True)
class Units:
    """The true units of a task's records: what a bootstrap resamples.

    A record that belongs to one unit u weighs m_u, a record that compares two different units a and b weighs
    m_a * m_b, where m are the multiplicities of a draw. A record of unit -1 belongs to none and always weighs 1.

    Args:
        kind: Name of the unit in the plural, for instance `people`.
        first: int64 [N] unit of each record.
        second: int64 [N] second unit of each record, None where records have only one.
        count: Number of units.
        names: What each unit is, so that systems are only paired over the same ones; `()` where their order says it.
    """

    kind: str
    first: NDArray[np.int64]
    second: NDArray[np.int64] | None
    count: int
    names: Sequence[Any] = ()

    def __post_init__(self) -> None:
        for part in (self.first, self.first if self.second is None else self.second):
            if (
                not np.issubdtype(part.dtype, np.integer)
                or len(part) == 0
                or part.min() < -1
                or part.max() >= self.count
            ):
                raise DataError(f"units of records must be integers from -1 to {self.count - 1}, one a record")

    @property
    def digest(self) -> str:
        """What must be equal for a pairing."""
        return digest_json([self.kind, self.count, [str(name) for name in self.names]])

    def weights(self, multiplicity: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """Record weights [N] of a bootstrap draw with multiplicities [count]."""
        padded = np.append(np.asarray(multiplicity, dtype=np.float64), 1.0)  # -1 is the last one
        weight = padded[self.first]
        if self.second is None:
            return weight
        other = self.first != self.second
        weight[other] *= padded[self.second[other]]
        return weight


@dataclass(frozen=True, slots=True)
class Reference:
    """A row that a task wants in its table.

    Args:
        name: Spec string of a registered subject, or the name of one of the task's constants.
        what: What it is, in a few words: `untrained network`, `thumbnail`, `ceiling`.
        floor: Whether it is a row to beat: each system is compared with the best of the floor rows.
    """

    name: str
    what: str
    floor: bool = False


@dataclass(frozen=True, slots=True)
class Lack:
    """Something that an evaluation had to leave out, and how to get it.

    Args:
        what: Names of metrics or of a part.
        why: What was not there.
        fix: The command that brings it.
    """

    what: str
    why: str
    fix: str


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What `evaluate` returns.

    Args:
        records: One row an item; all that `score` needs.
        lacking: What is missing on this machine; the result is then incomplete, and is finished when it is there.
        notes: What the reader of the result should know.
    """

    records: pd.DataFrame
    lacking: tuple[Lack, ...] = ()
    notes: tuple[str, ...] = ()


class Context(Protocol):
    """What the runner lends a task for what it computes itself: judges, decoders, renders.

    Attributes:
        device: Where to compute: `cpu`, `cuda`...
        batch_size: Images to compute on together.
        cache: Folder for what is worth keeping between runs; it may be emptied at any time.
        progress: Called with (done, total, label).
        seed: The run's seed.
    """

    @property
    def device(self) -> str:  # noqa: D102 - told above
        ...

    @property
    def batch_size(self) -> int:  # noqa: D102
        ...

    @property
    def cache(self) -> Path:  # noqa: D102
        ...

    @property
    def progress(self) -> Progress:  # noqa: D102
        ...

    @property
    def seed(self) -> int:  # noqa: D102
        ...

    def rng(self, *stream: int) -> np.random.Generator:
        """Random numbers from the run's seed; another stream gives others."""
        ...

    def on_device(self, subject: AnySubject) -> AnySubject:
        """The same subject, moved to the device where it can be moved."""
        ...

    def features(
        self, extractor: Extractor, dataset: Dataset, levels: Sequence[str] | None = None, *, options: str = ""
    ) -> Mapping[str, NDArray[np.float32]]:
        """Features of a dataset by level, [N, D], from the store or extracted into it by the engine.

        Args:
            extractor: Anything that encodes images, for instance a judge of decoded images.
            dataset: The images.
            levels: Names of levels, None for the default ones.
            options: Spec string that the extractor was built from, where it has options: part of the feature key.

        Raises:
            UsageError: The extractor encodes no images, or has no such level.
        """
        ...

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
        """The k most similar rows, found as the user chose: exactly, unless `index` names an index.

        Args:
            queries: [M, D].
            features: [N, D].
            k: Neighbours.
            kind: `cosine`, or `l2` for the negated Euclidean distance.
            excluded: int64 [M] row of `features` that is left out for each query: itself. None: none is.
            index: A FAISS index that may be approximate: `HNSW32`; part of the task's name, for it changes numbers.

        Returns:
            Rows int64 [M, k] and their similarities float32 [M, k].
        """
        ...


@dataclass(frozen=True, slots=True)
class TaskInputs:
    """All that a task may look at.

    Args:
        subject: What is evaluated; for abilities beyond features.
        spec: Its spec.
        datasets: By role, only the rows that are in use.
        features: By role, view and level [N, D], rows in the dataset's order; read from the store when asked for, in
            its dtype, memory-mapped where it is one file.
        levels: Names of the levels asked for, in the extractor's order.
        policy: How several levels become one answer; never `each`, which is the runner's work.
        context: For what the task computes itself.
    """

    subject: Subject
    spec: SubjectSpec
    datasets: Mapping[str, Dataset]
    features: Mapping[str, Mapping[str, Mapping[str, NDArray[Any]]]]
    levels: tuple[str, ...]
    policy: Policy
    context: Context

    @property
    def extractor_spec(self) -> ExtractorSpec:
        """The spec of a subject that has features.

        Raises:
            UsageError: It has none.
        """
        if not isinstance(self.spec, ExtractorSpec):
            raise UsageError(f"{self.spec.name!r} has no features")
        return self.spec


@runtime_checkable
class Task(Protocol):
    """An evaluation protocol.

    Attributes:
        name: Canonical spec string of the task.
        version: Grows whenever numbers may change.
        metrics: What it reports; the first one ranks.
        requires: Ability Protocols that a subject must satisfy.
        policies: How it can combine several levels of features; `each` is the runner's and need not be listed.
        references: Rows that stand in its table.
    """

    name: str
    version: int
    metrics: tuple[Metric, ...]
    requires: tuple[type, ...]
    policies: tuple[Policy, ...]
    references: tuple[Reference, ...]

    def protocol(self) -> dict[str, Any]:
        """Splits, folds, what is tuned on what and what subjects may be fitted on, as JSON values."""
        ...

    def roles(self) -> Mapping[str, Role]:
        """Datasets by role. Raises MissingError where they cannot be had."""
        ...

    def evaluate(self, inputs: TaskInputs) -> Evaluation:
        """Compute the per-item records."""
        ...

    def score(self, records: pd.DataFrame, sample_weight: NDArray[np.float64] | None = None) -> Sequence[Score]:
        """Turn records into metrics; pure, the same records always give the same scores.

        Args:
            records: What `evaluate` returned.
            sample_weight: float64 [N], None for all ones.
        """
        ...
