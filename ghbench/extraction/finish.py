"""The last step of every level, however its features came about: look at all rows at once, then mark it complete."""

from __future__ import annotations

from collections.abc import Sequence

from ghbench.errors import FeatureError
from ghbench.extraction.checks import check_distinct, rank_warning
from ghbench.extractor import ExtractorSpec
from ghbench.store import StoredFeatures


def finish_level(stored: StoredFeatures, level: str, spec: ExtractorSpec, image_digests: Sequence[str]) -> None:
    """Check a level whose shards are all there, and mark it complete; call inside `writing()`.

    Args:
        stored: Where the level lies.
        level: Its name.
        spec: The extractor's spec.
        image_digests: Pixel digest of each row.

    Raises:
        FeatureError: Different images have the same features; the level is forgotten.
    """
    features = stored.read(level)
    try:
        check_distinct(features, image_digests, spec.name, level)
    except FeatureError:
        stored.discard(level)
        raise
    warning = rank_warning(features, spec.name, level)
    stored.complete(level, [] if warning is None else [warning])
