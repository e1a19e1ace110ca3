"""Draw the rooms of the house and their imports, from the code, into `docs/figures/rooms.svg`; `make rooms`.

Exit code 1, with the imports named, where a room imports a higher one or rooms import each other in a circle.
"""
# ruff: noqa: INP001 - a script beside the pages, no package

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FIGURE = ROOT / "docs" / "figures" / "rooms.svg"
DOORS = frozenset({"ghbench", "ghbench.__main__"})
"""What users import and start; nothing in the house imports them."""

Import = tuple[str, str]
Arrows = Mapping[Import, Sequence[Import]]
"""By (importing room, imported room) the imports between their modules."""


@dataclass(frozen=True)
class House:
    """Rooms on floors.

    Args:
        floors: Rooms of each floor, the top floor first.
        arrows: Imports between rooms.
    """

    floors: Sequence[Sequence[str]]
    arrows: Arrows

    def upward(self) -> list[Import]:
        """Arrows from a room to a higher one."""
        floor = {room: number for number, rooms in enumerate(self.floors) for room in rooms}
        return [(above, below) for above, below in self.arrows if floor[above] > floor[below]]

    def circle(self) -> list[str]:
        """Rooms that import each other in a circle, the first one again at the end; empty where none do."""
        from graphlib import CycleError, TopologicalSorter

        try:
            TopologicalSorter(successors(self.arrows)).prepare()
        except CycleError as error:
            rooms: list[str] = error.args[1]
            return rooms[::-1]  # graphlib names what comes first before what needs it
        return []


def house(arrows: Arrows, layers: Iterable[str]) -> House:
    """Put rooms on the floors of a layers contract; a room that it does not name goes to the lowest floor it fits on.

    Args:
        arrows: Imports between rooms.
        layers: Floors as import-linter writes them, top first, rooms separated by colons.
    """
    floors = [[room.strip() for room in layer.split(":")] for layer in layers]
    floor = {room: number for number, rooms in enumerate(floors) for room in rooms}
    below = successors(arrows)
    unnamed = sorted({room for arrow in arrows for room in arrow} - set(floor))
    for _ in unnamed:  # they may stand on each other
        for room in unnamed:
            floor[room] = min(
                (floor[other] for other in below.get(room, ()) if other in floor), default=len(floors) - 1
            )
    for room in unnamed:
        floors[floor[room]].append(room)
    return House(floors, arrows)


def imports_between_rooms() -> Arrows:
    """Imports that run, between rooms; those for annotations alone (`TYPE_CHECKING`) are none."""
    import grimp

    packages = ("ghbench", "ghbench_tasks", "ghbench_baselines")
    graph = grimp.build_graph(*packages, exclude_type_checking_imports=True, cache_dir=None)
    arrows: dict[Import, list[Import]] = {}
    for module in sorted(graph.modules):
        for imported in sorted(graph.find_modules_directly_imported_by(module)):
            above, below = room_of(module), room_of(imported)
            if above != below and above not in DOORS:
                arrows.setdefault((above, below), []).append((module, imported))
    return arrows


def room_of(module: str) -> str:
    """The room that a module is in: `ghbench.data` of `ghbench.data.orl`, `ghbench_tasks` of all tasks."""
    package, *inside = module.split(".")
    return ".".join([package, *inside[:1]]) if package == "ghbench" else package


def successors(arrows: Iterable[Import]) -> dict[str, list[str]]:
    """Rooms that each room imports."""
    below: dict[str, list[str]] = {}
    for above, imported in sorted(arrows):
        below.setdefault(above, []).append(imported)
    return below


def transitive_reduction(arrows: Iterable[Import]) -> list[Import]:
    """Arrows of a graph without circles, less those that follow from others."""
    below = successors(arrows)

    def beyond(room: str) -> set[str]:
        return set().union(*({other} | beyond(other) for other in below.get(room, ())))

    reach = {room: beyond(room) for room in below}
    return [
        (above, imported)
        for above, others in below.items()
        for imported in others
        if not any(imported in reach.get(other, ()) for other in others)
    ]


def rows_of(built: House, arrows: Sequence[Import]) -> list[list[str]]:
    """Rooms from top to bottom; a floor whose rooms import each other takes several rows."""
    rows: list[list[str]] = []
    for floor in built.floors:
        inside = [arrow for arrow in arrows if set(arrow) <= set(floor)]
        depth = dict.fromkeys(floor, 0)
        for _ in floor:
            for above, below in inside:
                depth[below] = max(depth[below], depth[above] + 1)
        rows += [[room for room in floor if depth[room] == step] for step in range(max(depth.values()) + 1)]
    return rows


@dataclass(frozen=True)
class Layout:
    """Where everything stands, in units of rows and rooms.

    Args:
        places: (x, row) of each room.
        lines: Points (x, row) of each arrow, a point in every row that it passes.
    """

    places: Mapping[str, tuple[float, int]]
    lines: Mapping[Import, Sequence[tuple[float, int]]]


