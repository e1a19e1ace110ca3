"""Runs a row again, from what its file says, and compares: identical, within its interval, or different and where."""

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

Outcome = Literal["identical", "within its interval", "different"]
ROUNDING = 1e-6
"""Largest difference of a metric that another processor's rounding may make, relative to values above 1."""


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
    subject: Any = recorded.subject.spec_string
    if not recorded.subject.constant:
        subject = str(registry.ours_first("extractor", parse_recorded(subject)))
    with tempfile.TemporaryDirectory() as folder:
        options = replace(
            _options(recorded, task), extraction=extraction or ExtractionOptions(), results=Path(folder) / "results",
            store=FeatureStore(Path(folder) / "features"),
        )  # fmt: skip
        again = runner.run(subject, load_task(task), options)
    return compared(recorded, again)


def compared(recorded: Result, again: Result) -> Reproduction:
    """Compare a result with the same one made again."""
    pairs: list[tuple[str, object, object]] = [
        ("weights", recorded.subject.weights_digest, again.subject.weights_digest),
        ("status", recorded.status, again.status),
    ]
    for role, data in recorded.datasets.items():
        other = again.datasets.get(role)
        pairs.append((f"images of {role}", data.content_digest, other and other.content_digest))
    lines = [f"{what}: {then} in the file, {now} now" for what, then, now in pairs if then != now]
    worst: Outcome = "different" if lines else "identical"
    made = {(metric.metric, metric.level): metric for metric in again.metrics}
    for metric in recorded.metrics:
        label = metric.metric if metric.level is None else f"{metric.metric} @ {metric.level}"
        outcome = _outcome(metric, made.get((metric.metric, metric.level)))
        if outcome == "identical":
            continue
        now = made.get((metric.metric, metric.level))
        lines.append(f"{label}: {metric.value} in the file, {now and now.value} now, {outcome}")
        worst = "different" if "different" in {outcome, worst} else outcome
    return Reproduction(worst, tuple(lines), again)


def _outcome(then: MetricValue, now: MetricValue | None) -> Outcome:
    if now is None or (then.value is None) != (now.value is None):
        return "different"
    if then.value is None or now.value is None:
        return "identical"
    if math.isclose(then.value, now.value, rel_tol=ROUNDING, abs_tol=ROUNDING):
        return "identical"
    if then.interval is not None:
        low, high = then.interval
        return "within its interval" if low <= now.value <= high else "different"
    reach = 2 * (then.standard_error or 0)
    return "within its interval" if abs(then.value - now.value) <= reach else "different"


def _options(recorded: Result, task: Task) -> RunOptions:
    """How it was run; a task that fixes the alignment needs none."""
    kept = recorded.features
    own = RunOptions(seed=recorded.provenance.seed, limit=recorded.limit)
    if kept is None:
        return own
    align = None if task.protocol().get("align") else str(kept.align.get("name", "none"))
    return replace(own, dtype=cast("Any", kept.dtype), align=align)
