"""`ghbench extract`: features of a dataset as a file for other programs, or in a store elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from ghbench.cli.cluster_options import Actors, Address, Engine
from ghbench.cli.terminal import progress_bars, say


def extract(
    extractor: Annotated[str, typer.Option("--extractor", "-e", help="Spec string.")],
    data: Annotated[
        str, typer.Option("--data", help="Spec string of a dataset, DATASET#SPLIT, or a folder of images.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="File that ends in .parquet, .npz, .safetensors or .tar; features-%06d.tar: many."),
    ] = None,
    into: Annotated[
        str | None, typer.Option("--into", help="Instead: a store elsewhere, as a folder or s3://BUCKET/PATH.")
    ] = None,
    level: Annotated[str | None, typer.Option(help="Levels, as after level= in a spec string.")] = None,
    align: Annotated[str | None, typer.Option(help="none, tight, ffhq, dlib-chip; default: as declared.")] = None,
    dtype: Annotated[Literal["float32", "float16", "int8"], typer.Option(help="Of the features.")] = "float32",
    limit: Annotated[int | None, typer.Option(min=1, help="First N images only.")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a file that is there; with --into, make damaged shards again.")
    ] = False,
    batch_size: Annotated[int, typer.Option(min=1)] = 32,
    workers: Annotated[int | None, typer.Option(min=0, help="Decoding processes; default: as many as help.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps or auto.")] = "auto",
    engine: Engine = "local",
    address: Address = "",
    actors: Actors = None,
) -> None:
    """Write features with ids, one column or array a level, and the key of what made them; from the store if there.

    ghbench extract -e mobilenet-v2 --data imagefolder:path=./pictures --out features.parquet

    ghbench extract -e mobilenet-v2 --data imagefolder:path=./pictures --into s3://bucket/features --engine ray
    """
    from ghbench.analysis.sources import load_images
    from ghbench.errors import UsageError
    from ghbench.extraction import ExtractionOptions
    from ghbench.running.extract import extract_elsewhere, extract_to_file
    from ghbench.running.options import RunOptions
    from ghbench.store.feature_files import check_target

    if (out is None) == (into is None):
        raise UsageError("expected one place for the features", fix="--out FILE, or --into URL")
    if out is not None:
        if dtype == "int8":
            raise UsageError("int8 is for feature stores only", fix="--dtype float16, or --into URL")
        check_target(out, force=force)
    dataset = load_images(data)
    with progress_bars() as watch:
        extraction = ExtractionOptions(batch_size, workers, device, watch.images, engine, address, actors)
        options = RunOptions(align=align, limit=limit, dtype=dtype, extraction=extraction)
        if out is not None:
            place, dims = str(out), extract_to_file(extractor, dataset, out, options, level=level, force=force)
        else:
            place, dims = extract_elsewhere(extractor, dataset, str(into), options, level=level, check=force)
    rows = len(dataset) if limit is None else min(limit, len(dataset))
    say(f"{place}: {rows:,} rows, {', '.join(f'{name} [{dim:,}]' for name, dim in dims.items())}")
