"""A suite from declaration to matrix: everything is checked first, finished pairs are read back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ghbench import atomic, locations, registry
from ghbench.digests import digest_json
from ghbench.errors import AbilityError, MissingError, ProtocolError, UsageError, UserError
from ghbench.results.files import slug
from ghbench.running.options import RunOptions
from ghbench.running.readiness import readiness
from ghbench.running.request import load_task
from ghbench.running.runner import PlannedPair, Report, plan_pairs, run_planned
from ghbench.suites.definition import Suite
from ghbench.suites.matrix import Matrix, matrix_of


def ready_tasks() -> tuple[list[str], dict[str, str]]:
    """Names of the tasks that can run on this machine now, and what each of the others lacks."""
    lacking = {plugin.qualified_name: readiness(plugin) for plugin in registry.plugins("task")}
    names = {plugin.qualified_name: plugin.name for plugin in registry.plugins("task")}
    often = list(names.values())
    called = {full: name if often.count(name) == 1 else full for full, name in names.items()}
    ready = [called[full] for full, lack in lacking.items() if lack is None]
    return ready, {called[full]: lack for full, lack in lacking.items() if lack is not None}


def run_suite(
    suite: Suite,
    extractors: Sequence[object] = (),
    options: RunOptions | None = None,
    report: Report | None = None,
    *,
    references: bool = False,
) -> Matrix:
    """Check all pairs of a suite, run them, and put the first metric of each task into one matrix.

    Args:
        suite: The declaration.
        extractors: Spec strings or objects to evaluate in place of the suite's own.
        options: How to run, besides what the suite declares.
        report: Called with a line about each pair as it starts.
        references: Whether to run each task's reference rows too.

    Raises:
        MissingError: Data, weights or packages are missing; all are listed, and nothing was run.
        UsageError: A name, option or policy is wrong, or an option is not as declared; nothing was run.
    """
    declared = suite.options.model_dump(exclude_unset=True)
    given, usual = options or RunOptions(), RunOptions()
    for name, value in declared.items():
        if getattr(given, name) not in {getattr(usual, name), value}:
            raise UsageError(
                f"suite {suite.name!r} declares {name}={value}, not {getattr(given, name)}",
                fix=f"leave the option out, or {name} out of the suite",
            )
    options = replace(given, **declared)
    chosen: Sequence[object] = list(extractors) or suite.extractors
    if not chosen:
        raise UsageError(f"suite {suite.name!r} names no extractors", fix="add --extractor NAME")
    tasks = [load_task(task.task) for task in suite.tasks]
    names = [task.name for task in tasks]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"suite {suite.name!r} names task {twice!r} twice")
    pairs = plan_pairs(chosen, tasks, references=references)
    unfit = _check(pairs, options, suite.name)
    runnable = [pair for pair in pairs if (str(pair.request), pair.task.name) not in unfit]
    outcomes = run_planned(runnable, options, report)
    done = [((str(pair.request), pair.task.name), outcome) for pair, outcome in zip(runnable, outcomes, strict=True)]
    rows = list(dict.fromkeys(str(pair.request) for pair in pairs))
    matrix = matrix_of(suite, tasks, rows, dict(done), unfit, options)
    how = [rows, references, options.align, options.limit, options.seed, options.dtype]
    record = suite_folder() / f"{slug(suite.name)}-{suite.version}-{digest_json([matrix.digest, how])[:8]}.json"
    atomic.write_text(record, matrix.to_json())
    return matrix


def suite_folder() -> Path:
    """Where the matrices of suites are recorded."""
    return locations.home() / "suites"


def _check(pairs: Sequence[PlannedPair], options: RunOptions, suite: str) -> dict[tuple[str, str], str]:
    """Build every pair without running it; the reasons of those whose cell stays blank.

    A subject that lacks an ability, or that the protocol forbids, is no fault of the suite.
    """
    unfit: dict[tuple[str, str], str] = {}
    problems: dict[str, dict[str, UserError]] = {}
    for pair in pairs:
        try:
            pair.build(options)
        except (AbilityError, ProtocolError) as error:
            unfit[str(pair.request), pair.task.name] = error.message
        except UserError as error:
            problems.setdefault(str(error), {})[pair.task.name] = error
    if problems:
        missing = all(isinstance(error, MissingError) for errors in problems.values() for error in errors.values())
        lines = [f"{', '.join(errors)}: {text}" for text, errors in problems.items()]
        raise (MissingError if missing else UsageError)(
            "\n".join([f"suite {suite!r} cannot start, and nothing was run:", *lines])
        )
    return unfit
