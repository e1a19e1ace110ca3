"""Features of a dataset for other programs, from the store or extracted into it, and for a store elsewhere."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np

from ghbench.data.subset import first_rows
from ghbench.dataset import Dataset
from ghbench.errors import UsageError
from ghbench.running.features import features_elsewhere, stored_features
from ghbench.running.options import RunOptions
from ghbench.running.request import SubjectRequest, subject_request, without_similarity
from ghbench.store.feature_files import check_target, write_features
from ghbench.version import __version__


def extract_to_file(
    extractor: object, dataset: Dataset, target: Path, options: RunOptions, *, level: str | None, force: bool
) -> dict[str, int]:
    """Write the features of a dataset to a file; `ghbench.store.feature_files` says how they stand there.

    Args:
        extractor: Spec string or object.
        dataset: The images.
        target: `.npz`, `.parquet`, `.safetensors` or `.tar`.
        options: Alignment, limit, dtype, store and how to extract.
        level: Levels wanted, as in a spec string; None for what `extractor` says.
        force: Whether to replace a file that is there.

    Returns:
        Numbers of each level.

    Raises:
        UsageError: The file exists, or a level or option does not.
    """
    check_target(target, force=force)
    request, dataset = _asked(extractor, dataset, options)
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


def extract_elsewhere(
    extractor: object, dataset: Dataset, url: str, options: RunOptions, *, level: str | None, check: bool = False
) -> tuple[str, dict[str, int]]:
    """Write the features of a dataset straight to a store elsewhere; nothing of them stays on this machine.

    Args:
        extractor: Spec string or object.
        dataset: The images.
        url: Of the store: a folder, or what fsspec knows.
        options: Alignment, limit, dtype and how to extract.
        level: Levels wanted, as in a spec string; None for what `extractor` says.
        check: Whether what is there is compared with its digests first, and made again where it differs.

    Returns:
        Where they are, and the numbers of each level.

    Raises:
        UsageError: A level or option does not exist, or there is no such place.
    """
    request, dataset = _asked(extractor, dataset, options)
    levels, stored = features_elsewhere(request, dataset, options, url, level, check=check)
    return f"{url.rstrip('/')}/{stored.key.folder}", {name: stored.width(name) for name in levels}


def _asked(extractor: object, dataset: Dataset, options: RunOptions) -> tuple[SubjectRequest, Dataset]:
    request = without_similarity(subject_request(extractor))
    request.check_options()
    if request.policy != "concat":
        raise UsageError(f"policy={request.policy} means nothing here: levels are written one by one")
    return request, dataset if options.limit is None else first_rows(dataset, options.limit)
