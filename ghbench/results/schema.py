"""The result file: one JSON per (subject, task), with all that is needed to read it, trust it and run it again."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ghbench.digests import digest_json
from ghbench.results import display

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION: Literal[2] = 2
Status = Literal["complete", "incomplete", "partial"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="null")


class MetricRecord(_Part):
    """What a metric is, as its task declares it."""

    name: str
    unit: str
    higher_is_better: bool | None
    uncertainty: Literal["units", "runs", "error", "none"]
    bounds: tuple[float | None, float | None] | None
    error: str = Field(default="", description="what the standard error is")


class MetricValue(_Part):
    """One number with its uncertainty."""

    metric: str
    value: float | None = Field(description="None where the records do not define the metric")
    level: str | None = Field(default=None, description="the level of features or codes that it is about")
    interval: tuple[float, float] | None = Field(default=None, description="95 % interval over the units")
    standard_error: float | None = None


class SubjectRecord(_Part):
    """Which subject, exactly."""

    name: str
    spec_string: str
    version: str
    package: str
    package_version: str | None
    weights_digest: str
    training: dict[str, Any]
    licence: str
    constant: bool = Field(default=False, description="one of the task's own reference rows")
    parameters: int | None = Field(default=None, description="numbers that training sets, where somebody counted")

    @property
    def supervision(self) -> str:
        """What taught the weights, as the training record says it."""
        return str(self.training.get("supervision", "not stated"))

    @property
    def domain(self) -> str:
        """What kind of images the weights were learned from."""
        return str(self.training.get("domain", "not stated"))


class FeatureRecord(_Part):
    """How features were made and compared; only of subjects that have some."""

    levels: list[str]
    dims: list[int]
    policy: str
    preprocessing: dict[str, Any]
    align: dict[str, Any]
    similarity: str
    backend: str
    centred: bool
    dtype: str = Field(description="how they were stored")

    @model_validator(mode="after")
    def _one_dim_a_level(self) -> FeatureRecord:
        if len(self.levels) != len(self.dims):
            raise ValueError(f"{len(self.levels)} levels, but {len(self.dims)} dims")
        return self


class NavigatorRecord(_Part):
    """Where directions live; only of navigators."""

    generator: str
    generator_digest: str
    space: str
    directions_digest: str


class TaskRecord(_Part):
    """Which protocol, exactly."""

    name: str
    version: int
    metrics: list[MetricRecord] = Field(description="the first one ranks")
    protocol: dict[str, Any]


class DatasetRecord(_Part):
    """Which images, exactly, and what happened to them."""

    name: str
    split: str | None = None
    judged: bool = True
    images: int
    content_digest: str
    annotations_digest: str | None = Field(default=None, description="what else was read: pairs and folds, boxes")
    recipe_digest: str | None
    feature_key: str | None = Field(default=None, description="digest of the features in the store")
    faces_not_detected: int = 0
    padded: float = Field(default=0.0, description="mean fraction of input pixels outside the image")


class Counts(_Part):
    """How many of what."""

    records: int
    # Plain words: they stand in a sentence below tables of every format.
    unit: str | None = Field(
        description="what the bootstrap resamples, None where nothing is", pattern=r"^[\w ,.()/+-]{1,60}$"
    )
    units: int
    units_digest: str | None = Field(default=None, description="which units: systems are paired over equal ones only")


class Timing(_Part):
    """Seconds by phase; extraction figures stay those of the run that filled the store."""

    phases: dict[str, float]
    extraction_cached: bool
    images_per_second: float | None
    encoding_memory_mb: float | None = Field(
        default=None, description="largest resident memory of the process while it encoded, the extractor in it"
    )
    peak_memory_mb: float


class Provenance(_Part):
    """Where, when and with what."""

    created: str
    ghbench: str
    git_commit: str | None
    git_dirty: bool | None
    command: str
    seed: int
    python: str
    packages: dict[str, str]
    hardware: dict[str, str | int | float | None]


class Missing(_Part):
    """What had to be left out on that machine, and the command that brings it."""

    what: str
    why: str
    fix: str
    foreseen: bool = Field(default=False, description="the task can tell without computing whether it is still missing")


class Result(_Part):
    """An evaluation of one subject on one task."""

    schema_version: Literal[2] = SCHEMA_VERSION
    digest: str = Field(description="identity of subject, task, data and options; names the file")
    status: Status
    subject: SubjectRecord
    features: FeatureRecord | None = None
    navigator: NavigatorRecord | None = None
    task: TaskRecord
    datasets: dict[str, DatasetRecord]
    overlap: str = Field(description="what is known of training images among the judged ones")
    metrics: list[MetricValue] = []
    missing: list[Missing] = []
    counts: Counts | None = None
    warnings: list[str] = []
    limit: int | None = None
    timing: Timing | None = None
    provenance: Provenance
    records_sha256: str | None = None
    label: str | None = Field(default=None, description="what its owner calls the row in tables")
    seal: str | None = Field(default=None, description="sha256 over all the rest; finds damage and careless edits")

    @model_validator(mode="after")
    def _each_metric_once(self) -> Result:
        named = [(one.metric, one.level) for one in self.metrics]
        if len(set(named)) < len(named):
            raise ValueError("a metric is there twice")
        return self

    def content_seal(self) -> str:
        """The seal that belongs to this content; fields at their defaults are left out, so that new ones do no harm."""
        return digest_json(self.model_dump(mode="json", exclude={"seal"}, exclude_defaults=True))

    def __repr__(self) -> str:
        """A few lines with the numbers; everything is in `model_dump()`."""
        return display.summary(self)

    __str__ = __repr__

    def _repr_html_(self) -> str:
        """For notebooks."""
        return f"<pre>{html.escape(display.summary(self))}</pre>"

    def to_frame(self) -> pd.DataFrame:
        """One row a metric and level: value, low and high of the 95 % interval, standard error, unit, direction."""
        return display.frame(self)

    def metric(self, name: str, level: str | None = None) -> MetricValue:
        """The metric of that name; KeyError where there is none."""
        for entry in self.metrics:
            if entry.metric == name and entry.level == level:
                return entry
        raise KeyError(name)

    def describe_metric(self, name: str) -> MetricRecord:
        """What a metric is; KeyError where the task declares none of that name."""
        for entry in self.task.metrics:
            if entry.name == name:
                return entry
        raise KeyError(name)


class Failure(_Part):
    """A pair that could not be evaluated, and why."""

    schema_version: Literal[2] = SCHEMA_VERSION
    status: Literal["failed"] = "failed"
    extractor: str
    task: str
    error: str
    error_type: str
    exit_code: int
    provenance: Provenance
