"""Attributes: what a face looks like, read off features: whether it has an attribute, and its age."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ghbench import registry
from ghbench.dataset import Dataset
from ghbench.errors import DataError, UsageError
from ghbench.extractor import Encoder, Subject
from ghbench.metrics.average_precision import average_precisions
from ghbench.spec_string import SpecString
from ghbench.task import Evaluation, Metric, Policy, Reference, Role, Score, TaskInputs, Units
from ghbench.task_errors import ErrorList, errors_of_images

from .prediction import (
    BASELINES,
    MEAN,
    NEAREST,
    TEST,
    TRAIN,
    Constant,
    described,
    image_units,
    predict,
    roles_of_splits,
    taught,
)

GENERATED = SpecString("generated-faces", options={"attributes": "true"})


def attributes(dataset: SpecString | None = None) -> AttributesTask:
    """Predict attributes of faces, and their age where it is known, by linear regression on features.

    Args:
        dataset: A dataset with attributes and the splits train and test: `celeba`, or by default generated faces whose
            age, sex and expression networks judge.
    """
    return AttributesTask(dataset or GENERATED)


@dataclass(frozen=True, eq=False)
class AttributesTask:
    """See `attributes`; satisfies `ghbench.task.Task`."""

    source: SpecString
    version: int = field(default=2, init=False)
    metrics: tuple[Metric, ...] = field(
        default=(Metric("ap"), Metric("age", "years", higher_is_better=False, bounds=None)), init=False
    )
    requires: tuple[type, ...] = field(default=(Encoder,), init=False)
    policies: tuple[Policy, ...] = field(default=("concat",), init=False)
    references: tuple[Reference, ...] = field(default=BASELINES, init=False)
    kind: ClassVar[str] = "attributes"

    @property
    def name(self) -> str:
        """Canonical spec string."""
        options = {} if self.source == GENERATED else self.source.nested("dataset")
        return str(SpecString(self.kind, options=options))

    def protocol(self) -> dict[str, Any]:
        """The protocol as JSON values."""
        return {
            "kind": self.kind,
            "dataset": str(self.source),
            # Generated faces are aligned already.
            **({"align": "none"} if self.source.name == GENERATED.name else {}),
            **described(),
            "ap": "average precision of the regression on 0 and 1, mean over attributes that some test images have",
            "age": "mean absolute error, where ages are known",
        }

    def roles(self) -> Mapping[str, Role]:
        """Training and test faces, and validation faces where the dataset has them."""
        dataset = self.dataset
        missing = {TRAIN, TEST} - set(dataset.splits)
        if missing:
            raise UsageError(f"{self.source.name} has no split {', '.join(sorted(missing))}; expected train and test")
        return roles_of_splits(dataset)

    def check_datasets(self, datasets: Mapping[str, Dataset]) -> None:
        """Refuse what has no attributes, see `ghbench.task_abilities.Checking`."""
        for dataset in datasets.values():
            _numbers(dataset)

    def constant(self, name: str) -> Subject | None:
        """A reference row of the task's own, see `ghbench.task_abilities.WithConstants`."""
        return Constant(name, Role(self.dataset, TRAIN)) if name in {MEAN, NEAREST} else None

    @cached_property
    def dataset(self) -> Dataset:
        """The faces."""
        found: Dataset = registry.build("dataset", self.source)
        return found

    def chance(self, records: pd.DataFrame) -> float | str:  # noqa: ARG002 - of the contract
        """Who knows nothing answers the mean."""
        return MEAN

    def evaluate(self, inputs: TaskInputs) -> Evaluation:
        """Predict.

        Returns:
            One record a face: `image`, its row; for each attribute NAME whether it has it, and `NAME-predicted`; where
            ages are known `age` and `age-predicted`.
        """
        known = {role: _numbers(dataset) for role, dataset in inputs.datasets.items()}
        names = next(iter(known.values())).columns.tolist()
        rows = {role: np.flatnonzero(values.notna().all(axis=1)) for role, values in known.items()}
        if min(map(len, rows.values())) < 2:
            raise DataError("expected at least two faces with attributes in each split")
        truth = {role: values.to_numpy(np.float64)[rows[role]] for role, values in known.items()}
        groups = {name: slice(place, place + 1) for place, name in enumerate(names)}
        predicted, notes = predict(inputs, taught(truth), groups, rows)
        records = pd.DataFrame({"image": rows[TEST].astype(np.int32)})
        for place, name in enumerate(names):
            records[name] = truth[TEST][:, place].astype(np.float32)
            records[f"{name}-predicted"] = predicted[:, place].astype(np.float32)
        left_out = sum(map(len, inputs.datasets.values())) - sum(map(len, rows.values()))
        told = (f"{left_out} images whose attributes are not known are left out",) if left_out else ()
        return Evaluation(records, notes=(*notes, *told))

    def score(self, records: pd.DataFrame, sample_weight: NDArray[np.float64] | None = None) -> Sequence[Score]:
        """Mean average precision, and the error of the age.

        Args:
            records: What `evaluate` returned.
            sample_weight: float64 [N], None for all ones.
        """
        weight = np.ones(len(records)) if sample_weight is None else sample_weight
        found = self.score_replicates(records, weight[None])
        return [Score(metric, float(values[0])) for (metric, _), values in found.items()]

    def score_replicates(
        self, records: pd.DataFrame, multiplicity: NDArray[np.float64], metrics: Collection[str] | None = None
    ) -> Mapping[tuple[str, str | None], NDArray[np.float64]]:
        """Score every draw, see `ghbench.task_abilities.Replicating`."""
        pairs = _pairs(records)
        age = pairs.pop("age", None)
        found: dict[tuple[str, str | None], NDArray[np.float64]] = {}
        if metrics is None or "ap" in metrics:
            each = np.full((1, len(multiplicity)), np.nan)
            if pairs:
                each = np.stack([average_precisions(known > 0.5, told, multiplicity) for known, told in pairs.values()])
            defined = ~np.isnan(each)
            with np.errstate(invalid="ignore"):
                found["ap", None] = np.where(defined, each, 0).sum(axis=0) / defined.sum(axis=0)
        if age is not None and (metrics is None or "age" in metrics):
            found["age", None] = multiplicity @ np.abs(age[0] - age[1]) / multiplicity.sum(axis=1)
        return found

    def errors(self, records: pd.DataFrame) -> Sequence[ErrorList]:
        """Faces by the error of their attributes and of their age, see `ghbench.task_errors.WithErrors`."""
        pairs, found = _pairs(records), []
        age = pairs.pop("age", None)
        if pairs:
            gaps = np.mean([np.abs(known - told) for known, told in pairs.values()], axis=0)
            found += errors_of_images("attributes", "mean distance of the answers from the truth", records, gaps)
        if age is not None:
            known, told = age
            beside = {"age": known, "predicted": told}
            found += errors_of_images("age", "years off", records, np.abs(known - told), beside)
        return found

    def units(self, records: pd.DataFrame) -> Units:
        """Images: each shows another face."""
        return image_units(records)


def _pairs(records: pd.DataFrame) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """By attribute what is known of each face and what is predicted: [N] each."""
    return {
        name: (records[name].to_numpy(np.float64), records[f"{name}-predicted"].to_numpy(np.float64))
        for name in records.columns
        if f"{name}-predicted" in records.columns
    }


def _numbers(dataset: Dataset) -> pd.DataFrame:
    """Attributes as 0 and 1, and the age in years, by name.

    Raises:
        DataError: The dataset has no attributes.
    """
    target = dataset.targets.get("attributes")
    if target is None:
        name = dataset.card().name
        fix = "dataset.attributes=true" if name == GENERATED.name else None
        raise DataError(f"dataset {name!r} has no attributes", fix=fix)
    columns = dict(zip(target.names, np.asarray(target.values, np.float64).T, strict=True))
    if "age" in dataset.targets:
        columns["age"] = np.asarray(dataset.targets["age"].values, np.float64)
    return pd.DataFrame(columns)
