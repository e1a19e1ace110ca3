"""Features of a subject in the store, under one key wherever they are asked for."""

from __future__ import annotations

from collections.abc import Sequence

from ghbench.dataset import Dataset, content_digest
from ghbench.errors import UsageError
from ghbench.extraction import FeatureTarget, Precomputed, extract_features, store_precomputed
from ghbench.extractor import Encoder, ExtractorSpec, Subject
from ghbench.imaging import Alignment, alignment
from ghbench.levels import select_levels
from ghbench.running.keys import align_parts, feature_key, identity_of_extractor
from ghbench.running.options import RunOptions
from ghbench.running.request import SubjectRequest
from ghbench.store import FeatureKey, RemoteFeatures, RemoteStore, StoredFeatures, default_store


def identity_of_subject(request: SubjectRequest) -> str:
    """What a subject is built from; names of the user's own objects stand for themselves."""
    return str(request.spec_string) if request.given is not None else identity_of_extractor(request.spec_string)


def fill(
    stored: FeatureTarget,
    subject: Subject,
    spec: ExtractorSpec,
    dataset: Dataset,
    levels: Sequence[str],
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
    wanted = _Wanted(request, dataset, options, level, subject)
    stored = (options.store or default_store()).open(wanted.key, dataset.ids)
    wanted.bring_into(stored)
    return wanted.spec, wanted.levels, wanted.align, stored


def features_elsewhere(
    request: SubjectRequest, dataset: Dataset, options: RunOptions, url: str, level: str | None = None, *, check: bool
) -> tuple[tuple[str, ...], RemoteFeatures]:
    """The same features, written straight to a store elsewhere.

    Args:
        request: The extractor.
        dataset: The images.
        options: Alignment, dtype and extraction are used.
        url: Of the store, for instance `s3://bucket/features`.
        level: Levels wanted, as in a spec string; None for what the request says.
        check: Whether what is there is compared with its digests first, and made again where it differs.

    Returns:
        The levels, and where they are, complete.

    Raises:
        UsageError: It has no features, or no such level, or there is no such place.
    """
    wanted = _Wanted(request, dataset, options, level)
    stored = RemoteStore(url).open(wanted.key, dataset.ids)
    for name in wanted.levels if check else ():
        stored.check(name)
    wanted.bring_into(stored)
    return wanted.levels, stored


class _Wanted:
    """Features that somebody asks for, wherever they are to lie."""

    def __init__(
        self,
        request: SubjectRequest,
        dataset: Dataset,
        options: RunOptions,
        level: str | None,
        subject: Subject | None = None,
    ) -> None:
        self._subject = request.build(options.seed) if subject is None else subject
        self._dataset, self._options = dataset, options
        spec = self._subject.spec()
        if not isinstance(spec, ExtractorSpec):
            raise UsageError(f"{spec.name!r} has no features")
        self.spec, self.levels = spec, select_levels(spec, level or request.level)
        self.align = alignment(options.align or spec.preprocessing.align)
        self.key: FeatureKey = feature_key(
            spec, identity_of_subject(request), dataset.card().name, content_digest(dataset), align_parts(self.align),
            dtype=options.dtype,
        )  # fmt: skip

    def bring_into(self, stored: FeatureTarget) -> None:
        """Extract what is missing there."""
        if not all(map(stored.is_ready, self.levels)):
            fill(stored, self._subject, self.spec, self._dataset, self.levels, self.align, self._options)
