"""Identities: what a result is computed from, and under which key features are stored."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np

from ghbench.dataset import Dataset
from ghbench.digests import digest_array, digest_json
from ghbench.extractor import ExtractorSpec, NavigatorSpec, SubjectSpec, TrainingRecord
from ghbench.imaging import DECODE_VERSION, RESIZES, Alignment
from ghbench.store import FeatureKey


def feature_key(
    spec: ExtractorSpec,
    options: str,
    dataset: Dataset,
    dataset_digest: str,
    align: Alignment,
    view: str = "plain",
    dtype: str = "float32",
) -> FeatureKey:
    """The key of a dataset's features.

    Args:
        spec: The extractor's spec.
        options: Spec string that built the extractor, without level and policy.
        dataset: The images.
        dataset_digest: Their content digest.
        align: The alignment in use.
        view: `plain` or `flipped`.
        dtype: Storage dtype.
    """
    return FeatureKey(
        extractor=spec.name,
        extractor_version=spec.version,
        options=options,
        weights_digest=spec.weights_digest,
        preprocessing=preprocessing_parts(spec),
        align=align_parts(align),
        view=view,
        backend=spec.backend,
        dtype=dtype,
        dataset=dataset.card().name,
        dataset_digest=dataset_digest,
        decode_version=DECODE_VERSION,
    )


def subject_parts(spec: SubjectSpec, levels: tuple[str, ...], policy: str) -> dict[str, Any]:
    """Everything about a subject that can change a number or what is said about it, as JSON values."""
    parts: dict[str, Any] = {
        "version": spec.version,
        "weights": spec.weights_digest,
        "training": training_digest(spec.training),
    }
    if isinstance(spec, NavigatorSpec):
        parts["navigator"] = [spec.generator, spec.generator_digest, spec.space, spec.directions_digest]
    if isinstance(spec, ExtractorSpec):
        mean = spec.mean
        parts["extractor"] = {
            "backend": spec.backend,
            "preprocessing": preprocessing_parts(spec),
            "decode": DECODE_VERSION,
            "similarity": spec.similarity,
            "centred": spec.centred,
            "mean": None if mean is None else {level: digest_array(np.asarray(mean[level])) for level in levels},
            "levels": list(levels),
            "policy": policy,
        }
    return parts


def preprocessing_parts(spec: ExtractorSpec) -> dict[str, Any]:
    """What happens to an image apart from its alignment, which the user may choose."""
    described = asdict(spec.preprocessing)
    parts = {name: described[name] for name in ("size", "resize", "normalise", "grey")}
    resize = RESIZES.get(spec.preprocessing.resize)
    return parts if resize is None else {**parts, "resize_version": resize.version}


def align_parts(align: Alignment | None) -> dict[str, Any]:
    """Name, version and weights of an alignment; empty where nothing is aligned."""
    if align is None:
        return {}
    return {"name": align.name, "version": align.version, "weights_digest": align.weights_digest}


def training_digest(training: TrainingRecord) -> str:
    """Digest of a training record: another record is another statement about the same numbers."""
    record = asdict(training)
    listed = record.pop("image_digests")
    return digest_json({**record, "images": None if listed is None else sorted(listed)})
