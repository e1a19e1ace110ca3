"""The Python face of ghbench: the same line as the command line's, as functions."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, overload

from ghbench import registry
from ghbench.dataset import Dataset
from ghbench.errors import UsageError
from ghbench.results.schema import Failure, Result
from ghbench.running import runner
from ghbench.running.own_module import wrap
from ghbench.running.request import chosen_levels, load_extractor, load_task, subject_request
from ghbench.running.runner import RunOptions, run_pairs
from ghbench.tables import Table, collect, compare, rank_table, table_of_results
from ghbench.task import Policy, Task

if TYPE_CHECKING:
    from ghbench.generators.protocol import Generator
    from ghbench.suites import Matrix

__all__ = [
    "compare",
    "evaluate",
    "leaderboard",
    "list_datasets",
    "list_extractors",
    "list_generators",
    "list_tasks",
    "load_dataset",
    "load_extractor",
    "load_generator",
    "load_task",
    "run",
    "run_suite",
    "wrap",
]


@overload
def run(extractor: list[Any], task: list[str] | str, options: RunOptions | None = None, **changes: Any) -> Matrix: ...
@overload
def run(extractor: object, task: list[str], options: RunOptions | None = None, **changes: Any) -> Matrix: ...
@overload
def run(extractor: object, task: str | Task, options: RunOptions | None = None, **changes: Any) -> Result: ...
def run(
    extractor: object, task: list[str] | str | Task, options: RunOptions | None = None, **changes: Any
) -> Result | Matrix:
    """Evaluate one subject on one task, or lists of them.

    Args:
        extractor: Spec string, `nn.Module` or object with `spec()` and an ability; or a list of such.
        task: Spec string or task object, or a list of spec strings; `all` stands for every task that is ready.
        options: How to run.
        **changes: Fields of `RunOptions` that differ from `options`.

    Returns:
        The result; of lists a matrix with one row a subject and one column a task, see `ghbench.suites`.

    Raises:
        UserError: Anything that the user can fix.
    """
    if not isinstance(extractor, list) and not isinstance(task, list) and task != "all":
        return runner.run(extractor, task, options, **changes)
    from ghbench.suites import ready_tasks, run_suite, suite_of

    subjects = extractor if isinstance(extractor, list) else [extractor]
    if isinstance(task, Task):
        raise UsageError("several extractors need tasks by name", fix="ghbench.evaluate takes a task object")
    names = ready_tasks()[0] if task == "all" else task if isinstance(task, list) else [task]
    return run_suite(suite_of([], names), subjects, replace(options or RunOptions(), **changes))


def run_suite(
    suite: str, extractor: list[Any] | None = None, *, allow_own_code: bool = False, **changes: Any
) -> Matrix:
    """Run a named suite or one in a YAML file.

    Args:
        suite: A registered name, or a path that ends in `.yaml`.
        extractor: Spec strings or objects in place of the suite's own.
        allow_own_code: Whether names in the file may be modules, files and paths.
        **changes: Fields of `RunOptions`; what the suite declares goes before.

    Raises:
        UserError: Something is wrong or missing; nothing was run.
    """
    from ghbench import suites

    declared = suites.load_suite(suite, own_code=allow_own_code)
    return suites.run_suite(declared, extractor or [], RunOptions(**changes))


def evaluate(
    extractor: object,
    tasks: str | Task | Sequence[str | Task],
    *,
    references: bool = True,
    show: bool = True,
    level: str | None = None,
    policy: Policy | None = None,
    **changes: Any,
) -> list[Result | Failure]:
    """Evaluate one extractor beside the trivial and untrained rows that each task names.

    Args:
        extractor: Spec string, `nn.Module` (made an extractor by `wrap` with its defaults), or any object with `spec()`
            and an ability.
        tasks: Spec string or task object, or several.
        references: Whether to run the tasks' reference rows too.
        show: Whether to print the tables.
        level: Levels of the extractor, as after `level=` in a spec string.
        policy: How several levels become one answer, as after `policy=`.
        **changes: Fields of `ghbench.running.runner.RunOptions`, for instance `align="tight"`.

    Returns:
        Results, and failures of pairs that could not be run: the extractor's own first, then the references', task by
        task.
    """
    options = RunOptions(**changes)
    outcomes: list[Result | Failure] = []
    several = [tasks] if isinstance(tasks, str) or not isinstance(tasks, Sequence) else tasks
    for task in [load_task(task) for task in several]:
        request = chosen_levels(subject_request(extractor, task), level, policy)
        of_task = run_pairs([request], [task], options, references=references)
        outcomes += of_task
        if show:
            _print_outcomes(task, of_task, options)
    return outcomes


def leaderboard(task: str | Task) -> Table:
    """All finished results of a task, published and one's own, ranked."""
    loaded = load_task(task)
    entries, notes = collect(loaded.name, version=loaded.version)
    return rank_table(loaded, entries, notes)


def load_dataset(spec: str) -> Dataset:
    """Build a dataset from its spec string."""
    return cast("Dataset", registry.build("dataset", spec))


def load_generator(spec: str | Path) -> Generator:
    """Load a generator by name with options, or from anybody's checkpoint.

    Args:
        spec: `mobile-stylegan-ffhq:size=256`, or a path.

    Returns:
        A torch module on the CPU, in evaluation mode, with `requires_grad` off; see `ghbench.generators.protocol`.
    """
    from ghbench.generators import loading

    return loading.load_generator(spec)


def list_extractors() -> list[str]:
    """Names of the registered extractors."""
    return [plugin.name for plugin in registry.plugins("extractor")]


def list_generators() -> list[str]:
    """Names of the registered generators."""
    return [plugin.name for plugin in registry.plugins("generator")]


def list_tasks() -> list[str]:
    """Names of the registered tasks."""
    return [plugin.name for plugin in registry.plugins("task")]


def list_datasets() -> list[str]:
    """Names of the registered datasets."""
    return [plugin.name for plugin in registry.plugins("dataset")]


def _print_outcomes(task: Task, outcomes: Sequence[Result | Failure], options: RunOptions) -> None:
    from ghbench.results.display import one_line
    from ghbench.tables.terminal import print_table

    results = [outcome for outcome in outcomes if isinstance(outcome, Result)]
    print_table(table_of_results(task, results, options.results))
    for failure in outcomes:
        if isinstance(failure, Failure):
            line = one_line(f"{failure.extractor} on {failure.task}: {failure.error}")
            print(line, file=sys.stderr)  # noqa: T201
