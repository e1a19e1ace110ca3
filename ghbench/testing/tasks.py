"""Does a task keep the contract of `ghbench.task`?"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ghbench.errors import UserError
from ghbench.extractor import Subject
from ghbench.results import files, scoring, statistics
from ghbench.running.options import RunOptions
from ghbench.running.pair import Pair
from ghbench.running.record import Stored
from ghbench.running.request import subject_request
from ghbench.store import FeatureStore
from ghbench.task import Policy, Score, Task, Units
from ghbench.task_abilities import Replicating, WithConstants
from ghbench.testing.informed import informed
from ghbench.testing.stand_in import stand_in
from ghbench.testing.violation import ConformanceError, demand, pickled

_DRAWS = 5


def check_task(
    task: Task,
    *,
    answers: str | Sequence[str] = (),
    subject: Subject | None = None,
    policy: Policy = "concat",
    limit: int | None = None,
    seed: int = 0,
) -> Sequence[Score]:
    """Check a task against the contract, with a subject whose features, images or directions are random.

    Its protocol is JSON and not empty; its datasets can be pickled and stay; equal inputs give equal records, one
    an item; `score` is pure, takes weights, and weights of one change nothing; every score is declared, within its
    bounds, the main metric among them; the units cover the records;
    replicates equal the scores with their weights; the task's own reference rows can be evaluated. With `answers`,
    features made of them score no worse than the subject's, in the direction that each metric with an interval over
    units or runs declares.

    Args:
        task: What to check; its datasets must be on this machine.
        answers: Names of the targets that features should tell, such as `label`; where there are none, whether higher
            is better is not checked. For tasks that use features.
        subject: What to evaluate; None: a stand-in that encodes, decodes, or has directions, as the task requires.
        policy: How several levels become one answer.
        limit: Only the first so many images of each role.
        seed: Seed of the subject and of the task's own draws.

    Returns:
        The scores, whose values mean nothing.

    Raises:
        ConformanceError: The sentence of the contract that does not hold.
    """
    demand(isinstance(task, Task), f"{type(task).__name__} lacks an attribute or method of ghbench.task.Task")
    _check_declarations(task)
    subject = stand_in(task.requires, seed) if subject is None else subject
    for ability in task.requires:
        demand(isinstance(subject, ability), f"{task.name}: pass a subject with the ability {ability.__name__}")
    with tempfile.TemporaryDirectory() as folder:
        options = RunOptions(
            limit=limit, seed=seed, store=FeatureStore(Path(folder) / "features"), results=Path(folder) / "results"
        )
        request = replace(subject_request(subject), policy=policy)
        pair = Pair(request, task, options, "check_task")
        for role, data in pair.roles.items():
            demand(len(data.dataset), f"{task.name}: the dataset in role {role!r} is empty")
            pickled(data.dataset, f"{task.name}: the dataset in role {role!r}")
            again = task.roles()[role].dataset
            demand(
                list(again.ids) == list(data.role.dataset.ids),
                f"{task.name}: role {role!r} has other rows when asked again",
            )
        stored, _ = pair.features()
        made = pair.evaluate(stored).records
        demand(len(made), f"{task.name}: evaluate() must give a table with rows")
        twice = int(made.duplicated().sum())
        demand(not twice, f"{task.name}: {twice} records are there twice; each names the item that it is of")
        demand(made.equals(pair.evaluate(stored).records), f"{task.name}: equal inputs and seed give other records")
        _, records = files.as_stored(made, task.name)
        scores = _check_scores(task, records)
        if answers:
            demand(pair.uses_features, f"{task.name}: it uses no features, so none can know the answers")
            names = (answers,) if isinstance(answers, str) else answers
            known = informed({role: data.dataset for role, data in pair.roles.items()}, names)
            told = {role: dict.fromkeys(views, known[role]) for role, views in stored.items()}
            made = pair.evaluate(cast("Stored", told)).records
            _check_directions(task, scores, scoring.scores(task, files.as_stored(made, task.name)[1]))
        if isinstance(task, WithConstants):
            for row in task.references:
                if task.constant(row.name) is not None:
                    own = Pair(subject_request(row.name, task), task, options, "check_task")
                    _check_scores(task, files.as_stored(own.evaluate(own.features()[0]).records, task.name)[1])
    return scores


def _check_declarations(task: Task) -> None:
    protocol = task.protocol()
    try:
        again = json.loads(json.dumps(protocol, allow_nan=False))
    except (TypeError, ValueError) as error:
        again = error
    demand(again == protocol, f"{task.name}: protocol() does not survive JSON: {again!r:.200}")
    names = [metric.name for metric in task.metrics]
    demand(protocol, f"{task.name}: protocol() says nothing of how the task is done")
    demand(names and len(set(names)) == len(names), f"{task.name}: metrics must be named, each once, got {names}")
    for metric in task.metrics:
        stated = bool(metric.error) == (metric.uncertainty == "error")
        demand(stated, f"{task.name}: {metric.name} must say what its standard error is, and only if it has one")


def _check_directions(task: Task, guessed: Sequence[Score], known: Sequence[Score]) -> None:
    found = {(score.metric, score.level): score.value for score in known}
    higher = {one.name: one.higher_is_better for one in task.metrics if one.uncertainty in scoring.RESAMPLED}
    for score in guessed:
        better, value = higher.get(score.metric), found.get((score.metric, score.level), math.nan)
        if better is None or math.isnan(value) or math.isnan(score.value):
            continue
        worse = score.value - value if better else value - score.value
        demand(
            worse <= 1e-9,
            f"{task.name}: {score.metric} is {value:.4g} of features that know the answer and {score.value:.4g} of "
            f"the subject's; it declares that {'higher' if better else 'lower'} is better",
        )


def _check_scores(task: Task, records: pd.DataFrame) -> list[Score]:
    kept = records.copy(deep=True)
    scores = scoring.scores(task, records)
    demand(records.equals(kept), f"{task.name}: score() changed the records")
    demand(_same(scores, scoring.scores(task, records)), f"{task.name}: score() gives other values the second time")
    for _, rows in scoring.levels_of(records):
        part = scoring.part_of(records, rows)
        weighted = task.score(part, np.ones(len(part)))
        demand(_same(task.score(part), weighted), f"{task.name}: weights of one change the scores")
    declared = {metric.name for metric in task.metrics}
    undeclared = {score.metric for score in scores} - declared
    demand(not undeclared, f"{task.name}: scores {undeclared} are not among its metrics")
    bounds = {metric.name: metric.bounds for metric in task.metrics if metric.bounds is not None}
    outside = [one.metric for one in scores if one.metric in bounds and not _within(one.value, bounds[one.metric])]
    demand(not outside, f"{task.name}: {outside} lie outside their bounds")
    errors = {metric.name for metric in task.metrics if metric.uncertainty == "error"}
    bare = {score.metric for score in scores if score.metric in errors and score.standard_error is None}
    demand(not bare, f"{task.name}: {bare} are declared with a standard error and scored without one")
    main = task.metrics[0].name
    demand(any(score.metric == main for score in scores), f"{task.name}: main metric {main!r} is not scored")
    _check_resampling(task, records)
    return scores


def _check_resampling(task: Task, records: pd.DataFrame) -> None:
    try:
        units = scoring.units_of(task, records)
    except UserError as error:
        raise ConformanceError(f"{task.name}: {error.message}") from error
    if units is None:
        return
    demand(
        units.count > 1, f"{task.name}: units() counts one, so no draw differs from another; expected what is judged"
    )
    _, rows = next(scoring.levels_of(records))
    part = scoring.part_of(records, rows)
    _check_units(task.name, units, len(part))
    counts = statistics.multiplicities(units.count, _DRAWS)
    drawn = {metric.name: metric for metric in task.metrics if metric.uncertainty in scoring.RESAMPLED}
    if units.count > 1:
        # Halves of the units as well: a metric of few values may stay over some draws.
        half = np.arange(units.count) < units.count // 2
        drawings = (np.ones(units.count), *counts, 2.0 * half, 2.0 * ~half)
        whole, *others = (_values(task, part, units.weights(count)) for count in drawings)
        for key in [key for key in whole if key[0] in drawn and not math.isnan(whole[key])]:
            bounds = drawn[key[0]].bounds
            # What is zero may be zero of every item, such as an error outside of what was changed.
            still = whole[key] in (bounds or ()) or (key[0] != task.metrics[0].name and whole[key] == 0)
            moved = still or any(one.get(key) != whole[key] for one in others)
            demand(moved, f"{task.name}: {key[0]} does not change with the units that are drawn; score() must weigh")
    if not isinstance(task, Replicating):
        return
    draws = task.score_replicates(part, counts)
    for row, count in enumerate(counts):
        expected = _values(task, part, units.weights(count))
        for key in [key for key in expected if key[0] in drawn]:
            same = key in draws and np.isclose(draws[key][row], expected[key], rtol=1e-6, atol=1e-9, equal_nan=True)
            demand(same, f"{task.name}: score_replicates() differs from score() with the draw's weights for {key}")


def _values(task: Task, records: pd.DataFrame, weight: NDArray[np.float64]) -> dict[tuple[str, str | None], float]:
    return {(score.metric, score.level): score.value for score in task.score(records, weight)}


def _within(value: float, bounds: tuple[float | None, float | None]) -> bool:
    low, high = bounds
    return math.isnan(value) or ((low is None or low - 1e-9 <= value) and (high is None or value <= high + 1e-9))


def _same(first: Sequence[Score], second: Sequence[Score]) -> bool:
    """Equal up to rounding; NaN equals NaN."""
    if [(score.metric, score.level) for score in first] != [(score.metric, score.level) for score in second]:
        return False
    pairs = zip(first, second, strict=True)
    return all(
        (math.isnan(one.value) and math.isnan(two.value)) or math.isclose(one.value, two.value, rel_tol=1e-9)
        for one, two in pairs
    )


def _check_units(name: str, units: Units, records: int) -> None:
    for part in (units.first, units.second):
        if part is None:
            continue
        demand(part.shape == (records,), f"{name}: units() must name a unit for each of {records} records")
        demand(
            np.issubdtype(part.dtype, np.integer) and part.min() >= -1 and part.max() < units.count,
            f"{name}: units must be integers from 0 to {units.count - 1}, or -1 for none",
        )
    weights = units.weights(np.ones(units.count))
    demand(np.array_equal(weights, np.ones(records)), f"{name}: a draw that holds every unit once must weigh all 1")
