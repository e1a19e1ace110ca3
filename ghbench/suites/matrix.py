"""One matrix for several tasks: rows are systems, columns each task's first metric, and an aggregate if declared.

The aggregate is the mean over tasks of (score - chance) / (ceiling - chance), or of the rank among the systems that
have every task. Nothing is imputed: a system that lacks a task has no aggregate. Its interval is the central 95 % of
bootstrap draws, which are independent between tasks and the same for all systems within one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ghbench.digests import digest_json
from ghbench.errors import UsageError
from ghbench.results import files, scoring
from ghbench.results.schema import Failure, Result
from ghbench.results.statistics import DRAWS
from ghbench.running.options import RunOptions
from ghbench.suites.definition import Suite
from ghbench.task import Task

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cell:
    """A system on a task.

    Args:
        value: The task's first metric; None where there is none.
        interval: Its 95 % interval.
        reason: Why there is no value, or why it does not count fully (`partial`, `incomplete`).
        digest: The result's.
    """

    value: float | None = None
    interval: tuple[float, float] | None = None
    reason: str = ""
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Matrix:
    """The outcome of a suite.

    Args:
        suite: Name of the suite.
        version: Its version.
        digest: Identity of the declaration and of the versions of its tasks.
        aggregate: How the aggregate is made, None where none is declared.
        columns: Task names with the first metric of each.
        rows: By system one cell a task.
        aggregates: By system; those that lack a task have none.
        outcomes: Results and failures, task by task.
    """

    suite: str
    version: int
    digest: str
    aggregate: str | None
    columns: dict[str, str]
    rows: dict[str, dict[str, Cell]]
    aggregates: dict[str, Cell]
    outcomes: tuple[Result | Failure, ...]

    def to_json(self) -> str:
        """The matrix as JSON; results are named by their digests."""
        content = {
            "suite": self.suite,
            "version": self.version,
            "digest": self.digest,
            "aggregate": self.aggregate,
            "metrics": self.columns,
            "rows": {row: {task: asdict(cell) for task, cell in cells.items()} for row, cells in self.rows.items()},
            "aggregates": {row: asdict(cell) for row, cell in self.aggregates.items()},
        }
        return json.dumps(content, indent=1) + "\n"

    def to_frame(self) -> pd.DataFrame:
        """One line a system and task: value, low, high, reason."""
        import pandas as pd

        lines: list[dict[str, Any]] = []
        for row, cells in self.rows.items():
            for task, cell in [*cells.items(), *([("aggregate", self.aggregates[row])] if self.aggregate else [])]:
                low, high = cell.interval or (None, None)
                metric = self.columns.get(task, self.aggregate)
                lines.append(
                    {"system": row, "task": task, "metric": metric, "value": cell.value, "low": low, "high": high,
                     "reason": cell.reason}
                )  # fmt: skip
        return pd.DataFrame(lines)


def matrix_of(
    suite: Suite,
    tasks: Sequence[Task],
    rows: Sequence[str],
    outcomes: Mapping[tuple[str, str], Result | Failure],
    unfit: Mapping[tuple[str, str], str],
    options: RunOptions,
) -> Matrix:
    """Put outcomes side by side.

    Args:
        suite: The declaration.
        tasks: Its tasks, in its order.
        rows: Subjects as they were asked for.
        outcomes: By subject and task name.
        unfit: Why a subject cannot stand in a task.
        options: How they were run.

    Raises:
        UsageError: Ranks are asked for of numbers that have no direction.
    """
    plain = [task.name for task in tasks if task.metrics[0].higher_is_better is None]
    if suite.aggregate == "mean-rank" and plain:
        raise UsageError(f"aggregate: mean-rank has nothing to rank in {', '.join(plain)}", fix="leave it out")
    found: dict[str, dict[str, Cell]] = {}
    draws: dict[tuple[str, str], Floats] = {}
    for subject in rows:
        for column, task in enumerate(tasks):
            outcome = outcomes.get((subject, task.name))
            if not isinstance(outcome, Result):
                why = unfit.get((subject, task.name), "not a row of this task")
                reason = why if outcome is None else outcome.error.partition("\n")[0]
                found.setdefault(subject, {})[task.name] = Cell(reason=reason)
                continue
            each = outcome.features is not None and outcome.features.policy == "each"
            for level in dict.fromkeys(value.level for value in outcome.metrics) if each else [None]:
                name = subject if level is None else f"{subject} @ {level}"
                found.setdefault(name, {})[task.name] = _cell(outcome, task, level)
                if suite.aggregate is not None:
                    draws[name, task.name] = _draws(outcome, task, level, column, options)
    # What only a policy `each` has split into levels stands there.
    kept = {
        name: {task.name: cells.get(task.name, Cell(reason="not of this level")) for task in tasks}
        for name, cells in found.items()
        if any(cell.value is not None for cell in cells.values())
        or not any(other.startswith(f"{name} @ ") for other in found)
    }
    return Matrix(
        suite=suite.name,
        version=suite.version,
        digest=digest_json([suite.digest, [[task.name, task.version] for task in tasks]]),
        aggregate=suite.aggregate,
        columns={task.name: task.metrics[0].name for task in tasks},
        rows=kept,
        aggregates={} if suite.aggregate is None else _aggregates(suite, tasks, kept, draws),
        outcomes=tuple(outcomes.values()),
    )


def _cell(result: Result, task: Task, level: str | None) -> Cell:
    value = scoring.find_value(result.metrics, task.metrics[0].name, level)
    if value is None or value.value is None:
        return Cell(reason=f"{task.metrics[0].name} is not defined", digest=result.digest)
    return Cell(value.value, value.interval, "" if result.status == "complete" else result.status, result.digest)


def _draws(result: Result, task: Task, level: str | None, column: int, options: RunOptions) -> Floats:
    """Replicates of the first metric; of another order in each task, so that equal seeds do not tie tasks together."""
    main = task.metrics[0]
    value = scoring.find_value(result.metrics, main.name, level)
    centre = float("nan") if value is None or value.value is None else value.value
    shuffled = np.random.default_rng(np.random.SeedSequence(options.seed, spawn_key=(column,)))
    if main.uncertainty not in scoring.RESAMPLED:
        error = float("nan") if value is None or value.standard_error is None else value.standard_error
        return centre + error * shuffled.standard_normal(DRAWS)
    records = files.load_records(files.path_of(result, options.results), result)
    made = scoring.main_draws(task, records, result.records_sha256, options.seed, result.digest)
    of_level = made.get((main.name, level))
    return np.full(DRAWS, np.nan) if of_level is None else of_level[shuffled.permutation(len(of_level))]


def _aggregates(
    suite: Suite, tasks: Sequence[Task], rows: Mapping[str, Mapping[str, Cell]], draws: Mapping[tuple[str, str], Floats]
) -> dict[str, Cell]:
    complete = [row for row, cells in rows.items() if all(_counts(cells[task.name]) for task in tasks)]
    lacking = {row: [name for name, cell in cells.items() if not _counts(cell)] for row, cells in rows.items()}
    found = {row: Cell(reason=f"lacks {', '.join(names)}") for row, names in lacking.items() if names}
    if not complete:
        return found
    points, replicates = [], []
    for task, declared in zip(tasks, suite.tasks, strict=True):
        value = np.array([[rows[row][task.name].value] for row in complete], dtype=np.float64).reshape(-1, 1)
        drawn = np.array([draws[row, task.name] for row in complete]).reshape(len(complete), -1)
        both = np.hstack([value, drawn])
        if suite.aggregate == "mean-rank":
            better = -both if task.metrics[0].higher_is_better else both
            both = _ranks(better)
        else:
            assert declared.chance is not None
            assert declared.ceiling is not None
            both = (both - declared.chance) / (declared.ceiling - declared.chance)
        points.append(both[:, 0])
        replicates.append(both[:, 1:])
    together, drawn = np.mean(points, axis=0), np.mean(replicates, axis=0)
    for row, value, of_row in zip(complete, together, drawn, strict=True):
        known = of_row[np.isfinite(of_row)]
        ends = (float(np.quantile(known, 0.025)), float(np.quantile(known, 0.975))) if len(known) > 1 else None
        partial = ["partial"] if any(cell.reason == "partial" for cell in rows[row].values()) else []
        uncertain = [] if ends else ["a task states no uncertainty"]
        found[row] = Cell(float(value), ends, "; ".join([*partial, *uncertain]))
    return {row: found[row] for row in rows}


def _counts(cell: Cell) -> bool:
    """Whether a cell can enter an aggregate: an incomplete result lacks other metrics than the first, which counts."""
    return cell.value is not None


def _ranks(values: Floats) -> Floats:
    """Rank of each row in each column, 1 the smallest, ties averaged; NaN where a column is not defined."""
    from scipy.stats import rankdata

    ranked = np.asarray(rankdata(values, axis=0), dtype=np.float64)
    ranked[:, ~np.isfinite(values).all(axis=0)] = np.nan
    return ranked
