"""`ghbench levels`: which level of an extractor is good for what."""

from __future__ import annotations

import math
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ghbench.cli.completion import complete_extractors, complete_tasks
from ghbench.cli.terminal import complain, print_columns, print_csv, print_record, progress_bars, say
from ghbench.errors import UsageError

if TYPE_CHECKING:
    from ghbench.analysis.hierarchy import Hierarchy

_WIDEST = 40  # letters of a task's name in the heat map


def levels(
    extractor: Annotated[
        str, typer.Argument(help="Spec string of an extractor with levels.", autocompletion=complete_extractors)
    ],
    task: Annotated[
        list[str],
        typer.Option("--task", "-t", help="Spec string; may be given many times.", autocompletion=complete_tasks),
    ],
    align: Annotated[str | None, typer.Option(help="none, tight, ffhq, dlib-chip; default: as declared.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="First N images only.")] = None,
    batch_size: Annotated[int, typer.Option(min=1)] = 32,
    workers: Annotated[int | None, typer.Option(min=0, help="Decoding processes; default: as many as help.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps or auto.")] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="From which all randomness is spawned.")] = 0,
    results: Annotated[Path | None, typer.Option(help="Folder of results; default: in GHBENCH_HOME.")] = None,
    published: Annotated[bool, typer.Option("--published", help="Compute nothing: published results.")] = False,
    kind: Annotated[Literal["terminal", "csv", "json"], typer.Option("--format", help="How to print it.")] = "terminal",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Heat map to write, .png or .svg.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that ghbench did not make.")] = False,
) -> None:
    """Compare the levels of an extractor on several tasks, each from 0 for chance to 1 for a perfect answer.

    ghbench levels ghfeat -t orl -t luminance -t landmarks -o levels.svg
    """
    from ghbench.analysis.hierarchy import hierarchy
    from ghbench.extraction import ExtractionOptions
    from ghbench.figures.style import check_figure
    from ghbench.running.options import RunOptions

    if published and (align, limit, seed, results) != (None, None, 0, None):
        raise UsageError("--published takes results as they are", fix="leave out --align, --limit, --seed, --results")
    if out is not None:
        check_figure(out, force=force)
    with progress_bars() as watch:
        extraction = ExtractionOptions(batch_size, workers, device, watch.images)
        options = RunOptions(align=align, limit=limit, seed=seed, results=results, extraction=extraction)
        found = hierarchy(extractor, task, options, published=published)
    if kind == "json":
        print_record(found)
    elif kind == "csv":
        head = ["task", "metric", "level", "score", "low", "high", "thumbnail"]
        print_csv(head, [
            [one.task, one.metric, level, *map(float, (one.scores[row], one.low[row], one.high[row])), one.thumbnail]
            for one in found.tasks for row, level in enumerate(found.levels)
        ])  # fmt: skip
    else:
        _print(found)
    if out is not None:
        complain(f"heat map in {_save_heat_map(found, out)}")


def _print(found: Hierarchy) -> None:
    say(f"{found.extractor}: 0 is chance, 1 is a perfect answer")
    rows = []
    for row, level in enumerate(found.levels):
        cells = [f"{one.scores[row]:.3f} [{one.low[row]:.3f}, {one.high[row]:.3f}]" for one in found.tasks]
        rows.append([level, *cells])
    thumbnails = [f"{one.thumbnail:.3f}" if math.isfinite(one.thumbnail) else "-" for one in found.tasks]
    rows.append(["16x16 thumbnail", *thumbnails])
    rows.append(["centre of mass", *(_centre(found, *ends) for ends in _centres(found))])
    print_columns(["level", *(f"{one.task}, {one.metric}" for one in found.tasks)], rows)
    say("brackets: 95 % intervals over each task's units; of the centre of mass, 95 % of bootstrap draws")
    if math.isfinite(found.p_value):
        say(
            f"level x task: mean squared interaction {found.interaction:.4f}, p {found.p_value:.2g} "
            "(bootstrap draws around no interaction)"
        )


def _centres(found: Hierarchy) -> list[tuple[float, float, float]]:
    return [(one.centre, one.centre_low, one.centre_high) for one in found.tasks]


def _centre(found: Hierarchy, value: float, low: float, high: float) -> str:
    """A place between the levels, as a resolution where levels have one."""
    if not math.isfinite(value):
        return "-"
    if not found.in_pixels:
        return f"level {value:.2f} [{low:.2f}, {high:.2f}], counted from 0"
    return f"{2**value:.1f} px [{2**low:.1f}, {2**high:.1f}]"


def _save_heat_map(found: Hierarchy, out: Path) -> Path:
    import numpy as np

    from ghbench.figures.heatmap import HeatMap, heatmap_figure
    from ghbench.figures.style import save_figure

    values = np.stack([np.append(one.scores, one.thumbnail) for one in found.tasks])
    levels = [*found.levels, "16x16 thumbnail"]
    tasks = [textwrap.shorten(one.task.replace(",", ", "), _WIDEST, placeholder=" ...") for one in found.tasks]
    picture = heatmap_figure([HeatMap("from chance to perfect", values)], ("task", tasks), (found.extractor, levels))
    return save_figure(picture, out)
