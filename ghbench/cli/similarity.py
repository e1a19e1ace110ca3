"""`ghbench similarity`: how alike two encoders are on the same images, level by level."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ghbench.cli.terminal import complain, print_columns, print_csv, print_record, progress_bars, say

if TYPE_CHECKING:
    from ghbench.analysis import Similarity


def similarity(
    first: Annotated[str, typer.Argument(help="Spec string of an extractor, with level=all or some levels.")],
    second: Annotated[str, typer.Argument(help="Spec string of another one.")],
    data: Annotated[str, typer.Option("--data", help="Spec string of a dataset, or a folder of images.")],
    measure: Annotated[
        str, typer.Option(help="cka, rsa-spearman, rsa-pearson, mutual-knn; several joined by commas.")
    ] = "cka,rsa-spearman,mutual-knn",
    neighbours: Annotated[int, typer.Option("--neighbours", "-k", min=1, help="Neighbours of mutual-knn.")] = 10,
    align: Annotated[str | None, typer.Option(help="none, tight, ffhq, dlib-chip; default: as declared.")] = None,
    limit: Annotated[int | None, typer.Option(min=5, help="First N images only.")] = None,
    batch_size: Annotated[int, typer.Option(min=1)] = 32,
    workers: Annotated[int | None, typer.Option(min=0, help="Decoding processes; default: as many as help.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps or auto.")] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="From which all randomness is spawned.")] = 0,
    kind: Annotated[Literal["terminal", "csv", "json"], typer.Option("--format", help="How to print it.")] = "terminal",
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Heat map to write, .png or .svg.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that ghbench did not make.")] = False,
) -> None:
    """Compare two encoders on the same images: CKA, RSA and mutual k-NN of all pairs of levels, with 95 % intervals.

    ghbench similarity mobilenet-v2:level=all pixels --data orl --out heatmap.svg
    """
    from ghbench.analysis import compare_encoders
    from ghbench.extraction import ExtractionOptions
    from ghbench.figures.style import check_figure
    from ghbench.running.options import RunOptions

    if out is not None:
        check_figure(out, force=force)
    with progress_bars() as watch:
        extraction = ExtractionOptions(batch_size, workers, device, watch.images)
        options = RunOptions(align=align, limit=limit, seed=seed, extraction=extraction)
        found = compare_encoders(
            first, second, data, [name.strip() for name in measure.split(",")], neighbours=neighbours, options=options
        )
    head = ["measure", "first", "second", "value", "low", "high", "null", "null_high"]
    if kind == "json":
        print_record(found)
    elif kind == "csv":
        print_csv(head, [[getattr(row, name) for name in head] for row in found.rows])
    else:
        _print(found, neighbours)
    if out is not None:
        path = _save_heat_map(found, out)
        complain(f"heat map in {path}")


def _print(found: Similarity, neighbours: int) -> None:
    say(f"{found.first} and {found.second} on {found.images:,} images of {found.data}")
    rows = []
    for row in found.rows:
        interval = f"[{_number(row.low)}, {_number(row.high)}]"
        permuted = f"{_number(row.null)}, up to {_number(row.null_high)}"
        rows.append([row.measure, row.first, row.second, _number(row.value), interval, permuted])
    print_columns(["measure", "first", "second", "value", "95 %", "permuted"], rows)
    say(f"95 % by the jackknife over {found.unit}; permuted: rows of {found.second} permuted, mean and largest of 19")
    if any(row.measure == "mutual-knn" for row in found.rows):
        say(f"mutual-knn: k = {neighbours}")
    for note in found.notes:
        say(note)


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.3f}"


def _save_heat_map(found: Similarity, out: Path) -> Path:
    from ghbench.figures.heatmap import HeatMap, heatmap_figure
    from ghbench.figures.style import save_figure

    down, across = found.levels()
    maps = [HeatMap(measure, found.matrix(measure)) for measure in dict.fromkeys(row.measure for row in found.rows)]
    return save_figure(heatmap_figure(maps, (found.first, down), (found.second, across)), out)
