"""Builds the recipe of a navigator from what the user writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from ghbench.contrafeat.network.config import GIVEN, IN_SUBSPACE
from ghbench.contrafeat.subspace import principal_axes, sefa_axes
from ghbench.contrafeat.training.options import ContrafeatOptions
from ghbench.contrafeat.training.recipe import ContrafeatRecipe
from ghbench.contrafeat.training.sensors import sensor_of
from ghbench.errors import UsageError
from ghbench.generators.loading import generator_plugin, load_generator, spec_at_size
from ghbench.generators.pictures import in_rgb
from ghbench.generators.protocol import Generator
from ghbench.training.settings import parse_settings

SIZE = 64
USUAL: Mapping[str, dict[str, Any]] = {
    "prototype": {"batch": 16},
    "latentclr": {"batch": 4, "rate": 0.01, "scale": 0.5, "diversity": 0.0, "sensor": "pixels", "enlarged": 1},
    "recognition": {"batch": 8, "rate": 0.01, "scale": 0.5, "diversity": 0.0, "sensor": "pixels", "enlarged": 1},
}
"""What the author's runs use beside the defaults, by variant; but his batches of prototypes are 10."""


def contrafeat_recipe(
    generator: str,
    settings: Sequence[str] = (),
    *,
    size: int | None = None,
    variant: str = "binary",
    directions: int = 30,
    seed: int = 0,
) -> ContrafeatRecipe:
    """The recipe of a navigator.

    Args:
        generator: Spec string or path of a checkpoint.
        settings: `name=value` for fields of `ContrafeatOptions`.
        size: Side of the images, for generators of several sizes; None for 64 px where that is a choice, else its own.
        variant: `binary`, `prototype`, `latentclr` or `recognition`.
        directions: Number of directions.
        seed: Seed of the initial weights.

    Raises:
        UsageError: An unknown option, or one that does not fit.
        MissingError: A sensor's weights are not there.
    """
    given = parse_settings(ContrafeatOptions, settings, taken=("variant", "directions"))
    options = ContrafeatOptions(**{**USUAL.get(variant, {}), **given, "variant": variant, "directions": directions})
    name = spec_at_size(generator, size) if size else _small(generator)
    plugin = generator_plugin(name)
    network = in_rgb(load_generator(plugin))
    if network.w_mean.numel() < 2:
        raise UsageError(f"{name} has no latent space to navigate")
    sensor, digest = sensor_of(options.sensor, options.enlarged)
    return ContrafeatRecipe(network, plugin.spec(), name, sensor, digest, _axes(network, options), options, seed)


def _small(generator: str) -> str:
    """The generator at 64 px, where that is a choice: it moves as the large one does, at a fraction of the cost."""
    try:
        return spec_at_size(generator, SIZE)
    except UsageError:
        return generator


def _axes(generator: Generator, options: ContrafeatOptions) -> Tensor | None:
    if options.source == "sefa":
        return sefa_axes(generator)
    return principal_axes(generator).axes if options.source in {*IN_SUBSPACE, *GIVEN} else None
