"""Which level of a hierarchy is good for what: scores of each level on several tasks, from chance to perfect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ghbench.errors import MissingError, UsageError
from ghbench.extractor import ExtractorSpec
from ghbench.levels import select_levels
from ghbench.results import files, scoring
from ghbench.results.schema import Result
from ghbench.running import runner
from ghbench.running.options import RunOptions
from ghbench.running.request import load_task, subject_request
from ghbench.tables import collect, published_folder
from ghbench.tables.collect import name_of
from ghbench.tables.names import without_levels
from ghbench.task import Task
from ghbench.task_abilities import WithChance

Floats = NDArray[np.float64]
Find = Callable[[str, Task, tuple[str, ...]], tuple[Result, pd.DataFrame] | None]
"""The result and records of a system, by its spec string, on a task; with levels, of each of them. None: not there."""
_APART = 1_000_003
"""Between seeds of different units."""
THUMBNAIL = "pixels:size=16"
"""Beside the levels: what a 16 x 16 thumbnail reaches."""


@dataclass(frozen=True, slots=True)
class TaskProfile:
    """What the levels of an extractor reach on a task, from 0 for chance to 1 for a perfect answer.

    Args:
        task: Name of the task.
        metric: Its main metric.
        scores: float64 [L].
        low: float64 [L] lower ends of the results' 95 % intervals, on the same scale.
        high: float64 [L] upper ends.
        thumbnail: What a 16 x 16 thumbnail reaches; NaN where none is published.
        centre: Centre of mass of the positive scores over the levels' places.
        centre_low: Lower end of 95 % of its bootstrap draws.
        centre_high: Upper end.
    """

    task: str
    metric: str
    scores: Floats
    low: Floats
    high: Floats
    thumbnail: float
    centre: float
    centre_low: float
    centre_high: float


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Levels of an extractor on several tasks.

    Args:
        extractor: Spec string.
        levels: Their names, in the extractor's order.
        places: float64 [L] where they lie: the binary logarithm of the resolution in their name, else their number.
        in_pixels: Whether places are resolutions.
        tasks: One profile a task.
        interaction: Mean squared interaction of level and task: what is left of the scores without means of levels and
            of tasks.
        p_value: How often bootstrap draws around no interaction at all have as much; NaN with a single task.
    """

    extractor: str
    levels: tuple[str, ...]
    places: Floats
    in_pixels: bool
    tasks: tuple[TaskProfile, ...]
    interaction: float
    p_value: float


def hierarchy(
    extractor: str, tasks: Sequence[str], options: RunOptions | None = None, *, published: bool = False
) -> Hierarchy:
    """Evaluate every level of an extractor on tasks.

    Args:
        extractor: Spec string; `level=` chooses some levels.
        tasks: Spec strings of tasks that know what chance is.
        options: How to run.
        published: Take published results, and compute none.

    Raises:
        UsageError: Fewer than two levels, no task, one of them twice, or a task that does not know what chance is.
        MissingError: With `published`: the levels' results on a task are not published.
    """
    find = _published if published else _running(options or RunOptions())
    if not tasks:
        raise UsageError("there is no task to evaluate levels on", fix="add --task NAME")
    loaded = [load_task(name) for name in tasks]
    twice = next((task.name for task in loaded if [one.name for one in loaded].count(task.name) > 1), None)
    if twice is not None:
        raise UsageError(f"task {twice!r} is named twice")
    request = subject_request(extractor)
    spec = request.build().spec()
    if not isinstance(spec, ExtractorSpec):
        raise UsageError(f"{spec.name!r} has no levels")
    if request.policy not in {"concat", "each"}:
        raise UsageError(f"policy={request.policy} means nothing here: levels are looked at one by one")
    levels = select_levels(spec, request.level or "all")
    whole = str(replace(request, level=None, policy="concat"))
    if len(levels) < 2:
        raise UsageError(f"{spec.name!r} has the level {levels[0]!r} alone; expected at least two to compare")
    for task in loaded:
        if not isinstance(task, WithChance):
            raise UsageError(f"task {task.name!r} does not say what chance is, so its levels have no common scale")
    places, in_pixels = places_of(levels)
    if not in_pixels:
        names = [level.name for level in spec.levels]
        places = np.array([names.index(level) for level in levels], dtype=np.float64)
    profiles, draws = [], []
    streams: dict[str | None, int] = {}
    for task in loaded:
        profile, drawn = _profile(whole, levels, places, task, find, streams)
        profiles.append(profile)
        draws.append(drawn)
    observed, p_value = interaction(np.stack([one.scores for one in profiles]), np.stack(draws))
    return Hierarchy(extractor, levels, places, in_pixels, tuple(profiles), observed, p_value)


def places_of(levels: Sequence[str]) -> tuple[Floats, bool]:
    """Binary logarithms of the resolutions in levels' names (`r16.conv`), or where one has none, their numbers."""
    sides = [name.split(".")[0] for name in levels]
    if all(side.startswith("r") and side[1:].isdigit() and int(side[1:]) > 0 for side in sides):
        return np.log2([int(side[1:]) for side in sides]), True
    return np.arange(len(levels), dtype=np.float64), False


def normalised(values: Floats, chance: float, *, higher_is_better: bool) -> Floats:
    """Scores from 0 for chance to 1 for a perfect answer: an accuracy of 1, or an error of 0."""
    found: Floats = (values - chance) / (float(higher_is_better) - chance)
    return found


