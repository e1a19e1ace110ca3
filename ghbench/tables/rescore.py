"""Checking a result: score its records again and compare, and compare its task and subject with the installed ones."""

from __future__ import annotations

import math

import pandas as pd

from ghbench.errors import MissingError
from ghbench.results import files, scoring
from ghbench.results.schema import MetricValue, Result
from ghbench.running.record import task_record
from ghbench.spec_string import at_any_path
from ghbench.tables.collect import Entry
from ghbench.tables.identity import Identity, identity_of, in_a_line, plain, seal_differences, short
from ghbench.task import Task
from ghbench.task_abilities import Fitting


def check(entry: Entry, task: Task, *, images: bool = False, listed: bool = False) -> Identity:
    """All that can be checked of a result: its seal, numbers, task and subject; never raises for what a file says.

    Args:
        entry: A result and its records.
        task: The task that it is compared with.
        images: Whether to ask this machine's images too, which may have to be fetched or drawn: are they the same, do
            they overlap with the training images, and does the result's own digest follow?
        listed: Whether it is published: such a row has no label, and a name of ours means what is installed.
    """
    unchecked = None
    try:
        numbers = differences(entry, task)
    except Exception as error:  # noqa: BLE001 - whoever wrote the records chose what the task's code meets in them
        numbers = [in_a_line(error)]
    try:
        protocol = protocol_differences(entry.result, task)
    except MissingError as error:  # how the task divides its images is seen in them
        protocol, unchecked = [], f"protocol: {in_a_line(error)}"
    except Exception as error:  # noqa: BLE001 - the same
        protocol = [in_a_line(error)]
    subject = identity_of(entry.result, task, images=images, listed=listed)
    said = [*seal_differences(entry.result), *_place(entry), *_status_differences(entry.result)]
    if listed and entry.result.label is not None:
        said.append(f"label: {entry.result.label!r}, which no published row has")
    found = (*said, *protocol, *numbers, *subject.differences)
    return Identity(found, subject.unchecked or unchecked)


def differences(entry: Entry, task: Task, tolerance: float = 1e-9) -> list[str]:
    """What differs between a result's counts and metrics, and those of the records, scored now.

    Args:
        entry: A result and its records.
        task: The task that the user named; the one that the file names is compared with it and never loaded.
        tolerance: Largest absolute difference that is rounding. A metric from fitted classifiers (see
            `ghbench.task_abilities.Fitting`) may differ by a thousandth of its standard error, and that by a twentieth.

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
    lines = _count_differences(result, task, records)
    draws = scoring.replicates(task, records, seed=result.provenance.seed, stream=result.digest)
    again = scoring.metric_values(task, records, draws)
    now = {(metric.metric, metric.level): metric for metric in again}
    then = {(metric.metric, metric.level): metric for metric in result.metrics}
    lines += [f"{_label(key)} is only in the file" for key in then if key not in now]
    lines += [f"{_label(key)} is not in the file, but follows from the records" for key in now if key not in then]
    for key in [key for key in then if key in now]:
        own = (now[key].standard_error or 0.0) if isinstance(task, Fitting) and key[0] in task.fitted else 0.0
        for part, value, recorded in zip(_PARTS, _numbers(now[key]), _numbers(then[key]), strict=True):
            if not _agree(value, recorded, max(tolerance, own * (_OF_ERROR if part == _PARTS[-1] else _OF_VALUE))):
                lines.append(f"{_label(key)}, {part}: {value} now, {recorded} in the file")
    return lines


def _place(entry: Entry) -> list[str]:
    """A file is called after subject and digest: another name is that of another result."""
    belongs = files.path_of(entry.result, entry.path.parent.parent)
    if belongs == entry.path:
        return []
    here, there = (f"{path.parent.name}/{path.name}" for path in (entry.path, belongs))
    return [f"the file is {here}; what it says belongs into {there}"]


def _status_differences(result: Result) -> list[str]:
    """Incomplete is what lacks something, partial what is of the first images only."""
    follows = "partial" if result.limit is not None else "incomplete" if result.missing else "complete"
    return [] if result.status == follows else [f"status: {result.status} in the file, {follows} by what it says"]


def protocol_differences(result: Result, task: Task) -> list[str]:
    """What differs between a result's protocol and metrics, and those of the task.

    Raises:
        MissingError: The protocol depends on images that are not on this machine.
    """
    if task.version != result.task.version or at_any_path(task.name) != at_any_path(result.task.name):
        return []  # said once, by `differences`
    now = task_record(task)
    metrics = {"metrics": (result.task.metrics, now.metrics)}
    names = dict.fromkeys([*result.task.protocol, *now.protocol])
    protocol = {f"protocol, {key}": (result.task.protocol.get(key), now.protocol.get(key)) for key in names}
    return [
        f"{what}: {short(then)} in the file, {short(one)} by the task"
        for what, (then, one) in {**metrics, **protocol}.items()
        if plain(then) != plain(one)
    ]


def _count_differences(result: Result, task: Task, records: pd.DataFrame) -> list[str]:
    lines = []
    if twice := int(records.duplicated().sum()):
        lines.append(f"{twice} of the records are there twice; each is of one item")
    units = scoring.units_of(task, records)
    pairs: list[tuple[str, object, object]] = [("records", result.counts and result.counts.records, len(records))]
    if units is not None and result.counts is not None:
        counts = result.counts
        pairs += [("units", f"{counts.units} {counts.unit}", f"{units.count} {units.kind}")]
        if counts.units_digest is not None:
            pairs.append(("which units", counts.units_digest, units.digest))
    return lines + [f"{what}: {then} in the file, {now} by its records" for what, then, now in pairs if then != now]


_PARTS = ("value", "low", "high", "standard error")
_OF_VALUE, _OF_ERROR = 1e-3, 0.05
"""Of a fitted metric's standard error, as computed now: what may lie between its values, and between its errors."""


def _numbers(metric: MetricValue) -> tuple[float | None, ...]:
    return (metric.value, *(metric.interval or (None, None)), metric.standard_error)


def _agree(value: float | None, recorded: float | None, tolerance: float) -> bool:
    if value is None or recorded is None:
        return value is recorded
    return math.isclose(value, recorded, rel_tol=0, abs_tol=tolerance)


def _label(key: tuple[str, str | None]) -> str:
    return key[0] if key[1] is None else f"{key[0]} @ {key[1]}"
