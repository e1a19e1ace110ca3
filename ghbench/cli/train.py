"""`ghbench train`: trains generators, heads and encoders with one loop; interrupted runs resume."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ghbench.cli.terminal import progress_bars, say

if TYPE_CHECKING:
    from ghbench.training.recipe import Recipe

app = typer.Typer(no_args_is_help=True)

Data = Annotated[str, typer.Option(help="Spec string of a dataset: fashion-mnist, imagefolder:path=./faces.")]
Size = Annotated[int, typer.Option(min=8, max=1024, help="Side of the images, a power of two.")]
Images = Annotated[int, typer.Option(min=1, help="Training images in total; a larger number continues a finished run.")]
Until = Annotated[int, typer.Option(min=0, help="Stop after this many images and export; the run can resume later.")]
Run = Annotated[str, typer.Option(help="Name of the run in the cache's `runs`, or a path.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of weights, order and randomness.")]
Settings = Annotated[
    list[str] | None, typer.Option("--option", "-o", help="NAME=VALUE of the recipe; may be repeated.")
]
PrecisionOption = Annotated[
    Literal["auto", "32-true", "bf16-mixed"], typer.Option(help="auto: bf16 if the processor supports it.")
]
Accelerator = Annotated[str, typer.Option(help="auto, cpu, cuda or mps.")]
Devices = Annotated[int, typer.Option(min=1, help="Number of devices, one process each.")]
Compile = Annotated[bool, typer.Option("--compile/--no-compile", help="torch.compile; needs a C++ compiler.")]
GanStart = Annotated[str | None, typer.Option("--start", help="An earlier training: file, run or shipped generator.")]
Quality = Annotated[str, typer.Option(help="Extractor that compares generated and real images, or `none`.")]


@app.command("stylegan2")
def stylegan2(
    data: Data, run: Run, size: Size = 32, images: Images = 300_000, seed: Seed = 0, option: Settings = None,
    quality: Quality = "efficientnet-lite0", precision: PrecisionOption = "auto", accelerator: Accelerator = "auto",
    devices: Devices = 1, compiled: Compile = False, start: GanStart = None,
) -> None:  # fmt: skip
    """Train a StyleGAN2 on a dataset.

    ghbench train stylegan2 --data fashion-mnist --size 32 --images 300000 --run fashion32
    """
    _train_gan(
        "stylegan2", data, run, size, images, seed, option, quality, precision, accelerator, devices, compiled, start
    )  # fmt: skip


@app.command("stylegan1")
def stylegan1(
    data: Data, run: Run, size: Size = 32, images: Images = 300_000, seed: Seed = 0, option: Settings = None,
    quality: Quality = "efficientnet-lite0", precision: PrecisionOption = "auto", accelerator: Accelerator = "auto",
    devices: Devices = 1, compiled: Compile = False, start: GanStart = None,
) -> None:  # fmt: skip
    """Train a StyleGAN1 on a dataset, without progressive growing.

    ghbench train stylegan1 --data fashion-mnist --size 32 --images 300000 --run fashion32-sg1
    """
    _train_gan(
        "stylegan1", data, run, size, images, seed, option, quality, precision, accelerator, devices, compiled, start
    )  # fmt: skip


@app.command("heads")
def heads(
    generator: Annotated[str, typer.Option("--generator", "-g", help="mobile-stylegan-ffhq.")] = "mobile-stylegan-ffhq",
    run: Run = "heads", images: Images = 64_000, seed: Seed = 0, option: Settings = None,
    precision: PrecisionOption = "auto", accelerator: Accelerator = "auto", compiled: Compile = True,
) -> None:  # fmt: skip
    """Train MobileStyleGAN's heads for 64, 128 and 256 px. Renders 2,048 faces first.

    ghbench train heads --generator mobile-stylegan-ffhq
    """
    from ghbench.training.heads_job import heads_recipe
    from ghbench.training.machine import Machine
    from ghbench.training.run_folder import RunFolder

    recipe = heads_recipe(generator, images, RunFolder(run).path, option or [])
    with progress_bars() as watch:
        machine = Machine(accelerator=accelerator, precision=precision, compiled=compiled)
        recipe.gather(machine, lambda done, total: watch.images(done, total, "renders"))
    _train(recipe, run, images, seed, precision, accelerator, 1, compiled)


@app.command("ghfeat")
def ghfeat(
    generator: Annotated[str, typer.Option("--generator", "-g", help="Spec string, or path of a checkpoint.")],
    run: Run,
    size: Annotated[int | None, typer.Option(min=32, max=1024, help="Side; default: the generator's.")] = None,
    data: Annotated[str | None, typer.Option(help="Dataset of real images; default: renders.")] = None,
    preset: Annotated[str, typer.Option(help="compact, or paper.")] = "compact",
    start: Annotated[str | None, typer.Option(help="An earlier encoder: file, run or shipped weights.")] = None,
    discriminator: Annotated[Path | None, typer.Option(help="Checkpoint of a discriminator to start from.")] = None,
    label: Annotated[int | None, typer.Option(min=0, help="Class, for a conditional generator.")] = None,
    images: Images = 100_000, until: Until = 0, seed: Seed = 0, option: Settings = None,
    precision: PrecisionOption = "auto", accelerator: Accelerator = "auto", devices: Devices = 1,
    compiled: Compile = True,
) -> None:  # fmt: skip
    """Train a GH-Feat encoder with a frozen generator as its loss.

    ghbench train ghfeat --generator mobile-stylegan-ffhq --size 128 --run faces128
    """
    from ghbench.ghfeat.training.job import ghfeat_recipe

    recipe = ghfeat_recipe(
        generator, images, option or [], size=size, preset=preset, data=data, start=start,
        discriminator=discriminator, label=label, seed=seed,
    )  # fmt: skip
    _train(recipe, run, images, seed, precision, accelerator, devices, compiled, until)


@app.command("contrafeat")
def contrafeat(
    generator: Annotated[str, typer.Option("--generator", "-g", help="Spec string, or path of a checkpoint.")],
    run: Run,
    variant: Annotated[str, typer.Option(help="binary or prototype; latentclr and recognition are rivals.")] = "binary",
    directions: Annotated[int, typer.Option(min=2, max=512, help="Number of directions.")] = 30,
    size: Annotated[int | None, typer.Option(min=8, max=1024, help="Side; default: the generator's, or 64.")] = None,
    images: Images = 40_000, until: Until = 0, seed: Seed = 0, option: Settings = None,
    precision: PrecisionOption = "auto", accelerator: Accelerator = "auto", devices: Devices = 1,
    compiled: Compile = True,
) -> None:  # fmt: skip
    """Find directions in a generator's latent space, with the rows that they act in.

    ghbench train contrafeat --generator mobile-stylegan-ffhq --variant binary --directions 30 --run bin30
    """
    from ghbench.contrafeat.training.job import contrafeat_recipe

    recipe = contrafeat_recipe(
        generator, option or [], size=size, variant=variant, directions=directions, seed=seed
    )  # fmt: skip
    _train(recipe, run, images, seed, precision, accelerator, devices, compiled, until)


@app.command("representation")
def representation(
    run: Run,
    navigator: Annotated[
        str | None, typer.Option("--navigator", "-n", help="Its directions make the pairs: name, file or run.")
    ] = None,
    generator: Annotated[
        str, typer.Option("--generator", "-g", help="Draws the pairs; default: the navigator's.")
    ] = "",
    pairs: Annotated[
        int | None, typer.Option(min=1, help="Pairs that are drawn, by default 20000; each is seen several times.")
    ] = None,
    data: Annotated[str | None, typer.Option(help="Instead of a navigator: a dataset of images or of pairs.")] = None,
    images: Annotated[int, typer.Option(min=1, help="Pairs, or images, in total.")] = 100_000,
    until: Until = 0, seed: Seed = 0, option: Settings = None, precision: PrecisionOption = "auto",
    accelerator: Accelerator = "auto", devices: Devices = 1, compiled: Compile = False,
) -> None:  # fmt: skip
    """Train a code of few numbers on pairs of images that a navigator moves apart, or on images alone.

    ghbench train representation --navigator ganspace:generator=tiny,directions=10 --run rep1
    """
    from ghbench.contrafeat.representation.recipe import RepresentationRecipe
    from ghbench.errors import UsageError
    from ghbench.registry import plugins
    from ghbench.spec_string import SpecString, parse

    if (navigator is None) == (data is None):
        raise UsageError("expected a navigator, or data", fix="--navigator NAME, or --data DATASET")
    for option_name, given in (("--generator", generator), ("--pairs", pairs)):
        if data is not None and given:
            raise UsageError(f"{option_name} is for pairs along a navigator's directions", fix="--navigator NAME")
    if navigator is not None:
        known = {plugin.name for plugin in plugins("extractor")}
        navigator = navigator if parse(navigator).name in known else f"contrafeat:weights={navigator}"
        own = {**parse(navigator).nested("navigator"), "count": str(pairs or 20_000)} | (
            {"generator": generator} if generator else {}
        )
        data = str(SpecString("generated-pairs", options=own))
    recipe = RepresentationRecipe(str(data), option or [], seed)
    _train(recipe, run, images, seed, precision, accelerator, devices, compiled, until)


@app.command("baseline")
def baseline(
    recipe: Annotated[str, typer.Argument(help="vae, bigan, simclr, or a plugin's: `ghbench list recipes`.")],
    data: Data, run: Run, size: Size = 32, images: Images = 50_000, until: Until = 0, seed: Seed = 0,
    option: Settings = None, precision: PrecisionOption = "auto", accelerator: Accelerator = "auto",
    devices: Devices = 1, compiled: Compile = True,
) -> None:  # fmt: skip
    """Train an encoder without a generator, to compare with GH-Feat.

    ghbench train baseline simclr --data fashion-mnist --size 32 --run simclr-fashion
    """
    from ghbench.registry import find
    from ghbench.spec_string import parse

    factory = find("recipe", parse(recipe)).load()
    _train(
        factory(data, size, images, seed, option or []), run, images, seed, precision, accelerator, devices, compiled,
        until,
    )  # fmt: skip


def _train_gan(
    model: Literal["stylegan1", "stylegan2"], data: str, run: str, size: int, images: int, seed: int,
    option: list[str] | None, quality: str, precision: Any, accelerator: str, devices: int, compiled: bool,
    start: str | None,
) -> None:  # fmt: skip
    from ghbench.training.gan_job import gan_recipe
    from ghbench.training.run_folder import RunFolder

    judge = None if quality == "none" else quality
    cache = RunFolder(run).path
    recipe = gan_recipe(model, data, size, images, option or [], quality=judge, seed=seed, cache=cache, start=start)
    _train(recipe, run, images, seed, precision, accelerator, devices, compiled)


def _train(
    recipe: Recipe, run: str, images: int, seed: int, precision: Any, accelerator: str, devices: int, compiled: bool,
    until: int = 0,
) -> None:  # fmt: skip
    from ghbench.training.loop import Schedule, train
    from ghbench.training.machine import Machine
    from ghbench.training.run_folder import RunFolder

    folder = RunFolder(run)
    schedule = Schedule(images=images, seed=seed, evaluate_every=max(images // 4, 10_000), until=until)
    machine = Machine(accelerator=accelerator, devices=devices, precision=precision, compiled=compiled)
    with progress_bars() as watch:

        def report(shown: int, total: int, line: str) -> None:
            watch.images(shown, total, recipe.name)
            if line and sys.stderr.isatty():
                watch.pair(line)
            elif line:
                say(f"{shown:,} of {total:,} images: {line}", err=True)

        command = shlex.join(["ghbench", *sys.argv[1:]])
        outcome = train(recipe, schedule, folder, machine, command=command, report=report)
    if not outcome.finished:
        raise KeyboardInterrupt  # handled like any interrupted verb
    if machine.main:
        say(folder.path)
