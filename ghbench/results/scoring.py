"""From records to metrics with the uncertainty that the task declares; one way for run, table, compare and verify."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ghbench.digests import digest_json
from ghbench.errors import PluginError
from ghbench.results import statistics
from ghbench.results.schema import MetricValue
from ghbench.task import LEVEL, Metric, Score, Task, Units
from ghbench.task_abilities import Replicating, Resampled

Floats = NDArray[np.float64]
Replicates = Mapping[tuple[str, str | None], Floats]
RESAMPLED = frozenset({"units", "runs"})
_KEPT_DRAWS = 256


def declared(task: Task, name: str) -> Metric:
    """What the task says of a metric.

    Raises:
        PluginError: It declares none of that name.
    """
    for metric in task.metrics:
        if metric.name == name:
            return metric
    raise PluginError(f"task {task.name!r} scores {name!r}, which is not among its metrics")


def scores(task: Task, records: pd.DataFrame) -> list[Score]:
    """All scores, under the policy `each` level by level."""
    found = []
    for level, rows in levels_of(records):
        for score in task.score(part_of(records, rows)):
            if level is not None and score.level not in {None, level}:
                raise PluginError(f"task {task.name!r} scores level {score.level!r} where only {level!r} is evaluated")
            found.append(replace(score, level=score.level or level))
    return found


def resampled(task: Task) -> Resampled | None:
    """The task where one of its metrics is resampled, else None.

    Raises:
        PluginError: It declares such a metric, but has no units.
    """
    if not any(metric.uncertainty in RESAMPLED for metric in task.metrics):
        return None
    if not isinstance(task, Resampled):
        raise PluginError(f"task {task.name!r} declares metrics with uncertainty over units, but has no units()")
    return task


def units_of(task: Task, records: pd.DataFrame) -> Units | None:
    """What is resampled, None for a task that resamples nothing."""
    source = resampled(task)
    if source is None:
        return None
    _, rows = next(levels_of(records))
    units = source.units(part_of(records, rows))
    if not isinstance(units, Units):
        raise PluginError(f"task {task.name!r}: units() gives {type(units).__name__}, expected ghbench.task.Units")
    present = np.unique(np.concatenate([units.first, units.first if units.second is None else units.second]))
    if not np.array_equal(present[present >= 0], np.arange(units.count)) or not units.count:
        raise PluginError(f"task {task.name!r} counts {units.count} {units.kind}; its records do not hold all of them")
    return units


def units_behind(task: Task, records: pd.DataFrame, metric: str, level: str | None = None) -> int:
    """How many units a metric is defined on: all of them, unless the task says that it is fewer; 0 without units."""
    units = units_of(task, records)
    found = next((one for one in scores(task, records) if (one.metric, one.level) == (metric, level)), None)
    fewer = None if found is None else found.units
    return 0 if units is None else units.count if fewer is None else fewer


def replicates(
    task: Task,
    records: pd.DataFrame,
    *,
    metrics: Collection[str] | None = None,
    draws: int = statistics.DRAWS,
    seed: int = 0,
    stream: str = "",
) -> Replicates:
    """Score every bootstrap draw over the task's units, a block of draws at a time.

    Args:
        task: Gives `units` and `score`.
        records: What the task's `evaluate` returned.
        metrics: Names of the metrics wanted, None for all that are resampled.
        draws: Number of draws.
        seed: Seed of the draws; equal seeds give paired draws.
        stream: Names the subject where runs are resampled, which cannot be paired.

    Returns:
        By (metric, level) a float64 [draws].
    """
    kinds = {metric.name: metric.uncertainty for metric in task.metrics}
    wanted = {name for name in kinds if kinds[name] in RESAMPLED and (metrics is None or name in metrics)}
    if not wanted:
        return {}
    own_seed = int(digest_json([seed, stream])[:12], 16)
    found: dict[tuple[str, str | None], Floats] = {}
    for level, rows in levels_of(records):
        part = part_of(records, rows)
        units = units_of(task, part)
        assert units is not None
        for kind, drawn_with in (("units", seed), ("runs", own_seed)):
            of_kind = {name for name in wanted if kinds[name] == kind}
            start = 0
            for counts in statistics.multiplicity_chunks(units.count, draws, drawn_with) if of_kind else ():
                for (name, own_level), values in _scored_draws(task, part, units, counts, of_kind).items():
                    key = (name, own_level or level)
                    # A draw that lacks a metric leaves a gap, so that the draws of two systems stay side by side.
                    found.setdefault(key, np.full(draws, np.nan))[start : start + len(counts)] = values
                start += len(counts)
    return found


def metric_values(
    task: Task, records: pd.DataFrame, draws: Replicates, scored: Sequence[Score] | None = None
) -> list[MetricValue]:
    """Every score with the uncertainty that its metric declares.

    Args:
        task: The task.
        records: What its `evaluate` returned.
        draws: What `replicates` returned.
        scored: What `scores` returned, None to ask it.
    """
    parts = list(levels_of(records))
    units = {level: units_of(task, part_of(records, rows)) for level, rows in parts}
    together = units.get(None)  # a score about one level of several, where levels are not scored one by one
    values = []
    for score in scores(task, records) if scored is None else scored:
        metric = declared(task, score.metric)
        replicate = draws.get((score.metric, score.level)) if metric.uncertainty in RESAMPLED else None
        own_units = units.get(score.level, together)
        ends = None
        if replicate is not None and own_units is not None and math.isfinite(score.value):
            count = own_units.count if score.units is None else score.units
            ends = statistics.interval(score.value, replicate, count, metric.bounds)
        values.append(
            MetricValue(
                metric=score.metric,
                value=_finite(score.value),
                level=score.level,
                interval=ends if ends is not None and all(map(math.isfinite, ends)) else None,
                standard_error=_finite(score.standard_error) if metric.uncertainty == "error" else None,
            )
        )
    return values


_kept: OrderedDict[tuple[str | int | None, ...], Replicates] = OrderedDict()


def keep_draws(task: Task, records_sha256: str | None, seed: int, stream: str, draws: Replicates) -> Replicates:
    """Remember the main metric's draws of records that were just scored, for the table that follows."""
    main = task.metrics[0].name
    key = (task.name, task.version, main, records_sha256, seed, stream)
    _kept[key] = {name: values for name, values in draws.items() if name[0] == main}
    while len(_kept) > _KEPT_DRAWS:
        _kept.popitem(last=False)
    return _kept[key]


