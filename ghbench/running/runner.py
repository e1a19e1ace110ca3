"""Every subject on every task: the public `run`, and pairs that fail without stopping others."""

from __future__ import annotations

import logging
import shlex
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ghbench.errors import UserError, disk_error
from ghbench.foreign_output import to_stderr
from ghbench.randomness import preserved_randomness
from ghbench.results import files
from ghbench.results.provenance import provenance
from ghbench.results.schema import Failure, Result
from ghbench.running.options import RunOptions
from ghbench.running.own_module import OwnModule
from ghbench.running.pair import Pair
from ghbench.running.request import SubjectRequest, chosen_levels, load_task, subject_request
from ghbench.spec_string import parse
from ghbench.task import Policy, Task
from ghbench.user_code import user_frame

__all__ = ["PlannedPair", "RunOptions", "plan_pairs", "run", "run_pairs", "run_planned"]

Report = Callable[[str], None]
log = logging.getLogger(__name__)


def run(
    extractor: object,
    task: str | Task,
    options: RunOptions | None = None,
    *,
    level: str | None = None,
    policy: Policy | None = None,
    **changes: Any,
) -> Result:
    """Evaluate one subject on one task.

    Args:
        extractor: Spec string, `nn.Module` or object with `spec()` and an ability.
        task: Spec string or task object.
        options: How to run.
        level: Levels, as after `level=` in a spec string.
        policy: How several levels become one answer, as after `policy=`.
        **changes: Fields of `RunOptions` that differ from `options`.

    Returns:
        The result, also written to the results folder; a finished one is read back unless `overwrite`.

    Raises:
        UserError: Anything that the user can fix.
    """
    options = replace(options or RunOptions(), **changes)
    with to_stderr(), preserved_randomness():
        loaded = load_task(task)
        request = chosen_levels(subject_request(extractor, loaded), level, policy)
        pair = Pair(request, loaded, options, _command(request, options, _spec_string(task, loaded)))
        for note in pair.notes():
            log.warning("%s: %s", request, note)
        return _result(pair)


def run_pairs(
    extractors: Sequence[object],
    tasks: Sequence[str | Task],
    options: RunOptions | None = None,
    report: Report | None = None,
    *,
    references: bool = False,
) -> list[Result | Failure]:
    """Evaluate every subject on every task; a pair that fails is recorded and stops no other.

    Args:
        extractors: Spec strings or objects.
        tasks: Spec strings or objects.
        options: How to run.
        report: Called with a line about each pair as it starts.
        references: Whether to run the rows too that each task wants in its table, after the subjects.

    Returns:
        Results and failures, task by task, in the order given.

    Raises:
        UsageError: A name or option is wrong; nothing was run.
    """
    return run_planned(plan_pairs(extractors, tasks, references=references), options or RunOptions(), report)


@dataclass(frozen=True)
class PlannedPair:
    """A pair that has not run yet.

    Args:
        request: The subject.
        task: The task.
        named: The task as the user named it.
    """

    request: SubjectRequest
    task: Task
    named: str

    def build(self, options: RunOptions) -> Pair:
        """The pair, checked as far as that is possible without extracting anything.

        Raises:
            UserError: It cannot be evaluated.
        """
        pair = Pair(self.request, self.task, options, _command(self.request, options, self.named))
        pair.check_data()
        return pair


def plan_pairs(
    extractors: Sequence[object], tasks: Sequence[str | Task], *, references: bool = False
) -> list[PlannedPair]:
    """The pairs of `run_pairs`, task by task.

    Raises:
        UsageError: A name or option is wrong.
    """
    pairs = []
    for given in tasks:
        task = load_task(given)
        asked = [subject_request(subject, task) for subject in extractors]
        beside = [subject_request(row.name, task, reference=True) for row in task.references] if references else []
        present = set(map(str, asked))
        named = _spec_string(given, task)
        wanted = [*asked, *(row for row in beside if str(row) not in present)]
        pairs += [PlannedPair(request, task, named) for request in wanted]
    for pair in pairs:
        pair.request.check_options()
    return pairs


def run_planned(
    pairs: Sequence[PlannedPair], options: RunOptions, report: Report | None = None
) -> list[Result | Failure]:
    """Evaluate pairs in their order; one that fails is recorded and stops no other."""
    outcomes: list[Result | Failure] = []
    for pair in pairs:
        if report is not None:
            report(f"{pair.request} on {pair.task.name}")
        command = _command(pair.request, options, pair.named)
        with to_stderr(), preserved_randomness():
            outcomes.append(_run_or_record(pair.request, pair.task, options, command))
    return outcomes


def _result(pair: Pair) -> Result:
    try:
        return pair.result()
    finally:
        if isinstance(pair.subject, OwnModule):
            pair.subject.move_back()


def _spec_string(given: str | Task, loaded: Task) -> str:
    """The task as a command line names it: canonically where it is registered, else as the user did."""
    return given if isinstance(given, str) and parse(given).attribute is not None else loaded.name


def _run_or_record(request: SubjectRequest, task: Task, options: RunOptions, command: str) -> Result | Failure:
    path = files.failure_path(files.task_folder(task.name), request.spec_string.name, command, options.results)
    try:
        result = _result(Pair(request, task, options, command))
    except (Exception, SystemExit) as error:
        log.debug("%s on %s failed", request, task.name, exc_info=error)
        failure = Failure(
            extractor=str(request),
            task=task.name,
            error=_message(error),
            error_type=type(error).__name__,
            exit_code=error.exit_code if isinstance(error, UserError) else 1,
            provenance=provenance(command, options.seed),
        )
        try:
            files.save_failure(failure, path)
        except OSError as unwritable:
            failure = failure.model_copy(update={"error": f"{failure.error}; nor can this be noted: {unwritable}"})
        return failure
    path.unlink(missing_ok=True)
    return result


def _command(request: SubjectRequest, options: RunOptions, named: str) -> str:
    """The command line that makes the same result; a call with `...` in it where an object was handed over.

    Args:
        request: The subject.
        options: How to run.
        named: The task as the user named it.
    """
    if request.given is not None and not request.constant:
        changes = {"align": None, "limit": None, "seed": 0, "dtype": "float32"}
        chosen = [f", {name}={getattr(options, name)!r}" for name in changes if getattr(options, name) != changes[name]]
        return f"ghbench.run({type(request.given).__name__}(...) as {request}, {named!r}{''.join(chosen)})"
    parts = ["ghbench run", f"--extractor {shlex.quote(str(request))}", f"--task {shlex.quote(named)}"]
    parts += [f"--align {options.align}"] if options.align else []
    parts += [f"--limit {options.limit}"] if options.limit else []
    parts += [f"--seed {options.seed}"] if options.seed else []
    parts += [f"--dtype {options.dtype}"] if options.dtype != "float32" else []
    return " ".join(parts)


def _message(error: BaseException) -> str:
    """The sentence for the user; of a bug what a plugin's author needs: the error and the line that raised it."""
    known = disk_error(error) if isinstance(error, OSError) else error
    if isinstance(known, UserError):
        return str(known)
    if frame := user_frame(error):
        return f"{type(error).__name__}: {error}{frame}"
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error} (a bug, at {last.filename}, line {last.lineno}, in {last.name})"
