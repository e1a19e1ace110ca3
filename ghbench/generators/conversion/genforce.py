"""genforce/genforce: names of its StyleGAN1 and discriminator."""

from __future__ import annotations

from typing import cast

from ghbench.checkpoints import Checkpoint
from ghbench.errors import DataError
from ghbench.generators.conversion.filling import W_MEAN, array, count, fill
from ghbench.generators.conversion.layouts import BATCHED, IMAGE, SAME, Place
from ghbench.generators.stylegan1 import StyleGAN1
from ghbench.generators.stylegan1_discriminator import StyleGAN1Discriminator

_UNUSED = r".*blur\.kernel|synthesis\.lod"
# Entries of lower resolutions serve progressive growing.
_UNUSED_BY_DISCRIMINATOR = r".*blur\.kernel|lod|input[1-9]\d*\..*"
_MOST_BLOCKS = 11


def generator(checkpoint: Checkpoint, network: str, fused_from: int | None = None) -> StyleGAN1:
    """Build the generator.

    Args:
        checkpoint: Of the format `genforce`.
        network: `generator_smooth` or `generator`.
        fused_from: See `StyleGAN1`; not stated in the file, None for the program's default, 128.

    Raises:
        DataError: The arrays do not match this program's StyleGAN1.
    """
    tensors = checkpoint.network(network)
    if "synthesis.early_layer.const" in tensors:
        raise DataError("the file holds genforce's StyleGAN2", fix="load the official .pkl from which it was converted")
    blocks = _blocks(count(tensors, r"synthesis\.output\d+\.weight"))
    table = {4 * 2**step: array(tensors, f"synthesis.layer{2 * step}.bias", 1).size for step in range(blocks)}
    layers = count(tensors, r"mapping\.dense\d+\.weight")
    first = array(tensors, "mapping.dense0.weight", 2)
    arguments = {
        "channels": table,
        "z_dim": first.shape[1],
        "w_dim": array(tensors, "synthesis.layer0.style.weight", 2).shape[1],
        "mapping_layers": layers,
        "mapping_width": first.shape[0] if layers > 1 else None,
        "colours": array(tensors, f"synthesis.output{blocks - 1}.bias", 1).size,
        **({} if fused_from is None else {"fused_from": fused_from}),
    }
    return cast("StyleGAN1", fill(StyleGAN1, arguments, tensors, _generator_places(blocks, layers), _UNUSED))


def assumptions(checkpoint: Checkpoint, network: str, fused_from: int | None = None) -> list[str]:
    """What the file does not say, and what is assumed of it."""
    if fused_from is not None or "synthesis.early_layer.const" in checkpoint.network(network):
        return []
    line = (
        "the file does not say from which resolution it upsamples by transposed convolutions; 128 px is assumed, the "
        "program's default. If it was trained with fused_scale=True: ghbench convert --assume fused_from=8"
    )
    return [line]


def discriminator(checkpoint: Checkpoint, network: str) -> StyleGAN1Discriminator:
    """Build the discriminator, at full resolution; see `generator`."""
    tensors = checkpoint.network(network)
    blocks = _blocks(count(tensors, r"input\d+\.weight"))
    side = 4 * 2 ** (blocks - 1)
    entry = array(tensors, "input0.weight", 4)
    table = {side: entry.shape[0]}
    for step in range(blocks - 1):
        table[side // 2 ** (step + 1)] = array(tensors, f"layer{2 * step + 1}.bias", 1).size
    arguments = {"channels": table, "colours": entry.shape[1]}
    places = _discriminator_places(side, blocks)
    built = fill(StyleGAN1Discriminator, arguments, tensors, places, _UNUSED_BY_DISCRIMINATOR)
    return cast("StyleGAN1Discriminator", built)


def _blocks(found: int) -> int:
    if not 1 <= found <= _MOST_BLOCKS:
        raise DataError(f"the network has {found} resolutions; expected genforce's StyleGAN1")
    return found


def _generator_places(blocks: int, layers: int) -> dict[str, Place]:
    places = {"const": Place("synthesis.layer0.const", BATCHED), W_MEAN: Place("truncation.w_avg", SAME)}
    for part in ("weight", "bias"):
        for number in range(layers):
            places[f"mapping_network.layers.{number}.{part}"] = Place(f"mapping.dense{number}.{part}", SAME)
        for step in range(blocks):
            places[f"blocks.r{4 * 2**step}.rgb.{part}"] = Place(f"synthesis.output{step}.{part}", SAME)
    for number in range(2 * blocks):
        layer = "conv" if number % 2 else "up" if number else "const"
        here, there = f"blocks.r{4 * 2 ** (number // 2)}.{layer}", f"synthesis.layer{number}"
        for part in ("weight", "bias", "style.weight", "style.bias"):
            places[f"{here}.{part}"] = Place(f"{there}.{part}", SAME)
        places[f"{here}.noise.strength"] = Place(f"{there}.apply_noise.weight", SAME)
        places[f"{here}.noise.const"] = Place(f"{there}.apply_noise.noise", IMAGE)
    return places


def _discriminator_places(side: int, blocks: int) -> dict[str, Place]:
    names = {"from_rgb": "input0"}
    for number in range(2 * (blocks - 1)):
        names[f"blocks.r{side // 2 ** (number // 2)}.{('conv', 'down')[number % 2]}"] = f"layer{number}"
    last = 2 * (blocks - 1)
    names |= {"final_conv": f"layer{last}", "hidden": f"layer{last + 1}", "logit": f"layer{last + 2}"}
    return {
        f"{ours}.{part}": Place(f"{theirs}.{part}", SAME)
        for ours, theirs in names.items()
        for part in ("weight", "bias")
    }