def main_draws(task: Task, records: pd.DataFrame, records_sha256: str | None, seed: int, stream: str) -> Replicates:
    """Draws of the main metric, remembered or made now."""
    main = task.metrics[0].name
    found = _kept.get((task.name, task.version, main, records_sha256, seed, stream))
    if found is not None:
        return found
    draws = replicates(task, records, metrics=[main], seed=seed, stream=stream)
    return keep_draws(task, records_sha256, seed, stream, draws)


def levels_of(records: pd.DataFrame) -> Iterator[tuple[str | None, NDArray[np.intp]]]:
    """Rows of each level under the policy `each`, in their order; else all rows, without a level."""
    if LEVEL not in records.columns:
        yield None, np.arange(len(records))
        return
    for level in pd.unique(records[LEVEL]):
        yield str(level), np.flatnonzero(records[LEVEL] == level)


def part_of(records: pd.DataFrame, rows: NDArray[np.intp]) -> pd.DataFrame:
    """The records of one level, as the task made them."""
    if LEVEL not in records.columns:
        return records
    return records.iloc[rows].drop(columns=LEVEL).reset_index(drop=True)


def _scored_draws(
    task: Task, records: pd.DataFrame, units: Units, counts: Floats, wanted: Collection[str]
) -> Mapping[tuple[str, str | None], Floats]:
    if isinstance(task, Replicating):
        found = task.score_replicates(records, counts, wanted)
        return {key: values for key, values in found.items() if key[0] in wanted}
    rows: dict[tuple[str, str | None], Floats] = {}
    for row, count in enumerate(counts):
        for score in task.score(records, units.weights(count)):
            if score.metric in wanted:
                rows.setdefault((score.metric, score.level), np.full(len(counts), np.nan))[row] = score.value
    return rows


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def find_value(values: Sequence[MetricValue], metric: str, level: str | None = None) -> MetricValue | None:
    """The value of a metric among others, None where it is not there."""
    return next((value for value in values if value.metric == metric and value.level == level), None)
