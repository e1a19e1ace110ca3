"""What a result says of extractor, counts and timing; the runner puts the parts together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict

from ghbench.extractor import ExtractorSpec
from ghbench.results.provenance import package_version, peak_memory_mb
from ghbench.results.schema import Counts, ExtractorRecord, Timing
from ghbench.running.selection import ExtractorRequest
from ghbench.store import StoredFeatures
from ghbench.task import Role, Units

Stored = Mapping[str, Mapping[str, StoredFeatures]]


def extractor_record(request: ExtractorRequest, spec: ExtractorSpec, levels: Sequence[str]) -> ExtractorRecord:
    """Which extractor, exactly; of the training images only their number."""
    package = request.package()
    training = asdict(spec.training)
    listed = training.pop("image_digests")
    training["images_listed"] = None if listed is None else len(listed)
    return ExtractorRecord(
        name=spec.name,
        spec_string=str(request),
        version=spec.version,
        package=package,
        package_version=package_version(package) if package else None,
        levels=list(levels),
        dims=[spec.dim(level) for level in levels],
        policy=request.policy,
        weights_digest=spec.weights_digest,
        preprocessing=asdict(spec.preprocessing),
        similarity=spec.similarity,
        backend=spec.backend,
        centred=spec.mean is not None,
        training=training,
        licence=spec.licence,
    )


def counts(roles: Mapping[str, Role], stored: Stored, level: str, records: int, units: Units) -> Counts:
    """How many of what; alignment is counted on the plain view, each different image once."""
    notes = [note for views in stored.values() for note in views["plain"].notes(level)]
    different = sum(len(set(role.dataset.image_digests())) for role in roles.values())
    return Counts(
        images=sum(len(role.dataset) for role in roles.values()),
        different_images=different,
        records=records,
        unit=units.kind,
        units=units.count,
        fallback_boxes=sum(note.fallbacks for note in notes),
        invented_fraction=round(sum(note.invented for note in notes) / max(1, different), 4),
    )


def timing(phases: Mapping[str, float], stored: Stored, level: str, *, cached: bool) -> Timing:
    """Seconds by phase, and the speed at which all views were encoded when the store was filled."""
    notes = [note for views in stored.values() for kept in views.values() for note in kept.notes(level)]
    images, seconds = sum(note.rows[1] - note.rows[0] for note in notes), sum(note.seconds for note in notes)
    return Timing(
        phases={name: round(value, 3) for name, value in phases.items()},
        extraction_cached=cached,
        images_per_second=round(images / seconds, 1) if seconds else None,
        peak_memory_mb=round(peak_memory_mb(), 1),
    )


def warnings(stored: Stored, levels: Sequence[str]) -> list[str]:
    """What was noticed of the features, each thing once."""
    found = [
        text
        for views in stored.values()
        for kept in views.values()
        for level in levels
        for text in kept.warnings(level)
    ]
    return list(dict.fromkeys(found))
