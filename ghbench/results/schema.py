"""The result file: one JSON per (extractor, task), with all that is needed to read it, trust it and run it again."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION: Literal[1] = 1
Status = Literal["complete", "partial"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", ser_json_inf_nan="null")


class MetricValue(_Part):
    """One number with its uncertainty."""

    metric: str
    value: float | None = Field(description="None where the records do not define the metric")
    unit: str
    higher_is_better: bool
    level: str | None = Field(default=None, description="the level under the policy `each`")
    ci: tuple[float, float] | None = Field(default=None, description="95 % interval")
    ci_method: str | None = Field(default=None, description="how the interval was made, and over which unit")
    standard_error: float | None = Field(default=None, description="by a convention of the field, named in ci_method")


class ExtractorRecord(_Part):
    """Which extractor, exactly."""

    name: str
    spec_string: str
    version: str
    package: str
    package_version: str | None
    levels: list[str]
    dims: list[int]
    policy: str
    weights_digest: str
    preprocessing: dict[str, Any]
    similarity: str
    backend: str
    centred: bool
    training: dict[str, Any]
    licence: str


class TaskRecord(_Part):
    """Which protocol, exactly."""

    name: str
    version: int
    main_metric: str
    references: list[str]
    untrained: str
    protocol: dict[str, Any]


class DatasetRecord(_Part):
    """Which images, exactly."""

    name: str
    images: int
    content_digest: str
    annotations_digest: str | None = Field(default=None, description="what else was read: pairs and folds, landmarks")
    recipe_digest: str | None
    feature_key: str | None = Field(default=None, description="digest of the features in the store")


class Counts(_Part):
    """How many of what."""

    images: int
    different_images: int = Field(default=0, description="images with pixels of their own; copies are encoded once")
    records: int
    unit: str = Field(description="what the bootstrap resamples")
    units: int
    fallback_boxes: int = Field(
        default=0, description="different images without a detected face, aligned by a fixed box"
    )
    invented_fraction: float = Field(default=0.0, description="mean fraction of input pixels outside the picture")


class Timing(_Part):
    """Seconds by phase; extraction figures stay those of the run that filled the store."""

    phases: dict[str, float]
    extraction_cached: bool
    images_per_second: float | None
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


class Result(_Part):
    """A finished or partial evaluation of one extractor on one task."""

    schema_version: Literal[1] = SCHEMA_VERSION
    digest: str = Field(description="identity of extractor, task, data and options; names the file")
    status: Status
    extractor: ExtractorRecord
    task: TaskRecord
    align: dict[str, Any]
    datasets: dict[str, DatasetRecord]
    domain: str = Field(description="where the images that shaped the extractor came from")
    overlap: str = Field(description="what is known of training images among the evaluated ones")
    metrics: list[MetricValue] = []
    counts: Counts | None = None
    warnings: list[str] = []
    dtype: str = Field(default="float32", description="how the features were stored")
    limit: int | None = None
    timing: Timing | None = None
    provenance: Provenance
    records_sha256: str | None = None

    def metric(self, name: str, level: str | None = None) -> MetricValue:
        """The metric of that name; KeyError where there is none."""
        for entry in self.metrics:
            if entry.metric == name and entry.level == level:
                return entry
        raise KeyError(name)


class Failure(_Part):
    """A pair that could not be evaluated, and why."""

    schema_version: Literal[1] = SCHEMA_VERSION
    status: Literal["failed"] = "failed"
    extractor: str
    task: str
    error: str
    error_type: str
    exit_code: int
    provenance: Provenance
