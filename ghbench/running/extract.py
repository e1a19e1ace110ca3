"""Features of a dataset for other programs: from the store, or extracted into it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np

from ghbench.data.subset import Subset
from ghbench.dataset import Dataset, content_digest
from ghbench.errors import UsageError
from ghbench.extraction import Precomputed, extract_features, store_precomputed
from ghbench.extractor import Encoder, ExtractorSpec
from ghbench.imaging import alignment
from ghbench.levels import select_levels
from ghbench.running.keys import feature_key
from ghbench.running.options import RunOptions
from ghbench.running.request import subject_request
from ghbench.store import default_store
from ghbench.store.feature_files import check_target, write_features
from ghbench.version import __version__


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
    subject = request.build()
    spec = subject.spec()
    if not isinstance(spec, ExtractorSpec):
        raise UsageError(f"{spec.name!r} has no features")
    levels = select_levels(spec, level or request.level)
    if options.limit is not None and options.limit < len(dataset):
        dataset = Subset(dataset, np.arange(options.limit))
    align = alignment(options.align or spec.preprocessing.align)
    named = str(request.spec_string)
    key = feature_key(spec, named, dataset, content_digest(dataset), align, dtype=options.dtype)
    stored = (options.store or default_store()).open(key, dataset.ids)
    if not all(map(stored.is_ready, levels)):
        if isinstance(subject, Precomputed):
            store_precomputed(subject, spec, dataset, stored, levels)
        elif isinstance(subject, Encoder):
            extract_features(subject, spec, dataset, stored, levels, align.name, options.extraction)
        else:
            raise UsageError(f"{spec.name!r} encodes no images")
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
