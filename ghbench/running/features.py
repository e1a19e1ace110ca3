"""Features of a subject in the store, under one key wherever they are asked for."""

from __future__ import annotations

from ghbench.dataset import Dataset, content_digest
from ghbench.errors import UsageError
from ghbench.extraction import Precomputed, extract_features, store_precomputed
from ghbench.extractor import Encoder, ExtractorSpec, Subject
from ghbench.imaging import Alignment, alignment
from ghbench.levels import select_levels
from ghbench.running.keys import feature_key, identity_of_extractor
from ghbench.running.options import RunOptions
from ghbench.running.request import SubjectRequest
from ghbench.store import StoredFeatures, default_store


def identity_of_subject(request: SubjectRequest) -> str:
    """What a subject is built from; names of the user's own objects stand for themselves."""
    return str(request.spec_string) if request.given is not None else identity_of_extractor(request.spec_string)


def fill(
    stored: StoredFeatures,
    subject: Subject,
    spec: ExtractorSpec,
    dataset: Dataset,
    levels: tuple[str, ...],
    align: Alignment,
    options: RunOptions,
) -> int:
    """Bring what is missing of stored features into the store, and return how many images were encoded for it.

    Raises:
        UsageError: The subject encodes no images, and has no such features either.
    """
    if isinstance(subject, Precomputed) and stored.key.view == "plain":
        store_precomputed(subject, spec, dataset, stored, levels)
        return 0
    if not isinstance(subject, Encoder):
        raise UsageError(f"extractor {spec.name!r} encodes no images; it has no {stored.key.view} features")
    return extract_features(subject, spec, dataset, stored, levels, align.name, options.extraction)


def stored_features(
    request: SubjectRequest,
    dataset: Dataset,
    options: RunOptions,
    level: str | None = None,
    subject: Subject | None = None,
) -> tuple[ExtractorSpec, tuple[str, ...], Alignment, StoredFeatures]:
    """Features of a dataset under the same key as in a run, from the store or extracted into it.

    Args:
        request: The extractor.
        dataset: The images.
        options: Alignment, dtype, extraction and store are used.
        level: Levels wanted, as in a spec string; None for what the request says.
        subject: What the request describes, where it is built already.

    Returns:
        The extractor's spec, the levels, the alignment, and the stored features, complete in these levels.

    Raises:
        UsageError: It has no features, or no such level.
    """
    subject = request.build(options.seed) if subject is None else subject
    spec = subject.spec()
    if not isinstance(spec, ExtractorSpec):
        raise UsageError(f"{spec.name!r} has no features")
    levels, align = select_levels(spec, level or request.level), alignment(options.align or spec.preprocessing.align)
    key = feature_key(spec, identity_of_subject(request), dataset, content_digest(dataset), align, dtype=options.dtype)
    stored = (options.store or default_store()).open(key, dataset.ids)
    if not all(map(stored.is_ready, levels)):
        fill(stored, subject, spec, dataset, levels, align, options)
    return spec, levels, align, stored
