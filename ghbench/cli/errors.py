"""`ghbench errors`: a page with the worst errors of an extractor on a task."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ghbench.cli.terminal import progress_bars, say


def errors(
    extractor: Annotated[str, typer.Option("--extractor", "-e", help="Spec string.")],
    task: Annotated[str, typer.Option("--task", "-t", help="Spec string of the task.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The HTML file to write.")],
    count: Annotated[int, typer.Option(min=1, help="Records of each kind of error.")] = 20,
    neighbours: Annotated[int, typer.Option("--neighbours", "-k", min=0, help="Nearest images of each image.")] = 5,
    show_images: Annotated[
        bool, typer.Option("--show-images", help="Embed images that may not be passed on; keep the page to yourself.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace a file that ghbench did not write.")] = False,
    align: Annotated[str | None, typer.Option(help="none, tight, ffhq, dlib-chip; default: as declared.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="First N images only.")] = None,
    batch_size: Annotated[int, typer.Option(min=1)] = 32,
    workers: Annotated[int | None, typer.Option(min=0, help="Decoding processes; default: as many as help.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps or auto.")] = "auto",
    seed: Annotated[int, typer.Option(min=0, help="As in the run.")] = 0,
    results: Annotated[Path | None, typer.Option(help="Folder of results; default: in GHBENCH_HOME.")] = None,
) -> None:
    """Write a page about where an extractor is wrong: the worst pairs or images, their scores and neighbours.

    ghbench errors -e mobilenet-v2 -t orl --out errors.html
    """
    from ghbench.analysis import write_errors_page
    from ghbench.extraction import ExtractionOptions
    from ghbench.running.options import RunOptions

    with progress_bars() as watch:
        extraction = ExtractionOptions(batch_size, workers, device, watch.images)
        options = RunOptions(align=align, limit=limit, seed=seed, results=results, extraction=extraction)
        page = write_errors_page(
            extractor, task, out, count=count, near=neighbours, show_images=show_images, force=force, options=options
        )
    found = ", ".join(f"{part.count} {part.title}" for part in page.parts)
    say(f"{out}: {found or 'no errors'}")
