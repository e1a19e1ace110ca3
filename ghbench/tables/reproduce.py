"""Runs a row again, from what its file says, and compares: identical, close, or different and where."""

from __future__ import annotations

import math
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

from ghbench import registry
from ghbench.errors import UsageError
from ghbench.extraction import ExtractionOptions
from ghbench.results import files
from ghbench.results.schema import MetricValue, Result
from ghbench.running import runner
from ghbench.running.options import RunOptions
from ghbench.running.request import load_task
from ghbench.spec_string import parse_recorded
from ghbench.store import FeatureStore
from ghbench.task import Task
from ghbench.task_abilities import WithConstants

Outcome = Literal["identical", "close", "different"]
ROUNDING, DEVICE = 1e-6, 0.1
"""Largest difference that is rounding, relative to values above 1; and that another device or number of threads may
make, as a share of the interval's width: items that are nearly equal swap."""


@dataclass(frozen=True, slots=True)
class Reproduction:
    """What running a row again gave.

    Args:
        outcome: The worst of all metrics; `different` too where the subject or the images are others.
        differences: One line for each field or metric that is not identical.
        result: The new result.
    """

    outcome: Outcome
    differences: tuple[str, ...]
    result: Result


def reproduce(path: Path, extraction: ExtractionOptions | None = None) -> Reproduction:
    """Run a result's subject on its task again, in a store of its own, and compare.

    Args:
        path: The result's JSON file.
        extraction: Batch size, workers, device, progress.

    Raises:
        DataError: The file is no result, or was changed.
        UsageError: It names a task or a subject that is no registered plugin, or cannot be run.
        MissingError: Data or weights are not on this machine.
    """
    recorded = files.load(path)
    task = cast("Task", registry.build_recorded("task", recorded.task.name))
    if task.version != recorded.task.version:
        raise UsageError(
            f"{path.name} was made with version {recorded.task.version} of {recorded.task.name!r}; this is version "
            f"{task.version}",
            fix="pip install the ghbench that its provenance names",
        )
    subject = recorded.subject.spec_string
    if not recorded.subject.constant:
        subject = str(registry.ours_first("extractor", parse_recorded(subject)))
    elif not isinstance(task, WithConstants) or task.constant(subject) is None:
        raise UsageError(f"{task.name} has no row of its own called {subject!r}")
    with tempfile.TemporaryDirectory() as folder:
        options = replace(
            options_of(recorded, task), extraction=extraction or ExtractionOptions(), results=Path(folder) / "results",
            store=FeatureStore(Path(folder) / "features"),
        )  # fmt: skip
        again = runner.run(subject, load_task(task), options)
    return compared(recorded, again)


def compared(recorded: Result, again: Result) -> Reproduction:
    """Compare a result with the same one made again."""
    pairs: list[tuple[str, object, object]] = [
        ("weights", recorded.subject.weights_digest, again.subject.weights_digest),
        ("status", recorded.status, again.status),
        ("protocol", recorded.task.protocol, again.task.protocol),
        ("navigator", recorded.navigator, again.navigator),
        ("levels", recorded.features and recorded.features.levels, again.features and again.features.levels),
    ]
    for role in {**recorded.datasets, **again.datasets}:
        one, other = recorded.datasets.get(role), again.datasets.get(role)
        pairs += [
            (f"images of {role}", one and one.content_digest, other and other.content_digest),
            (f"annotations of {role}", one and one.annotations_digest, other and other.annotations_digest),
        ]
    lines = [f"{what}: {then} in the file, {now} now" for what, then, now in pairs if then != now]
    worst: Outcome = "different" if lines else "identical"
    stated, made = ({(one.metric, one.level): one for one in result.metrics} for result in (recorded, again))
    for key in {**stated, **made}:
        then, now = stated.get(key), made.get(key)
        outcome = _outcome(then, now)
        if outcome != "identical":
            label = key[0] if key[1] is None else f"{key[0]} @ {key[1]}"
            within = ", but within the new interval" if outcome == "different" and _within(then, now) else ""
            lines.append(f"{label}: {then and _text(then)} in the file, {now and _text(now)} now, {outcome}{within}")
            worst = "different" if "different" in {outcome, worst} else outcome
    return Reproduction(worst, tuple(lines), again)


def _outcome(then: MetricValue | None, now: MetricValue | None) -> Outcome:
    """What a number made again says of the stated one: the new interval counts, since the stated one may be a lie."""
    if then is None or now is None or (then.value is None) != (now.value is None):
        return "different"
    if then.value is None or now.value is None:
        return "identical"
    reach = 2 * (now.standard_error or 0.0)
    low, high = now.interval or (now.value - reach, now.value + reach)
    numbers = [(then.value, now.value), (then.standard_error, now.standard_error)]
    numbers += zip(then.interval or (None, None), now.interval or (None, None), strict=True)
    if all(_near(*pair, 0.0) for pair in numbers):
        return "identical"
    return "close" if all(_near(*pair, DEVICE * (high - low)) for pair in numbers) else "different"


def _within(then: MetricValue | None, now: MetricValue | None) -> bool:
    if then is None or now is None or then.value is None or now.interval is None:
        return False
    return now.interval[0] <= then.value <= now.interval[1]


def _near(one: float | None, other: float | None, reach: float) -> bool:
    """Whether two numbers agree up to rounding, or so far."""
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=ROUNDING, abs_tol=max(ROUNDING, reach))


def _text(value: MetricValue) -> str:
    return f"{value.value} {value.interval or value.standard_error or ''}".strip()


def options_of(recorded: Result, task: Task) -> RunOptions:
    """How it was run; a task that fixes the alignment needs none."""
    kept = recorded.features
    own = RunOptions(seed=recorded.provenance.seed, limit=recorded.limit)
    if kept is None:
        return own
    align = None if task.protocol().get("align") else str(kept.align.get("name", "none"))
    return replace(own, dtype=cast("Any", kept.dtype), align=align)
