"""What a result says of subject, data, counts and timing; the runner puts the parts together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ghbench.dataset import Dataset
from ghbench.digests import digest_array
from ghbench.extractor import ExtractorSpec, NavigatorSpec, SubjectSpec
from ghbench.resident_memory import PEAK
from ghbench.results.provenance import package_version
from ghbench.results.schema import (
    DatasetRecord,
    FeatureRecord,
    MetricRecord,
    NavigatorRecord,
    SubjectRecord,
    TaskRecord,
    Timing,
)
from ghbench.running.request import SubjectRequest
from ghbench.store import StoredFeatures
from ghbench.task import Role, Task

Stored = Mapping[str, Mapping[str, StoredFeatures]]
"""By role and view."""


@dataclass(frozen=True)
class RoleData:
    """A role with the rows that are in use.

    Args:
        role: As the task declares it.
        dataset: Its rows in use.
        digest: Content digest of the dataset.
    """

    role: Role
    dataset: Dataset
    digest: str

    def identity(self) -> dict[str, Any]:
        """Everything about the role that can change a number."""
        splits = {name: digest_array(rows) for name, rows in self.dataset.splits.items()}
        return {
            "content": self.digest, "annotations": self.role.annotations_digest, "split": self.role.split,
            "judged": self.role.judged, "views": list(self.role.views), "splits": splits,
        }  # fmt: skip


def subject_record(request: SubjectRequest, spec: SubjectSpec) -> SubjectRecord:
    """Which subject, exactly; of the training images only their number."""
    package = request.package()
    return SubjectRecord(
        name=spec.name,
        spec_string=str(request),
        version=spec.version,
        package=package,
        package_version=package_version(package) if package else None,
        weights_digest=spec.weights_digest,
        training=training_record(spec),
        licence=spec.licence,
        constant=request.constant,
        parameters=spec.parameters if isinstance(spec, ExtractorSpec) else None,
    )


def training_record(spec: SubjectSpec) -> dict[str, Any]:
    """What shaped the weights, with the number of training images in place of their digests."""
    training = asdict(spec.training)
    listed = training.pop("image_digests")
    training["images_listed"] = None if listed is None else len(listed)
    return training


def feature_record(
    spec: SubjectSpec, levels: Sequence[str], policy: str, align: Mapping[str, Any], dtype: str, metric: str = ""
) -> FeatureRecord | None:
    """How features are made and compared, None where the subject has none."""
    if not isinstance(spec, ExtractorSpec) or not levels:
        return None
    return FeatureRecord(
        levels=list(levels),
        dims=[spec.dim(level) for level in levels],
        policy=policy,
        preprocessing=asdict(spec.preprocessing),
        align=dict(align),
        similarity=metric or spec.similarity,
        backend=spec.backend,
        centred=spec.centred or spec.mean is not None,
        dtype=dtype,
    )


def navigator_record(spec: SubjectSpec) -> NavigatorRecord | None:
    """Where directions live, None where the subject has none."""
    if not isinstance(spec, NavigatorSpec):
        return None
    return NavigatorRecord(
        generator=spec.generator,
        generator_digest=spec.generator_digest,
        space=spec.space,
        directions_digest=spec.directions_digest,
    )


def task_record(task: Task) -> TaskRecord:
    """Which protocol, exactly."""
    return TaskRecord(
        name=task.name,
        version=task.version,
        metrics=[MetricRecord(**asdict(metric)) for metric in task.metrics],
        protocol=task.protocol(),
    )


def dataset_record(data: RoleData, views: Mapping[str, StoredFeatures], level: str | None) -> DatasetRecord:
    """Which images, and what happened to them; faces and padding are counted on the plain view."""
    plain = views.get("plain")
    notes = plain.notes(level) if plain is not None and level is not None else []
    encoded = len(set(data.dataset.identities())) if notes else 1
    return DatasetRecord(
        name=data.dataset.card().name,
        split=data.role.split,
        judged=data.role.judged,
        images=len(data.dataset),
        content_digest=data.digest,
        annotations_digest=data.role.annotations_digest,
        recipe_digest=data.dataset.recipe_digest,
        feature_key=None if plain is None else plain.key.digest,
        faces_not_detected=sum(note.fallbacks for note in notes),
        padded=round(sum(note.padded for note in notes) / encoded, 4),
    )


def timing(phases: Mapping[str, float], stored: Stored, level: str | None, *, cached: bool) -> Timing:
    """Seconds by phase, and how fast and with how much memory all views were encoded when the store was filled."""
    kept = [features for views in stored.values() for features in views.values()] if level is not None else []
    notes = [note for features in kept for note in features.notes(str(level))]
    images, seconds = sum(note.rows[1] - note.rows[0] for note in notes), sum(note.seconds for note in notes)
    return Timing(
        phases={name: round(value, 3) for name, value in phases.items()},
        extraction_cached=cached,
        images_per_second=round(images / seconds, 1) if seconds else None,
        encoding_memory_mb=max((note.memory_mb for note in notes), default=0.0) or None,
        peak_memory_mb=round(PEAK.whole(), 1),
    )


def warnings(stored: Stored, levels: Sequence[str]) -> list[str]:
    """What was noticed about the features, each thing once."""
    found = [
        text
        for views in stored.values()
        for features in views.values()
        for level in levels
        for text in features.warnings(level)
    ]
    return list(dict.fromkeys(found))
