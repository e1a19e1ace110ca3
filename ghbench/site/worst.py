"""Worst cases of a result: ids and errors from its records, with thumbnails where images are at hand and open.

Nothing is fetched or drawn: the site is made in seconds on a machine that has no dataset.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ghbench import locations
from ghbench.analysis.errors_page import data_uri
from ghbench.dataset import Dataset, Drawn
from ghbench.errors import UserError
from ghbench.results import files
from ghbench.results.display import short_number
from ghbench.results.schema import DatasetRecord, Result
from ghbench.results.scoring import find_value, levels_of, part_of
from ghbench.running.pair import role_data
from ghbench.tables.collect import Entry
from ghbench.task import Role, Task
from ghbench.task_errors import ErrorList, WithErrors, of_whole

OPEN = ("CC0", "CC0 1.0", "CC BY 3.0", "CC BY 4.0", "MIT", "BSD-3-Clause", "Apache-2.0", "public domain")
"""Licences under which a few small images may stand on a public page that names source and licence."""
_SHOWN, _SIDE, _QUALITY = 8, 96, 75
NAMED = re.compile(rf"({'|'.join(map(re.escape, OPEN))})( \([^;]*\))?")


@dataclass(frozen=True, slots=True)
class Shown:
    """An image of a record: its id, with its class where one is known, and a `data:` URI where it is shown."""

    id: str
    uri: str | None


@dataclass(frozen=True, slots=True)
class WorstPart:
    """Worst records of one kind.

    Args:
        title: `false accepts`, `highest nme`.
        count: How many there are.
        numbers: Names of the numbers beside the images; the first one is the error.
        rows: Images of each record, and its numbers as text.
    """

    title: str
    count: int
    numbers: Sequence[str]
    rows: Sequence[tuple[Sequence[Shown], Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Worst:
    """Worst records by kind, and what must be said of them and their images."""

    parts: Sequence[WorstPart]
    notes: Sequence[str]


class WorstCases:
    """Finds the worst cases of the results of a task; its images are looked for once.

    Args:
        task: The task.
    """

    def __init__(self, task: Task) -> None:
        self._task = task
        self._roles: Mapping[str, Role] | None = None
        self._same: dict[str, bool] = {}
        with locations.without_network(), contextlib.suppress(UserError):
            self._roles = task.roles()

    def of(self, entry: Entry) -> Worst:
        """The worst cases of a result of the task."""
        task, result = self._task, entry.result
        if not isinstance(task, WithErrors):
            return Worst((), ("This task does not say which of its records are wrong.",))
        try:
            with locations.without_network():
                records, level = files.load_records(entry.path, result), _best_level(task, result)
                rows = next(rows for name, rows in levels_of(records) if level in {name, None})
                lists = [one for one in task.errors(part_of(records, rows)) if len(one.error)]
                found = [self._part(one, result, max(1, _SHOWN // len(lists))) for one in lists]
        except Exception as error:  # noqa: BLE001 - whoever wrote the records chose what the task's code meets in them
            return Worst((), (f"Its records do not say which are wrong: {type(error).__name__}.",))
        if not found:
            return Worst((), ("No record is wrong.",))
        notes = [f"At {level}, the best level."] if level else []
        notes += [note for _, said in found for note in said]
        return Worst([part for part, _ in found], list(dict.fromkeys(notes)))

    def _part(self, found: ErrorList, result: Result, count: int) -> tuple[WorstPart, list[str]]:
        order = np.argsort(-found.error, kind="stable")[:count]
        dataset, why = self._dataset(found, result)
        if dataset is not None:
            assert self._roles is not None
            found = of_whole(found, self._roles)
        images = found.images[order].tolist()
        notes = [why] if why else []
        shows = False
        if dataset is not None:
            refused = _refused(dataset, sorted({row for one in images for row in one}))
            shows, card = not refused, dataset.card()
            notes.append(refused or f"Images: {card.title}; {card.source}; licence: {card.licence}.")
        numbers = {found.what: found.error, **found.shown}
        shown = [
            (
                [_shown(dataset, row, shows=shows) for row in of_record],
                [short_number(float(values[place])) for values in numbers.values()],
            )
            for of_record, place in zip(images, order.tolist(), strict=True)
        ]
        return WorstPart(found.title, len(found.error), list(numbers), shown), notes

    def _dataset(self, found: ErrorList, result: Result) -> tuple[Dataset | None, str]:
        """The images of a list of errors where they are here, else a sentence why not."""
        if self._roles is None:
            return None, "The images are not on the machine that made this page, so rows of the dataset stand for ids."
        name = found.role or next(name for name, role in self._roles.items() if role.judged)
        record = result.datasets.get(name)
        if name not in self._same:
            self._same[name] = record is not None and _is_same(name, self._roles[name], record)
        if self._same[name]:
            return self._roles[name].dataset, ""
        return None, "The images on the machine that made this page are others, so rows of the dataset stand for ids."


def _best_level(task: Task, result: Result) -> str | None:
    """Of levels that were evaluated one by one the best; None where levels were judged together."""
    if result.features is None or result.features.policy != "each":
        return None
    main = task.metrics[0]
    if main.higher_is_better is None:
        return None
    found = [(find_value(result.metrics, main.name, level), level) for level in result.features.levels]
    known = [(value.value, level) for value, level in found if value is not None and value.value is not None]
    return (max if main.higher_is_better else min)(known)[1] if known else None


def _is_same(name: str, role: Role, record: DatasetRecord) -> bool:
    """Whether a role has the images that were judged: drawn in the same way, or of equal content."""
    if record.recipe_digest is not None or role.dataset.recipe_digest is not None:
        return record.recipe_digest == role.dataset.recipe_digest
    return role_data(name, role).digest == record.content_digest


def _refused(dataset: Dataset, rows: Sequence[int]) -> str:
    """Why images may not or cannot be shown; empty where they can."""
    card = dataset.card()
    made_by_code = dataset.recipe_digest is not None
    if not card.may_show or not (made_by_code or NAMED.fullmatch(card.licence)):
        return f"Images are not shown, as their licence does not allow it for certain: {card.title}; {card.licence}."
    if isinstance(dataset, Drawn):
        try:
            dataset.draw(rows, _stop)
        except _NotDrawnError:
            return "Images are not shown, as they have not been drawn on the machine that made this page."
    return ""


class _NotDrawnError(Exception):
    """Images would have to be drawn."""


def _stop(done: int, total: int | None, label: str) -> None:
    """Progress of a drawing: called as soon as an image is missing."""
    raise _NotDrawnError(f"{label}: {done} of {total}")


def _shown(dataset: Dataset | None, row: int, *, shows: bool) -> Shown:
    if dataset is None:
        return Shown(f"row {row}", None)
    name = str(dataset.ids[row])
    # Working the targets of drawn images out may mean drawing them; a person's name says no more than the id.
    if dataset.recipe_digest is None and not dataset.card().by_person and "label" in dataset.targets:
        target = dataset.targets["label"]
        name += f", {target.names[target.values[row]]}"
    return Shown(name, data_uri(dataset.image(row), _SIDE, _QUALITY) if shows else None)