def centre_of_mass(scores: Floats, places: Floats) -> Floats:
    """Mean of the places, weighted by the scores above chance: [...] of scores [..., L]; NaN where there are none."""
    weights = np.clip(scores, 0, None)
    total = weights.sum(axis=-1)
    found: Floats = np.divide(weights @ places, total, out=np.full(np.shape(total), np.nan), where=total > 0)
    return found


def interaction(scores: Floats, draws: Floats) -> tuple[float, float]:
    """Whether levels matter differently to different tasks.

    Tasks on equal units are drawn alike and others independently, and all levels of a task over the same units. Draws
    less the scores are what chance does where nothing is there to be found.

    Args:
        scores: float64 [T, L].
        draws: float64 [T, B, L] bootstrap draws of the same.

    Returns:
        Mean squared interaction, less what the draws have on average; and the share of draws with as much (plus one, as
        is usual). NaN for a single task.
    """
    if len(scores) < 2:
        return float("nan"), float("nan")
    found = float(np.square(_interactions(scores)).mean())
    if not np.isfinite(found):
        return float("nan"), float("nan")
    null = np.square(_interactions(np.moveaxis(draws - scores[:, None], 1, 0))).mean(axis=(1, 2))
    null = null[np.isfinite(null)]
    return found - float(null.mean()), float((1 + (null >= found).sum()) / (1 + len(null)))


def _interactions(scores: Floats) -> Floats:
    """What is left of scores [..., T, L] without the means of tasks and of levels."""
    by_task, by_level = scores.mean(axis=-1, keepdims=True), scores.mean(axis=-2, keepdims=True)
    left: Floats = scores - by_task - by_level + scores.mean(axis=(-2, -1), keepdims=True)
    return left


def _running(options: RunOptions) -> Find:
    def find(system: str, task: Task, levels: tuple[str, ...]) -> tuple[Result, pd.DataFrame]:
        result = runner.run(system, task, options, level="+".join(levels) or None, policy="each" if levels else None)
        return result, files.load_records(files.path_of(result, options.results), result)

    return find


def _published(system: str, task: Task, levels: tuple[str, ...]) -> tuple[Result, pd.DataFrame] | None:
    entries, _ = collect(task.name, published_folder(), published=False, version=task.version)
    for entry in entries:
        if without_levels(name_of(entry.result)) != system:
            continue
        if {*levels} <= {one.level for one in entry.result.metrics} if levels else name_of(entry.result) == system:
            return entry.result, files.load_records(entry.path, entry.result)
    return None


def _found(find: Find, system: str, task: Task, levels: tuple[str, ...] = ()) -> tuple[Result, pd.DataFrame]:
    found = find(system, task, levels)
    if found is None:
        each = " level by level" if levels else ""
        raise MissingError(f"no result of {system}{each} on {task.name} is published", fix="leave out --published")
    return found


def _profile(
    extractor: str, levels: tuple[str, ...], places: Floats, task: Task, find: Find, streams: dict[str | None, int]
) -> tuple[TaskProfile, Floats]:
    """A task's profile, and bootstrap draws [B, L] of its scores; `streams` numbers the units that were met."""
    result, records = _found(find, extractor, task, levels)
    small = find(THUMBNAIL, task, ())
    thumbnail = np.nan if small is None else _number(small[0].metrics[0].value)
    assert isinstance(task, WithChance)
    _, rows = next(scoring.levels_of(records))  # all levels are judged on the same items
    metric, guessing = task.metrics[0], task.chance(scoring.part_of(records, rows))
    chance = _number(_found(find, guessing, task)[0].metrics[0].value) if isinstance(guessing, str) else guessing
    stream = streams.setdefault(result.counts.units_digest if result.counts else None, len(streams))
    seed = result.provenance.seed + _APART * stream
    drawn = scoring.main_draws(task, records, result.records_sha256, seed, result.digest)
    values = {(one.metric, one.level): one.value for one in result.metrics}
    ends_of = {(one.metric, one.level): one.interval or (np.nan, np.nan) for one in result.metrics}
    if metric.higher_is_better is None:
        raise UsageError(f"neither more nor less of {metric.name} is better, so {task.name!r} has no scale for levels")
    if not abs(chance - float(metric.higher_is_better)) > 0:
        raise UsageError(f"on these images of {task.name!r} who knows nothing is right; levels have no common scale")

    def scaled(values: Floats) -> Floats:
        return normalised(values, chance, higher_is_better=metric.higher_is_better is True)

    scores = scaled(np.array([_number(values[metric.name, level]) for level in levels]))
    draws = scaled(np.stack([drawn[metric.name, level] for level in levels], axis=1))
    low, high = np.sort(scaled(np.array([ends_of[metric.name, level] for level in levels]).T), axis=0)
    centres = centre_of_mass(draws, places)
    ends = np.nanpercentile(centres, [2.5, 97.5]) if np.isfinite(centres).any() else (np.nan, np.nan)
    beside = float(scaled(np.array([thumbnail]))[0])
    centre = float(centre_of_mass(scores, places))
    return TaskProfile(task.name, metric.name, scores, low, high, beside, centre, float(ends[0]), float(ends[1])), draws


def _number(value: float | None) -> float:
    return np.nan if value is None else value
