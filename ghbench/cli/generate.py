"""`ghbench generate`: generated images, as a grid or one file each."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ghbench.cli.terminal import complain, progress_bars, say


def generate(
    generator: Annotated[str, typer.Option("--generator", "-g", help="Spec string, or path of a checkpoint.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The PNG to write, or a folder for one a seed.")],
    seeds: Annotated[str, typer.Option(help="One image each: 0-15, or 3,5,8.")] = "0-15",
    psi: Annotated[float, typer.Option(min=-4, max=4, help="Truncation: 1 for none, 0 for the mean.")] = 0.7,
    size: Annotated[
        int | None, typer.Option(min=1, max=4096, help="Side of each image; default: the generator's.")
    ] = None,
    noise: Annotated[
        Literal["const", "random", "none"], typer.Option(help="Stored noise, new noise by seed, or none.")
    ] = "const",
    label: Annotated[int | None, typer.Option(min=0, help="Class, for a conditional generator.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace files that ghbench did not make.")] = False,
    columns: Annotated[int | None, typer.Option(min=1, help="Images per row; default: nearly square.")] = None,
    batch: Annotated[int, typer.Option(min=1, help="Images per batch.")] = 4,
    device: Annotated[str, typer.Option(help="cpu, cuda, cuda:1, mps or auto.")] = "auto",
) -> None:
    """Generate one image per seed; the same seed always gives the same image.

    ghbench generate -g mobile-stylegan-ffhq --seeds 0-15 --size 256 --out faces.png
    """
    import numpy as np

    from ghbench.figures.picture_grid import check_png, picture_grid, save_png
    from ghbench.generators.loading import CheckpointFile, generator_plugin, load_generator
    from ghbench.generators.pictures import on_device, pictures_of_seeds, seed_list, stream_of_seeds
    from ghbench.outputs import check_output

    folder = out.is_dir() or not out.suffix
    numbers = seed_list(seeds, 1_000_000) if folder else seed_list(seeds)
    paths = [out / f"seed-{number:010d}.png" for number in numbers] if folder else [out]
    for path in paths:
        check_png(path)
        check_output(path, [generator], force=force)
    plugin = generator_plugin(generator)
    for line in plugin.assumptions() if isinstance(plugin, CheckpointFile) else ():
        complain(line)
    with progress_bars() as watch:

        def report(done: int, total: int) -> None:
            watch.images(done, total, generator)

        network = on_device(load_generator(plugin if isinstance(plugin, CheckpointFile) else generator), device)
        how: Any = {"psi": psi, "size": size, "noise": noise, "label": label, "batch": batch, "report": report}
        if folder:
            images = (image for part in stream_of_seeds(network, numbers, **how) for image in part)
            for number, path, image in zip(numbers, paths, images, strict=True):
                save_png(np.ascontiguousarray(image), path, about=f"seed {number}, psi {psi:g}")
        else:
            grid = picture_grid(pictures_of_seeds(network, numbers, **how), columns)
            save_png(grid, out, about=f"seeds {seeds}, psi {psi:g}")
    say(out)
