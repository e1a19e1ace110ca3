"""From what a user writes to an encoder in training: a generator by name or file, data by spec string."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from ghbench import registry
from ghbench.dataset import Dataset
from ghbench.errors import MissingError, UsageError
from ghbench.generators.loading import generator_plugin, load_discriminator
from ghbench.ghfeat.files.weights import load_encoder
from ghbench.ghfeat.training.options import PRESETS, GhfeatOptions
from ghbench.ghfeat.training.perceptual import perceptual_network
from ghbench.ghfeat.training.recipe import GhfeatRecipe
from ghbench.training.images import TrainingImages
from ghbench.training.run_folder import RunFolder
from ghbench.training.settings import parse_settings


def ghfeat_recipe(
    generator: str,
    total: int,
    settings: Sequence[str] = (),
    *,
    size: int | None = None,
    preset: str = "compact",
    data: str | None = None,
    start: str | None = None,
    discriminator: Path | None = None,
    seed: int = 0,
) -> GhfeatRecipe:
    """An encoder ready to train.

    Args:
        generator: Spec string or path of a checkpoint.
        total: Images of the whole run.
        settings: `name=value` for fields of `GhfeatOptions`, over the preset's.
        size: Side of the pictures, for generators that come in several; None for the generator's own.
        preset: `compact` or `paper`.
        data: Spec string of a dataset of real pictures; needed where the share `real` is above 0.
        start: An earlier encoder whose weights to take over: a file, or the name of a run.
        discriminator: A checkpoint whose discriminator is trained further; None for a fresh one.
        seed: Seed of weights and chance.

    Raises:
        UsageError: An option that is not known, or real pictures without data.
        MissingError: There is no such encoder to start from.
    """
    if preset not in PRESETS:
        raise UsageError(f"no preset {preset!r}", fix=f"one of {', '.join(PRESETS)}")
    options = GhfeatOptions(**{**PRESETS[preset], **parse_settings(GhfeatOptions, settings)})
    name = sized(generator, size)
    plugin = generator_plugin(name)
    images = None
    if options.real:
        if data is None:
            raise UsageError(f"{options.real:.0%} of the pictures are real ones", fix="--data DATASET, or -o real=0")
        images = TrainingImages(cast("Dataset", registry.build("dataset", data)), plugin.spec().size)
    weighed = options.perceptual or options.perceptual_share
    return GhfeatRecipe(
        plugin.load(),
        plugin.spec(),
        name,
        options,
        total,
        images=images,
        perceptual=perceptual_network(options.perceptual_network) if weighed else None,
        discriminator=None if discriminator is None else load_discriminator(discriminator),
        start=None if start is None else load_encoder(_file_of(start)),
        seed=seed,
    )


def _file_of(start: str) -> Path:
    path = Path(start).expanduser()
    if path.is_file():
        return path
    path = RunFolder(start).path / "model.safetensors"
    if not path.is_file():
        raise MissingError(
            f"there is no encoder {path} to start from", fix="--start FILE, or the name of a finished run"
        )
    return path


def sized(generator: str, size: int | None) -> str:
    """The spec string of a generator at a size.

    Raises:
        UsageError: It has another size and does not come in several.
    """
    if size is None or generator_plugin(generator).spec().size == size:
        return generator
    name = f"{generator}{',' if ':' in generator else ':'}size={size}"
    try:
        return name if generator_plugin(name).spec().size == size else generator
    except UsageError as error:
        raise UsageError(f"{generator} has no size {size}", fix="leave out --size") from error
