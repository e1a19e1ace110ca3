"""Builds the recipe of an encoder from what the user writes: names, files and spec strings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import torch
from torch import Tensor, nn

from ghbench import registry
from ghbench.data.renders import Renders
from ghbench.dataset import Dataset
from ghbench.digests import digest_file
from ghbench.errors import MissingError, UsageError
from ghbench.files import user_path
from ghbench.generators.first_party import FACES
from ghbench.generators.loading import generator_plugin, load_discriminator, load_generator, spec_at_size
from ghbench.generators.native import Rebuildable
from ghbench.generators.pictures import in_rgb
from ghbench.generators.protocol import Generator
from ghbench.ghfeat.files.shipped import SHIPPED, weights_file
from ghbench.ghfeat.files.weights import load_encoder
from ghbench.ghfeat.training.options import PRESETS, GhfeatOptions
from ghbench.ghfeat.training.perceptual import perceptual_network
from ghbench.ghfeat.training.recipe import GhfeatRecipe
from ghbench.spec_string import parse
from ghbench.training.gan_export import in_colour
from ghbench.training.images import TrainingImages
from ghbench.training.run_folder import RunFolder, trained_file
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
    label: int | None = None,
    seed: int = 0,
) -> GhfeatRecipe:
    """The recipe of an encoder.

    Args:
        generator: Spec string or path of a checkpoint.
        total: Images of the whole run.
        settings: `name=value` for fields of `GhfeatOptions`; they override the preset.
        size: Side of the images, for generators of several sizes; None for the generator's own.
        preset: `compact` or `paper`.
        data: Spec string of a dataset of real images; required if the share `real` is above 0.
        start: An earlier encoder to start from: a file, or the name of a run or of shipped weights.
        discriminator: A checkpoint whose discriminator to start from; None for a new one.
        label: Class that a conditional generator draws.
        seed: Seed of the initial weights.

    Raises:
        UsageError: An unknown option, real images without data or the reverse, or a generator or discriminator that
            does not fit or is not used.
        MissingError: There is no such encoder to start from.
    """
    if preset not in PRESETS:
        raise UsageError(f"no preset {preset!r}", fix=f"one of {', '.join(PRESETS)}")
    options = GhfeatOptions(**{**PRESETS[preset], **parse_settings(GhfeatOptions, settings)})
    name = spec_at_size(generator, size)
    plugin = generator_plugin(name)
    images = None
    if options.real:
        if data is None:
            raise UsageError(f"real={options.real:g} needs real images", fix="--data DATASET, or -o real=0")
        images = TrainingImages(cast("Dataset", registry.build("dataset", data)), plugin.spec().size)
    elif data is not None:
        raise UsageError("no real image would be shown: real=0", fix="-o real=1, or leave --data out")
    if discriminator is not None and not options.adversarial:
        raise UsageError("no discriminator is trained: adversarial=0", fix="-o adversarial=0.08, or leave it out")
    perceptual = options.perceptual or options.perceptual_share
    network = in_rgb(load_generator(plugin), label)
    return GhfeatRecipe(
        network,
        plugin.spec(),
        name,
        options,
        total,
        images=images,
        ws=None if images is None else _known_ws(images, name, plugin.spec().weights_digest, network),
        perceptual=perceptual_network(options.perceptual_network) if perceptual else None,
        label=label,
        discriminator=None if discriminator is None else _discriminator(discriminator, plugin.spec().size),
        start=None if start is None else load_encoder(_start_file(start)),
        seed=seed,
    )


def _known_ws(images: TrainingImages, name: str, weights_digest: str, generator: Generator) -> Tensor | None:
    """W+ [N, rows, w_dim] of the images of a split that the generator itself drew; None for all others.

    The face generator has one mapping and one set of style codes, whichever of its heads draws.
    """
    dataset = images.dataset
    if not isinstance(dataset, Renders):
        return None
    heads = FACES == parse(name).name == parse(dataset.generator).name
    if not heads and dataset.recipe.weights_digest != weights_digest:
        return None
    rows = max(level.layer for level in generator.levels) + 1
    return torch.from_numpy(dataset.codes([int(row) for row in images.rows])[:, :rows])


def _discriminator(path: Path, size: int) -> tuple[nn.Module, str]:
    loaded = load_discriminator(path)
    about = cast("Rebuildable", loaded).configuration()
    side, colours, labels = max(int(s) for s, _ in about["channels"]), about["colours"], about.get("labels", 0)
    if side != size or colours not in {1, 3} or labels:
        raise UsageError(
            f"the discriminator in {path} is of {side} px, {colours} colours and {labels} classes; expected {size} px, "
            "1 or 3 colours and no classes",
            fix="leave --discriminator out for a new one",
        )
    # A file's networks are read frozen; this one goes on learning.
    network = in_colour(loaded) if colours == 1 else loaded
    return network.train().requires_grad_(requires_grad=True), digest_file(user_path(path))


def _start_file(start: str) -> Path:
    path = trained_file(start)
    if path is None and start in SHIPPED:
        return weights_file(start)
    if path is None:
        wanted = RunFolder(start).path / "model.safetensors"
        raise MissingError(
            f"there is no encoder {wanted} to start from", fix="--start FILE, or the name of a finished run"
        )
    return path
