"""The last step of every level, however its features came about: look at all rows at once, then mark it complete."""

from __future__ import annotations

from ghbench.dataset import Dataset
from ghbench.errors import FeatureError
from ghbench.extraction.checks import check_distinct, rank_warning
from ghbench.extraction.target import FeatureTarget


def finish_level(stored: FeatureTarget, level: str, extractor: str, dataset: Dataset) -> None:
    """Check a level whose shards are all there, and mark it complete; call inside `writing()`.

    Args:
        stored: Where the level lies.
        level: Its name.
        extractor: Name of the extractor, for messages.
        dataset: The images.

    Raises:
        FeatureError: Different images have the same features; the level is forgotten.
    """
    features = stored.rows(level)
    try:
        warnings = check_distinct(features, dataset, extractor, level, stored.key.dtype)
    except FeatureError:
        stored.discard(level)
        raise
    collapsed = rank_warning(features, extractor, level)
    stored.complete(level, warnings if collapsed is None else [*warnings, collapsed])
