"""What tasks that judge decoded pictures have in common: how their records become metrics, and what they left out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ghbench.task import Score

from . import scores as picture_scores

LEFT_OUT = "left_out"
"""Attribute of the records: by name, why something is missing."""


class ScoredPictures:
    """Scores records of pictures; see `picture_scores` for the columns."""

    def notes(self, records: pd.DataFrame) -> Sequence[str]:
        """What was left out, and why."""
        return [f"{name} left out: {why}" for name, why in records.attrs.get(LEFT_OUT, {}).items()]

    def score(self, records: pd.DataFrame, sample_weight: NDArray[np.float64] | None = None) -> Sequence[Score]:
        """All metrics.

        Args:
            records: What `evaluate` returned.
            sample_weight: float64 [N], None for all ones; distances of whole sets are not weighted.
        """
        return picture_scores.scores(records, sample_weight)

    def score_replicates(
        self, records: pd.DataFrame, multiplicity: NDArray[np.float64], metrics: Collection[str] | None = None
    ) -> Mapping[tuple[str, str | None], NDArray[np.float64]]:
        """The same metrics for every bootstrap draw, without a loop over the draws."""
        return picture_scores.replicates(records, multiplicity, metrics)