def layout(rows: Sequence[Sequence[str]], arrows: Sequence[Import]) -> Layout:
    """Order rooms and passing arrows in their rows so that few arrows cross.

    Layers with a place for every arrow in every row it passes, ordered by barycentres: K. Sugiyama, S. Tagawa and M.
    Toda, Methods for visual understanding of hierarchical system structures (1981).
    """
    row_of = {room: row for row, rooms in enumerate(rows) for room in rooms}
    chains: dict[Import, list[Any]] = {
        (above, below): [above, *((above, below, row) for row in range(row_of[above] + 1, row_of[below])), below]
        for above, below in arrows
    }
    order: list[list[Any]] = [list(rooms) for rooms in rows]
    for chain in chains.values():
        for point in chain[1:-1]:
            order[point[2]].append(point)
    neighbours: dict[Any, list[Any]] = {}
    for chain in chains.values():
        for one, other in pairwise(chain):
            neighbours.setdefault(one, []).append(other)
            neighbours.setdefault(other, []).append(one)
    size = {point: 1.0 if isinstance(point, str) else 0.3 for row in order for point in row}
    x = {point: 1.3 * (number - (len(row) - 1) / 2) for row in order for number, point in enumerate(row)}
    for _ in range(60):
        for row in (*order, *order[::-1]):
            middle = {point: fmean([x[other] for other in neighbours.get(point, [point])]) for point in row}
            row.sort(key=middle.__getitem__)
            _spread(row, middle, size, x)
    centre = fmean([x[point] for point in neighbours])  # rooms without arrows stand about 0
    x.update({point: x[point] - centre for point in neighbours})
    return Layout(
        {room: (x[room], row_of[room]) for room in row_of},
        {arrow: [(x[point], row_of.get(point, point[2])) for point in chain] for arrow, chain in chains.items()},
    )


def curve_points(line: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Points of Bezier curves through a line's points, upright at both ends, which touch the edges of the rooms."""
    line = [(line[0][0], line[0][1] + 0.2), *line[1:-1], (line[-1][0], line[-1][1] - 0.24)]
    slopes = [0.0, *((after[0] - before[0]) / 2 for before, after in zip(line, line[2:], strict=False)), 0.0]
    points = [line[0]]
    for ((x, y), slope), ((to_x, to_y), to_slope) in pairwise(zip(line, slopes, strict=True)):
        third = (to_y - y) / 3
        points += [(x + slope * third, y + third), (to_x - to_slope * third, to_y - third), (to_x, to_y)]
    return points


def _spread(row: Sequence[Any], wanted: Mapping[Any, float], size: Mapping[Any, float], x: dict[Any, float]) -> None:
    """Put points as near to where they want to be as their sizes allow: half-way between pushing right and left."""
    gaps = [(size[one] + size[other]) / 2 for one, other in pairwise(row)]
    right, left = [wanted[point] for point in row], [wanted[point] for point in row]
    for number, gap in enumerate(gaps):
        right[number + 1] = max(right[number + 1], right[number] + gap)
    for number, gap in reversed([*enumerate(gaps)]):
        left[number] = min(left[number], left[number + 1] - gap)
    x.update({point: fmean(ends) for point, ends in zip(row, zip(left, right, strict=True), strict=True)})


def draw(built: House, path: Path) -> Path:
    """Draw a house without circles.

    Args:
        built: The house.
        path: Ends in `.svg` or `.png`.
    """
    from matplotlib.path import Path as Curve

    from ghbench.figures.style import BAND, BLUE, INK, MUTED, save_figure, styled_figure

    ground = built.floors[-1]
    arrows = [(above, below) for above, below in transitive_reduction(built.arrows) if below not in ground]
    rows = rows_of(built, arrows)
    found = layout(rows, arrows)
    across = [x for places in (found.places.values(), *found.lines.values()) for x, _ in places]
    left, right = min(across) - 0.6, max(across) + 0.6
    with styled_figure(10, 0.52 * len(rows) + 0.6) as figure:
        from matplotlib.patches import FancyArrowPatch

        axes = figure.add_subplot()
        axes.set_axis_off()
        axes.set_xlim(left, right)
        axes.set_ylim(len(rows) + 0.1, -0.6)
        top = 0
        for number, floor in enumerate(built.floors):
            height = sum(1 for row in rows if set(row) <= set(floor))
            if number % 2 == 0:
                axes.axhspan(top - 0.5, top + height - 0.5, color=BAND, alpha=0.5, linewidth=0)
            top += height
        for line in found.lines.values():
            curve = Curve(curve_points(line), [Curve.MOVETO, *[Curve.CURVE4] * (3 * len(line) - 3)])
            style: dict[str, Any] = {
                "arrowstyle": "-|>",
                "mutation_scale": 8,
                "linewidth": 0.8,
                "color": MUTED,
                "zorder": 1,
            }
            axes.add_patch(FancyArrowPatch(path=curve, **style))
        for room, (x, y) in found.places.items():
            plugin = not room.startswith("ghbench.")
            axes.text(
                x, y, room.removeprefix("ghbench.").removeprefix("ghbench_") + "/" * plugin, ha="center", va="center",
                color=BLUE if plugin else INK, zorder=2,
                bbox={"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": MUTED, "linewidth": 0.8},
            )  # fmt: skip
        axes.text(
            left + 0.05, len(rows) - 0.3,
            "An arrow is an import. Left out: those that follow from others, those for annotations only, "
            "and those to the ground floor, which every room may use.",
            fontsize=8, color=MUTED, va="top",
        )  # fmt: skip
        return save_figure(figure, path)


def complaints(built: House) -> list[str]:
    """What is wrong with a house, a line each: arrows upwards and circles, with the imports that make them."""
    circle = built.circle()
    wrong = [*((arrow, "upwards") for arrow in built.upward()), *((arrow, "in a circle") for arrow in pairwise(circle))]
    return [
        f"{above} imports {below} {how}: {', '.join(f'{one} -> {other}' for one, other in built.arrows[above, below])}"
        for (above, below), how in wrong
    ]


def main() -> int:
    """Check and draw."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    built = house(imports_between_rooms(), contracts[0]["layers"])
    wrong = complaints(built)
    sys.stderr.write("".join(f"{line}\n" for line in wrong))
    if wrong:
        return 1
    sys.stdout.write(f"{draw(built, FIGURE)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
