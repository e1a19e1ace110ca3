"""Identities: what a result is computed from, and under which key features are stored."""

from __future__ import annotations

import inspect
import typing
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ghbench import registry
from ghbench.digests import digest_array, digest_file, digest_json
from ghbench.errors import DataError, UsageError, UserError
from ghbench.extractor import ExtractorSpec, NavigatorSpec, SubjectSpec, TrainingRecord
from ghbench.files import exists, is_folder
from ghbench.imaging import DECODE_VERSION, RESIZES, Alignment
from ghbench.spec_string import PATH, SpecString, is_path, parse
from ghbench.store import FeatureKey


def identity_of_extractor(spec: SpecString) -> str:
    """A spec string with digests of the files and folders that it names: their content counts, not where they lie."""
    options = {key: _content(value) if _names_path(spec, key, value) else value for key, value in spec.options.items()}
    name = _content(spec.name) if spec.is_file else spec.name
    return str(SpecString(name, spec.package, spec.attribute, options))


def identity_of_task(name: str) -> str:
    """A task's name with digests of the files that it names; of folders its roles hold the images that count."""
    try:
        spec = parse(name)
    except UsageError:  # an object of the user's may have any name
        return name
    options = {
        key: PATH if is_path(value) and is_folder(value) else _content(value) if is_path(value) else value
        for key, value in spec.options.items()
    }
    return str(SpecString(spec.name, spec.package, spec.attribute, options))


def _content(value: str) -> str:
    """sha256 of a file, or of all files below a folder; the path itself where there is neither."""
    path = Path(value)
    try:
        if is_folder(path):
            files = sorted(file for file in path.rglob("*") if file.is_file())
            return f"sha256-{digest_json([[file.relative_to(path).as_posix(), digest_file(file)] for file in files])}"
        return f"sha256-{digest_file(path)}" if exists(path) and path.is_file() else value
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}", fix="check the path") from error


def _names_path(spec: SpecString, key: str, value: str) -> bool:
    """Whether an extractor's option names a file or folder, also relative to the working directory."""
    if is_path(value):
        return True
    if not exists(value):
        return False
    # A plain word may be the name of a file by accident; one with an ending, or the option of an own class, is not.
    return spec.attribute is not None or bool(Path(value).suffix) or _is_declared_path(spec, key)


def _is_declared_path(spec: SpecString, key: str) -> bool:
    try:
        target = registry.find("extractor", spec).load()
    except UserError:
        return False
    hints = typing.get_type_hints(target.__init__ if inspect.isclass(target) else target)
    return Path in {hints.get(key), *typing.get_args(hints.get(key))}


def feature_key(
    spec: ExtractorSpec,
    options: str,
    dataset: str,
    dataset_digest: str,
    align: Mapping[str, Any],
    view: str = "plain",
    dtype: str = "float32",
) -> FeatureKey:
    """The key of a dataset's features.

    Args:
        spec: The extractor's spec.
        options: What built the extractor, without level and policy, see `identity_of_extractor`.
        dataset: Name of the images.
        dataset_digest: Their content digest.
        align: The alignment in use, as `align_parts` gives it.
        view: `plain` or `flipped`.
        dtype: Storage dtype.
    """
    return FeatureKey(
        extractor=spec.name,
        extractor_version=spec.version,
        options=options,
        weights_digest=spec.weights_digest,
        preprocessing=preprocessing_parts(spec),
        align=dict(align),
        view=view,
        backend=spec.backend,
        dtype=dtype,
        dataset=dataset,
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
