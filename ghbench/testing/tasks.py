"""Does a task keep the contract of `ghbench.task`?"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ghbench.dataset import content_digest
from ghbench.digests import digest_bytes
from ghbench.extractor import ExtractorSpec, Level, Preprocessing, TrainingRecord
from ghbench.task import Policy, Score, Task, TaskInputs, Units
from ghbench.testing.violation import demand

_DIM = 16


def check_task(task: Task, *, policy: Policy = "concat", seed: int = 0) -> Sequence[Score]:
    """Check a task against the contract, with features that are drawn at random from the seed and the dataset's digest.

    Its protocol is JSON; equal inputs give equal records; `score` is pure, takes weights, and weights of one change
    nothing; the main metric is among the scores; the units cover the records.

    Args:
        task: What to check; its datasets must be on this machine.
        policy: How several levels become one answer.
        seed: Seed of the features and of the task's own draws.

    Returns:
        The scores, whose values mean nothing.

    Raises:
        ConformanceError: The sentence of the contract that does not hold.
    """
    demand(isinstance(task, Task), f"{type(task).__name__} lacks an attribute or method of ghbench.task.Task")
    protocol = task.protocol()
    try:
        again = json.loads(json.dumps(protocol, allow_nan=False))
    except (TypeError, ValueError) as error:
        again = error
    demand(again == protocol, f"{task.name}: protocol() does not survive JSON: {again!r:.200}")
    inputs = _inputs(task, policy, seed)
    records = task.evaluate(inputs, np.random.default_rng(seed))
    demand(isinstance(records, pd.DataFrame) and len(records), f"{task.name}: evaluate() must give a table with rows")
    repeated = task.evaluate(inputs, np.random.default_rng(seed))
    demand(records.equals(repeated), f"{task.name}: equal inputs and seed give other records")
    kept = records.copy(deep=True)
    scores = task.score(records)
    demand(records.equals(kept), f"{task.name}: score() changed the records")
    demand(_same(scores, task.score(records)), f"{task.name}: score() gives other values the second time")
    demand(_same(scores, task.score(records, np.ones(len(records)))), f"{task.name}: weights of one change the scores")
    metrics = {score.metric for score in scores}
    demand(task.main_metric in metrics, f"{task.name}: main metric {task.main_metric!r} is not among {metrics}")
    _check_units(task.name, task.units(records), len(records))
    return scores


def _inputs(task: Task, policy: Policy, seed: int) -> TaskInputs:
    levels = ("first", "second")
    spec = ExtractorSpec(
        name="conformance",
        version="1",
        levels=tuple(Level(name, _DIM) for name in levels),
        default_levels=levels,
        preprocessing=Preprocessing(size=(8, 8)),
        weights_digest=digest_bytes(b"conformance"),
        training=TrainingRecord(),
        licence="none",
    )
    features: dict[str, dict[str, dict[str, NDArray[np.float32]]]] = {}
    roles = task.datasets()
    for role, part in roles.items():
        demand(len(part.dataset), f"{task.name}: the dataset in role {role!r} is empty")
        rng = np.random.default_rng([seed, int(content_digest(part.dataset)[:8], 16)])
        shape = (len(part.dataset), _DIM)
        features[role] = {
            view: {level: rng.standard_normal(shape, dtype=np.float32) for level in levels} for view in part.views
        }
    datasets = {role: part.dataset for role, part in roles.items()}
    return TaskInputs(spec, levels, policy, features, datasets)


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
            np.issubdtype(part.dtype, np.integer) and part.min() >= 0 and part.max() < units.count,
            f"{name}: units must be integers from 0 to {units.count - 1}",
        )
    weights = units.weights(np.ones(units.count))
    demand(np.array_equal(weights, np.ones(records)), f"{name}: a draw that holds every unit once must weigh all 1")
