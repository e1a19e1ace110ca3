"""Metrics learned from generated pictures, for any extractor; features and metrics are kept."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ghbench import locations
from ghbench.atomic import write_bytes
from ghbench.data.metric_lessons import VERSION, choosing_pictures, fitting_pictures, learned_from
from ghbench.dataset import Dataset, content_digest
from ghbench.digests import digest_json
from ghbench.errors import DataError
from ghbench.extractor import ExtractorSpec, LearnedMetric
from ghbench.generators.first_party import FACES
from ghbench.generators.loading import generator_plugin
from ghbench.imaging import alignment
from ghbench.metrics.learned_metric import Chosen, Kind
from ghbench.running.features import identity_of_subject, stored_features
from ghbench.running.keys import feature_key
from ghbench.running.options import RunOptions
from ghbench.running.request import SubjectRequest
from ghbench.store.arrays_from_files import read_arrays


def learn(
    request: SubjectRequest,
    spec: ExtractorSpec,
    kind: Kind,
    generator: str,
    levels: tuple[str, ...],
    options: RunOptions,
) -> Chosen:
    """Learn the metric of some levels beside one another; what was learned before is read back.

    Args:
        request: The extractor.
        spec: Its spec.
        kind: `centred`, `whitened` or `within`.
        generator: Spec string of the generator.
        levels: Levels.
        options: Alignment, dtype, extraction and store.
    """
    options = options_for(generator, spec, options)
    path = _file(request, spec, kind, generator, levels, options)
    known = _read(path)
    if known is None:
        known = learned_from(kind, generator, lambda dataset: features_of(request, dataset, levels, options))
        _write(path, known)
    return known


def options_for(generator: str, spec: ExtractorSpec, options: RunOptions) -> RunOptions:
    """How to encode a generator's pictures: all of them, and its faces as they are, drawn in FFHQ's alignment."""
    align = options.align or spec.preprocessing.align
    aligned = align == "ffhq" and generator_plugin(generator).spec().name == FACES
    return replace(options, align="none" if aligned else align, limit=None)


def features_of(
    request: SubjectRequest, dataset: Dataset, levels: tuple[str, ...], options: RunOptions
) -> NDArray[np.float32]:
    """Levels of a dataset's features beside one another, float32 [N, D], from the store."""
    stored = stored_features(request, dataset, options, "+".join(levels))[3]
    return np.concatenate([np.asarray(stored.read(level), dtype=np.float32) for level in levels], axis=1)


def _file(
    request: SubjectRequest,
    spec: ExtractorSpec,
    kind: str,
    generator: str,
    levels: tuple[str, ...],
    options: RunOptions,
) -> Path:
    identity, align = identity_of_subject(request), alignment(str(options.align))
    keys = [
        feature_key(spec, identity, pictures, content_digest(pictures), align, dtype=options.dtype).digest
        for pictures in (fitting_pictures(generator), choosing_pictures(generator))
    ]
    return locations.cache() / "metrics" / f"{digest_json([VERSION, kind, list(levels), keys])[:32]}.npz"


def _read(path: Path) -> Chosen | None:
    try:
        kept = read_arrays(path)
        components, ridge, decidability = (float(number) for number in kept["choice"])
        return Chosen(LearnedMetric(kept["mean"], kept.get("matrix")), int(components), ridge, decidability)
    except (DataError, KeyError, ValueError):
        return None


def _write(path: Path, chosen: Chosen) -> None:
    metric, stream = chosen.metric, io.BytesIO()
    arrays = {"mean": metric.mean, "choice": np.array([chosen.components, chosen.ridge, chosen.decidability])}
    np.savez(stream, **arrays if metric.matrix is None else {**arrays, "matrix": metric.matrix})  # type: ignore[arg-type]
    write_bytes(path, stream.getvalue())
