"""Checking a published number: score its records again and compare."""

from __future__ import annotations

import math

from ghbench.leaderboard.collect import Entry
from ghbench.results import files, statistics
from ghbench.selection import load_task


def differences(entry: Entry, tolerance: float = 1e-9) -> list[str]:
    """What differs between a result's metrics and those of its records, scored now.

    Args:
        entry: A result and its records.
        tolerance: Largest absolute difference that is rounding.

    Returns:
        One line a difference; empty where everything agrees.

    Raises:
        DataError: The records are missing or were changed.
    """
    result = entry.result
    task = load_task(result.task.name)
    if task.version != result.task.version:
        return [f"made with version {result.task.version} of the task, this is version {task.version}"]
    records = files.load_records(entry.path, result)
    replicates = statistics.replicates(task, records, seed=result.provenance.seed)
    again = statistics.with_intervals(task.score(records), replicates, task.units(records).kind)
    now = {(metric.metric, metric.level): metric for metric in again}
    then = {(metric.metric, metric.level): metric for metric in result.metrics}
    lines = [f"{key[0]} is only on one side" for key in now.keys() ^ then.keys()]
    for key in now.keys() & then.keys():
        pairs = [(now[key].value, then[key].value), *zip(now[key].ci or (), then[key].ci or (), strict=False)]
        for value, recorded in pairs:
            if not math.isclose(value or 0.0, recorded or 0.0, rel_tol=0, abs_tol=tolerance):
                lines.append(f"{key[0]}: {value} now, {recorded} in the file")
    return lines
