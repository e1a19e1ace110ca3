"""The images on which two systems differ most: wrong by one alone, or by one much more than by the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ghbench.dataset import Dataset, Drawn
from ghbench.errors import UsageError
from ghbench.figures.labelled_grid import SMALLEST, Row, labelled_grid
from ghbench.figures.picture_grid import check_png, save_png
from ghbench.progress import Progress, silent
from ghbench.results import files
from ghbench.results.scoring import levels_of, part_of
from ghbench.task import Task
from ghbench.task_errors import ErrorList, WithErrors, of_whole

_Item = tuple[str, str, tuple[int, ...]]
"""Kind of error, role of the images, and their rows."""


@dataclass(frozen=True, slots=True)
class Differing:
    """A pair or an image on which two systems differ.

    Args:
        kind: `false accepts`, `wrong classes`, `highest mse`.
        role: Role of the dataset.
        rows: Rows of the dataset.
        errors: Of the first and of the second system; 0 where it is right. Where the two are measured on scales of
            their own, as shares of each one's largest.
    """

    kind: str
    role: str
    rows: tuple[int, ...]
    errors: tuple[float, float]


def differing(task: Task, first: Sequence[ErrorList], second: Sequence[ErrorList], count: int) -> list[Differing]:
    """The items whose errors differ most, half of them worse by the first system, half by the second.

    Args:
        task: The task, for its name in a message.
        first: Errors of the first system.
        second: Errors of the second one.
        count: How many items of each half.

    Raises:
        UsageError: The two are wrong on the same items, by the same amounts.
    """
    tables = _errors_by_item(first, second), _errors_by_item(second, first)
    items = sorted({*tables[0], *tables[1]})
    errors = np.array([[table.get(item, 0.0) for table in tables] for item in items]).reshape(-1, 2)
    gap = errors[:, 0] - errors[:, 1]
    order = np.argsort(-np.abs(gap), kind="stable")
    chosen = [place for side in (gap > 0, gap < 0) for place in order[side[order]][:count].tolist()]
    if not chosen:
        raise UsageError(f"the two are wrong on the same items of {task.name}, and by as much")
    found = []
    for place in chosen:
        kind, role, rows = items[place]
        found.append(Differing(kind, role, rows, (float(errors[place, 0]), float(errors[place, 1]))))
    return found


def _errors_by_item(lists: Sequence[ErrorList], others: Sequence[ErrorList]) -> Mapping[_Item, float]:
    scales = {one.title: one.what for one in others}
    found: dict[_Item, float] = {}
    for one in lists:
        assert one.role is not None
        alike = scales.get(one.title, one.what) == one.what
        errors = one.error if alike else one.error / (float(np.abs(one.error).max()) or 1.0)
        for rows, error in zip(one.images.tolist(), errors.tolist(), strict=True):
            found[one.title, one.role, tuple(rows)] = error
    return found


def draw_differing(
    names: tuple[str, str],
    systems: Sequence[tuple[Path, str | None]],
    task: Task,
    out: Path,
    count: int = 6,
    progress: Progress = silent,
) -> list[str]:
    """Draw the items on which two finished results of a task differ most, with ids and errors.

    Args:
        names: What the systems are called.
        systems: The JSON file of each one's result, and its level where levels were evaluated one by one.
        task: Their task.
        out: The PNG file.
        count: Items that are worse by the first system, and by the second.
        progress: Called while images are drawn that have to be.

    Returns:
        What the numbers are, and for images that may not be passed on, their terms.

    Raises:
        UsageError: The task does not tell its errors, nothing differs, or the file is no PNG.
        MissingError: The images are not on this machine.
    """
    check_png(out)
    if not isinstance(task, WithErrors):
        raise UsageError(f"task {task.name!r} does not say which of its records are wrong")
    roles, lists = task.roles(), []
    for path, level in systems:
        records = files.load_records(path, files.load(path))
        rows = next(rows for name, rows in levels_of(records) if name == level)
        lists.append([of_whole(one, roles) for one in task.errors(part_of(records, rows))])
    items = differing(task, lists[0], lists[1], count)
    datasets = {item.role: roles[item.role].dataset for item in items}
    columns = max(len(item.rows) for item in items)
    drawn = [
        Row(_label(item, names, datasets[item.role]), _cells(item, datasets[item.role], progress)) for item in items
    ]
    save_png(labelled_grid([""] * columns, drawn), out, f"{names[0]} and {names[1]} on {task.name}")
    scales = {one.title: one.what for one in lists[0]}
    notes = [f"errors: {', '.join(sorted({one.what for found in lists for one in found}))}"]
    if any(scales.get(one.title, one.what) != one.what for one in lists[1]):
        notes.append("each system has a scale of its own: errors are shares of its largest one")
    cards = {dataset.card() for dataset in datasets.values()}
    refused = [card for card in cards if not card.may_show]
    return [*notes, *(f"{card.title}: {card.licence}; keep the picture to yourself" for card in refused)]


def _cells(item: Differing, dataset: Dataset, progress: Progress) -> list[NDArray[np.uint8]]:
    """Images in squares of one size; odd ones get a white margin."""
    if isinstance(dataset, Drawn):
        dataset.draw(list(item.rows), progress)
    cells = []
    for row in item.rows:
        image = Image.fromarray(np.ascontiguousarray(dataset.image(row)))
        scale = SMALLEST / max(image.size)
        sides = [max(1, round(side * scale)) for side in image.size]
        square = Image.new("RGB", (SMALLEST, SMALLEST), "white")
        left, top = ((SMALLEST - side) // 2 for side in sides)
        square.paste(image.resize(sides, Image.Resampling.LANCZOS), (left, top))
        cells.append(np.asarray(square))
    return cells


def _label(item: Differing, names: tuple[str, str], dataset: Dataset) -> str:
    ids = [dataset.ids[row] for row in item.rows]
    if len(ids) == 1 and "label" in dataset.targets:
        target = dataset.targets["label"]
        ids += [target.names[target.values[row]] for row in item.rows]
    errors = [f"{name}: {f'{error:.3g}' if error else 'right'}" for name, error in zip(names, item.errors, strict=True)]
    return "\n".join([item.kind, *ids, *errors])
