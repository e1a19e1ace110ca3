"""What both tasks share: source, judge and constants; scores of tidy records, with replicates."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ghbench.metrics.image import psnr_of_mse
from ghbench.metrics.ratios import ratio_replicates, ratios, unit_codes, units_behind
from ghbench.spec_string import SpecString
from ghbench.task import Metric, Score, Units
from ghbench.task_errors import ErrorList

from .constants import Constant
from .judges import Judge
from .source import Source


class RatioScores:
    """Scores records of `ghbench.metrics.ratios`; `psnr` is that of the mean squared error."""

    source: Source
    judge: SpecString
    metrics: tuple[Metric, ...]
    error_role: ClassVar[str]
    """Role of the images whose errors are shown."""
    _constants: Mapping[str, Constant]

    @property
    def unit(self) -> str:
        """What the bootstrap resamples."""
        return self.source.unit

    def constant(self, name: str) -> Constant | None:
        """The row of that name, see `ghbench.task_abilities.WithConstants`."""
        return self._constants.get(name)

    @cached_property
    def _judge(self) -> Judge:
        return Judge(self.judge)

    def units(self, records: pd.DataFrame) -> Units:
        """People where the images say who they show, else images."""
        codes, count = unit_codes(records)
        units = records["unit"].to_numpy()
        return Units(self.unit, codes, None, count, np.unique(units[units >= 0]).tolist())

    def score(self, records: pd.DataFrame, sample_weight: NDArray[np.float64] | None = None) -> Sequence[Score]:
        """All metrics, see `ghbench.task.Task`."""
        found, units = [], units_behind(records) if sample_weight is None else {}
        for key, (value, error) in ratios(records, sample_weight).items():
            metric, at = key
            found.append(Score(metric, value, at or None, error, units.get(key)))
            if metric == "mse" and self._has_psnr:
                found.append(Score("psnr", float(psnr_of_mse(np.asarray(value))), units=units.get(key)))
        return found

    def score_replicates(
        self, records: pd.DataFrame, multiplicity: NDArray[np.float64], metrics: Collection[str] | None = None
    ) -> Mapping[tuple[str, str | None], NDArray[np.float64]]:
        """The same of every bootstrap draw, see `ghbench.task_abilities.Replicating`."""
        wanted = None if metrics is None else {"mse" if name == "psnr" else name for name in metrics}
        found: dict[tuple[str, str | None], NDArray[np.float64]] = {
            (metric, at or None): values
            for (metric, at), values in ratio_replicates(records, multiplicity, wanted).items()
        }
        if ("mse", None) in found and self._has_psnr:
            found["psnr", None] = psnr_of_mse(found["mse", None])
        return found

    def errors(self, records: pd.DataFrame) -> Sequence[ErrorList]:
        """Images by the first metric, the worst first, see `ghbench.task_errors.WithErrors`."""
        metric = self.metrics[0]
        found = records[(records["metric"] == metric.name) & (records["row"] >= 0) & (records["below"] > 0)]
        value = (found["above"] / found["below"]).to_numpy(dtype=np.float64)
        if not len(found):
            return []
        rows, error = found["row"].to_numpy(dtype=np.int64)[:, None], -value if metric.higher_is_better else value
        title = f"{'lowest' if metric.higher_is_better else 'highest'} {metric.name}"
        return [ErrorList(title, metric.unit, self.error_role, rows, error, {metric.name: value})]

    @property
    def _has_psnr(self) -> bool:
        return any(metric.name == "psnr" for metric in self.metrics)
