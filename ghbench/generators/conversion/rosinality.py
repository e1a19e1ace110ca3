"""rosinality/stylegan2-pytorch, whose generator is also the decoder of pSp and e4e: names and sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from numpy.typing import NDArray

from ghbench.checkpoints import Checkpoint
from ghbench.errors import DataError
from ghbench.generators.conversion.filling import W_MEAN, Arrays, array, check_filter, count, fill
from ghbench.generators.conversion.layouts import BATCHED, IMAGE, MAP, SAME, Place
from ghbench.generators.layers import channel_table
from ghbench.generators.stylegan2 import StyleGAN2
from ghbench.generators.stylegan2_discriminator import StyleGAN2Discriminator

_FILTERS = r".*\.kernel"
_MOST_BLOCKS = 11


def generator(checkpoint: Checkpoint, network: str, z_dim: int | None = None) -> StyleGAN2:
    """Build the generator.

    Args:
        checkpoint: Of the format `rosinality` or `psp`.
        network: `g_ema` or `decoder`.
        z_dim: Dimensions of z, where the first layer of the mapping network is wider than w.

    Returns:
        The generator. Without `latent_avg` in the file, the mean of w is that of 10,000 seeded samples; without stored
        noise, the noise is seeded.

    Raises:
        DataError: The arrays do not match this program's generator, or it takes a class whose embedding is not there.
    """
    tensors: dict[str, NDArray[Any]] = dict(checkpoint.network(network))
    check_filter(tensors, _FILTERS)
    table = {4: array(tensors, "conv1.activate.bias", 1).size}
    for step in range(_blocks(tensors, r"convs\.\d+\.conv\.weight", 2)):
        table[8 * 2**step] = array(tensors, f"convs.{2 * step + 1}.activate.bias", 1).size
    layers = count(tensors, r"style\.\d+\.weight")
    first = array(tensors, "style.1.weight", 2).shape[1]
    width = array(tensors, "conv1.conv.modulation.weight", 2).shape[1]
    if first > width and z_dim != first:
        raise DataError(
            f"{network} is class-conditional, but the file has no embedding of its classes: the mapping network takes "
            f"{first} numbers, {width} more than z (or the file is of a program with a larger z)",
            fix=f"load the .pkl from which it was exported; if its z has {first} numbers: "
            f"ghbench convert --assume z_dim={first}",
        )
    arguments = {
        "channels": table,
        "z_dim": first,
        "w_dim": width,
        "mapping_layers": layers,
        "colours": array(tensors, "to_rgb1.bias", 4).size,
    }
    places = _generator_places(channel_table(table), layers)
    if count(tensors, r"noises\..*") == 0:
        # Older files have no noise.
        places = {ours: place for ours, place in places.items() if not place.name.startswith("noises.")}
    mean = checkpoint.tensors.get("latent_avg")
    if mean is None:
        del places[W_MEAN]
    else:
        # pSp repeats it for each row of W+.
        tensors["latent_avg"] = mean.reshape(-1, mean.shape[-1])[0] if mean.ndim else mean
    built = cast("StyleGAN2", fill(StyleGAN2, arguments, tensors, places, _FILTERS))
    if mean is None:
        built.mapping_network.estimate_w_mean()
    return built


def assumptions(checkpoint: Checkpoint, network: str) -> list[str]:
    """What the file does not say, and what is assumed of it."""
    if count(checkpoint.network(network), r"noises\..*"):
        return []
    return ["the file has no noise maps: the noise is drawn from a seed"]


def discriminator(checkpoint: Checkpoint, network: str) -> StyleGAN2Discriminator:
    """Build the discriminator; see `generator`."""
    tensors = checkpoint.network(network)
    check_filter(tensors, _FILTERS)
    entry = array(tensors, "convs.0.0.weight", 4)
    halvings = _blocks(tensors, r"convs\.\d+\.conv2\.1\.weight", 1)
    side = 4 * 2**halvings
    table = {side: entry.shape[0]}
    for step in range(halvings):
        table[side // 2 ** (step + 1)] = array(tensors, f"convs.{step + 1}.conv2.2.bias", 1).size
    arguments = {"channels": table, "colours": entry.shape[1]}
    places = _discriminator_places(side, halvings)
    return cast("StyleGAN2Discriminator", fill(StyleGAN2Discriminator, arguments, tensors, places, _FILTERS))


def _blocks(tensors: Arrays, pattern: str, each: int) -> int:
    blocks = count(tensors, pattern) // each
    if blocks > _MOST_BLOCKS - 1:
        raise DataError(f"the network has {blocks} resolutions above 4 px, expected at most {_MOST_BLOCKS - 1}")
    return blocks


def _generator_places(table: Mapping[int, int], layers: int) -> dict[str, Place]:
    places = {"const": Place("input.input", BATCHED), W_MEAN: Place("latent_avg", SAME)}
    for number in range(layers):
        for part in ("weight", "bias"):
            places[f"mapping_network.layers.{number}.{part}"] = Place(f"style.{number + 1}.{part}", SAME)
    for step, side in enumerate(table):
        convolutions = (
            {"conv": "conv1"} if not step else {"up": f"convs.{2 * step - 2}", "conv": f"convs.{2 * step - 1}"}
        )
        for part, there in convolutions.items():
            here = f"blocks.r{side}.{part}"
            places |= _modulation_places(here, there)
            places[f"{here}.bias"] = Place(f"{there}.activate.bias", SAME)
            places[f"{here}.noise.strength"] = Place(f"{there}.noise.weight", SAME)
            noise = 2 * step - (part == "up")
            places[f"{here}.noise.const"] = Place(f"noises.noise_{noise}", IMAGE)
        there = f"to_rgbs.{step - 1}" if step else "to_rgb1"
        places |= _modulation_places(f"blocks.r{side}.rgb", there)
        places[f"blocks.r{side}.rgb.bias"] = Place(f"{there}.bias", MAP)
    return places


def _modulation_places(here: str, there: str) -> dict[str, Place]:
    return {
        f"{here}.weight": Place(f"{there}.conv.weight", BATCHED),
        f"{here}.style.weight": Place(f"{there}.conv.modulation.weight", SAME),
        f"{here}.style.bias": Place(f"{there}.conv.modulation.bias", SAME),
    }


def _discriminator_places(side: int, halvings: int) -> dict[str, Place]:
    pairs = {
        f"from_rgb.r{side}.weight": "convs.0.0.weight", f"from_rgb.r{side}.bias": "convs.0.1.bias",
        "final_conv.weight": "final_conv.0.weight", "final_conv.bias": "final_conv.1.bias",
        "hidden.weight": "final_linear.0.weight", "hidden.bias": "final_linear.0.bias",
        "logit.weight": "final_linear.1.weight", "logit.bias": "final_linear.1.bias",
    }  # fmt: skip
    for step in range(halvings):
        here, there = f"blocks.r{side // 2**step}", f"convs.{step + 1}"
        pairs |= {
            f"{here}.conv.weight": f"{there}.conv1.0.weight", f"{here}.conv.bias": f"{there}.conv1.1.bias",
            f"{here}.down.weight": f"{there}.conv2.1.weight", f"{here}.down.bias": f"{there}.conv2.2.bias",
            f"{here}.skip.weight": f"{there}.skip.1.weight",
        }  # fmt: skip
    return {ours: Place(theirs, SAME) for ours, theirs in pairs.items()}
