"""Checking a result: score its records again and compare, and compare its subject with the installed one."""

from __future__ import annotations

import math

from ghbench.errors import UserError
from ghbench.results import files, scoring
from ghbench.results.schema import MetricValue
from ghbench.spec_string import at_any_path
from ghbench.tables.collect import Entry
from ghbench.tables.identity import Identity, identity_of, seal_differences
from ghbench.task import Task


def check(entry: Entry, task: Task) -> Identity:
    """All that can be checked of a result: its seal, its numbers, its subject; never raises for what a file says."""
    try:
        numbers = differences(entry, task)
    except Exception as error:  # noqa: BLE001 - whoever wrote the records chose what the task's code meets in them
        numbers = [error.message if isinstance(error, UserError) else f"{type(error).__name__}: {error}"]
    subject = identity_of(entry.result, task)
    return Identity((*seal_differences(entry.result), *numbers, *subject.differences), subject.unchecked)


def differences(entry: Entry, task: Task, tolerance: float = 1e-9) -> list[str]:
    """What differs between a result's metrics and those of its records, scored now.

    Args:
        entry: A result and its records.
        task: The task that the user named; the one that the file names is compared with it and never loaded.
        tolerance: Largest absolute difference that is rounding.

    Returns:
        One line a difference; empty where everything agrees.

    Raises:
        DataError: The records are missing or were changed.
    """
    result = entry.result
    if at_any_path(task.name) != at_any_path(result.task.name):
        return [f"the file says that it is a result of {result.task.name!r}, not of {task.name!r}"]
    if task.version != result.task.version:
        return [f"made with version {result.task.version} of the task, this is version {task.version}"]
    records = files.load_records(entry.path, result)
    draws = scoring.replicates(task, records, seed=result.provenance.seed, stream=result.digest)
    again = scoring.metric_values(task, records, draws)
    now = {(metric.metric, metric.level): metric for metric in again}
    then = {(metric.metric, metric.level): metric for metric in result.metrics}
    lines = [f"{_label(key)} is only on one side" for key in [*then, *now] if key not in now or key not in then]
    for key in [key for key in then if key in now]:
        for part, value, recorded in zip(_PARTS, _numbers(now[key]), _numbers(then[key]), strict=True):
            if not _agree(value, recorded, tolerance):
                lines.append(f"{_label(key)}, {part}: {value} now, {recorded} in the file")
    return lines


_PARTS = ("value", "low", "high", "standard error")


def _numbers(metric: MetricValue) -> tuple[float | None, ...]:
    return (metric.value, *(metric.interval or (None, None)), metric.standard_error)


def _agree(value: float | None, recorded: float | None, tolerance: float) -> bool:
    if value is None or recorded is None:
        return value is recorded
    return math.isclose(value, recorded, rel_tol=0, abs_tol=tolerance)


def _label(key: tuple[str, str | None]) -> str:
    return key[0] if key[1] is None else f"{key[0]} @ {key[1]}"
