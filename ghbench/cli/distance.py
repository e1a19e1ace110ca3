"""`ghbench distance`: how far two sets of images are from each other on an extractor's features."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ghbench.cli.terminal import complain, print_columns, print_csv, print_record, progress_bars, say

if TYPE_CHECKING:
    from ghbench.analysis import Distances


def distance(
    first: Annotated[str, typer.Argument(help="What is judged: a folder, a dataset or a generator.")],
    second: Annotated[str, typer.Argument(help="The reference: a folder, a dataset or a generator.")],
    extractor: Annotated[str, typer.Option("--extractor", "-e", help="Spec string; levels are concatenated.")],
    metric: Annotated[str, typer.Option(help="fid, kid, prdc; several joined by commas.")] = "fid,kid,prdc",
    infinity: Annotated[
        bool, typer.Option("--infinity", help="Extrapolate the Frechet distance to infinitely many images.")
    ] = False,
    align: Annotated[str | None, typer.Option(help="none, tight, ffhq, dlib-chip; default: as declared.")] = None,
    limit: Annotated[int | None, typer.Option(min=12, help="First N images of each set only.")] = None,
    batch_size: Annotated[int, typer.Option(min=1)] = 32,
    workers: Annotated[int | None, typer.Option(min=0, help="Decoding processes; default: as many as help.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps or auto.")] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="Of halves, groups and subsets.")] = 0,
    kind: Annotated[Literal["terminal", "csv", "json"], typer.Option("--format", help="How to print it.")] = "terminal",
) -> None:
    """Frechet and kernel distance, precision, recall, density and coverage between two sets of images.

    ghbench distance ./generated ./photos --extractor efficientnet-lite0
    """
    from ghbench.analysis import measure_distances
    from ghbench.extraction import ExtractionOptions
    from ghbench.running.options import RunOptions

    with progress_bars() as watch:
        extraction = ExtractionOptions(batch_size, workers, device, watch.images)
        options = RunOptions(align=align, limit=limit, seed=seed, extraction=extraction)
        found = measure_distances(first, second, extractor, metric.split(","), infinity=infinity, options=options)
    if kind == "json":
        print_record(found)
    elif kind == "csv":
        head = ["metric", "value", "low", "high", "floor", "what"]
        print_csv(head, [[getattr(row, name) for name in head] for row in found.rows])
        for note in found.notes:
            complain(note)
    else:
        _print(found)


def _print(found: Distances) -> None:
    say(f"{found.first} ({found.images[0]:,} images) against {found.second} ({found.images[1]:,} images)")
    rows = []
    for row in found.rows:
        interval = "-" if math.isnan(row.low) else f"[{row.low:.4g}, {row.high:.4g}]"
        floor = "-" if math.isnan(row.floor) else f"{row.floor:.4g}"
        rows.append([row.metric, f"{row.value:.4g}", interval, floor, row.what])
    print_columns(["metric", "value", "95 %", "floor", "what"], rows)
    halves = " and ".join(f"{count:,}" for count in found.floor_images)
    say(
        f"95 % by a jackknife over groups of images of both sets; floor: two halves of {found.second} ({halves} images)"
    )
    say(f"features: {found.numbers:,} numbers of {found.extractor}; {found.preprocessing}")
    for note in found.notes:
        say(note)
