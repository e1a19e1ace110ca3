"""Features of a dataset for other programs: from the store, or extracted into it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np

from ghbench.data.subset import first_rows
from ghbench.dataset import Dataset, content_digest
from ghbench.errors import UsageError
from ghbench.extraction import Precomputed, extract_features, store_precomputed
from ghbench.extractor import Encoder, ExtractorSpec
from ghbench.imaging import Alignment, alignment
from ghbench.levels import select_levels
from ghbench.running.keys import feature_key, identity_of_extractor
from ghbench.running.options import RunOptions
from ghbench.running.request import SubjectRequest, subject_request
from ghbench.store import StoredFeatures, default_store
from ghbench.store.feature_files import check_target, write_features
from ghbench.version import __version__


def stored_features(
    request: SubjectRequest, dataset: Dataset, options: RunOptions, level: str | None = None
) -> tuple[ExtractorSpec, tuple[str, ...], Alignment, StoredFeatures]:
    """Features of a dataset under the same key as in a run, from the store or extracted into it.

    Args:
        request: The extractor.
        dataset: The images.
        options: Alignment, dtype, extraction and store are used.
        level: Levels wanted, as in a spec string; None for what the request says.

    Returns:
        The extractor's spec, the levels, the alignment, and the stored features, complete in these levels.

    Raises:
        UsageError: It has no features, or no such level.
    """
    subject = request.build(options.seed)
    spec = subject.spec()
    if not isinstance(spec, ExtractorSpec):
        raise UsageError(f"{spec.name!r} has no features")
    levels, align = select_levels(spec, level or request.level), alignment(options.align or spec.preprocessing.align)
    built_from = str(request.spec_string) if request.given is not None else identity_of_extractor(request.spec_string)
    key = feature_key(spec, built_from, dataset, content_digest(dataset), align, dtype=options.dtype)
    stored = (options.store or default_store()).open(key, dataset.ids)
    if not all(map(stored.is_ready, levels)):
        if isinstance(subject, Precomputed):
            store_precomputed(subject, spec, dataset, stored, levels)
        elif isinstance(subject, Encoder):
            extract_features(subject, spec, dataset, stored, levels, align.name, options.extraction)
        else:
            raise UsageError(f"{spec.name!r} encodes no images")
    return spec, levels, align, stored


def extract_to_file(
    extractor: object, dataset: Dataset, target: Path, options: RunOptions, *, level: str | None, force: bool
) -> dict[str, int]:
    """Write the features of a dataset to a file; `ghbench.store.feature_files` says how they stand there.

    Args:
        extractor: Spec string or object.
        dataset: The images.
        target: `.npz`, `.parquet` or `.safetensors`.
        options: Alignment, limit, dtype, store and how to extract.
        level: Levels wanted, as in a spec string; None for what `extractor` says.
        force: Whether to replace a file that is there.

    Returns:
        Numbers of each level.

    Raises:
        UsageError: The file exists, or a level or option does not.
    """
    check_target(target, force=force)
    request = subject_request(extractor)
    request.check_options()
    if options.limit is not None:
        dataset = first_rows(dataset, options.limit)
    spec, levels, _, stored = stored_features(request, dataset, options, level)
    key = stored.key
    found = {name: stored.read(name) for name in levels}
    mean = None if spec.mean is None else {name: np.asarray(spec.mean[name]).tolist() for name in levels}
    about = {
        "key": asdict(key),
        "key_digest": key.digest,
        "ghbench": __version__,
        "comparison": {"similarity": spec.similarity, "centred": spec.centred, "mean": mean},
        "training": {
            "datasets": list(spec.training.datasets),
            "supervision": spec.training.supervision,
            "domain": spec.training.domain,
            "licence": spec.licence,
        },
    }
    write_features(target, found, list(dataset.ids), about, force=force)
    return {name: int(values.shape[1]) for name, values in found.items()}
