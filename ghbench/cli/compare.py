"""`ghbench compare`: one system against another, paired over the task's units."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ghbench.cli.completion import complete_extractors, complete_tasks
from ghbench.cli.terminal import complain, print_record, progress_bars, say
from ghbench.errors import UsageError

if TYPE_CHECKING:
    from ghbench.tables import Comparison

USUAL_COUNT = 6
"""Images or pairs in a picture."""


def compare(
    first: Annotated[
        str, typer.Argument(help="An extractor, by any name that a table prints.", autocompletion=complete_extractors)
    ],
    second: Annotated[str, typer.Argument(help="Another one.", autocompletion=complete_extractors)],
    task: Annotated[str, typer.Option("--task", "-t", help="Spec string of the task.", autocompletion=complete_tasks)],
    metric: Annotated[str | None, typer.Option(help="Default: the metric that ranks.")] = None,
    align: Annotated[str | None, typer.Option(help="Alignment of both results.")] = None,
    images: Annotated[Path | None, typer.Option(help="PNG of the images on which the two differ most.")] = None,
    count: Annotated[int, typer.Option(min=1, help="Images or pairs in it, worse by each of the two.")] = USUAL_COUNT,
    force: Annotated[bool, typer.Option("--force", help="Replace files that ghbench did not make.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the difference of two finished results, first minus second, with its 95 % interval.

    ghbench compare mobilenet-v2 dlib-face --task orl --images differing.png
    """
    from ghbench.outputs import check_output
    from ghbench.results.scoring import declared
    from ghbench.running.request import load_task
    from ghbench.tables import compare as compare_results
    from ghbench.tables.compare import two_systems

    if images is None and (force or count != USUAL_COUNT):
        raise UsageError("--count and --force are about a picture", fix="--images FILE.png, or leave them out")
    if images is not None:
        check_output(images, force=force)
    loaded = load_task(task)
    found = compare_results(first, second, loaded, metric, align)
    if images is not None:
        from ghbench.analysis.differing import draw_differing

        chosen, _ = two_systems(first, second, loaded, align)
        places = [(entry.path, level) for entry, level in chosen]
        with progress_bars() as watch:
            notes = draw_differing((found.first, found.second), places, loaded, images, count, watch.images)
        for note in (str(images), *notes):
            complain(note)
    for line in found.damage:
        complain(line)
    _print(found, declared(loaded, found.metric).uncertainty, as_json=as_json)
    sys.exit(1 if found.damage else 0)


def _print(found: Comparison, uncertainty: str, *, as_json: bool) -> None:
    if as_json:
        print_record(found)  # an interval that no draw defines is null
        return
    difference = found.difference
    say(f"{found.metric} on {found.task}: {found.first} {found.values[0]:.4f}, {found.second} {found.values[1]:.4f}")
    if difference is None:
        why = "the task states no uncertainty" if uncertainty == "none" else "standard errors give no paired difference"
        say(f"difference {found.values[0] - found.values[1]:+.4f}; {why} of {found.metric}")
        return
    if not math.isfinite(difference.low):
        say(f"difference {difference.value:+.4f} over {found.unit}, no interval; {p_value_text(difference.p_value)}")
        return
    say(
        f"difference {difference.value:+.4f}, 95 % interval [{difference.low:+.4f}, {difference.high:+.4f}] "
        f"over {found.unit}, {p_value_text(difference.p_value)}"
    )


def p_value_text(value: float) -> str:
    """A p-value as text; the tail below 1e-4 is the approximation's more than the data's."""
    return "p < 0.0001" if value < 1e-4 else f"p = {value:.2g}"
