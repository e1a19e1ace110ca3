"""TensorFlow pickles of StyleGAN2 and StyleGAN2-ADA: NVlabs/stylegan2's variable names."""

from __future__ import annotations

from typing import cast

from ghbench.checkpoints import Checkpoint
from ghbench.errors import DataError
from ghbench.generators.conversion.filling import W_MEAN, Arrays, array, channels, count, fill
from ghbench.generators.conversion.layouts import BATCHED, DENSE, IMAGE, KERNEL, LESS_ONE, NUMBER, SAME, TURNED, Place
from ghbench.generators.conversion.settings import read_settings
from ghbench.generators.stylegan2 import StyleGAN2
from ghbench.generators.stylegan2_discriminator import StyleGAN2Discriminator

_UNUSED = r"(synthesis/)?lod"


def generator(checkpoint: Checkpoint, network: str) -> StyleGAN2:
    """Build the generator.

    Args:
        checkpoint: Of the format `tensorflow-stylegan2`.
        network: `Gs`, the average, or `G`.

    Raises:
        DataError: The variables do not match a StyleGAN2, or it is conditional as in the first StyleGAN2.
    """
    tensors = checkpoint.network(network)
    if "mapping/LabelConcat/weight" in tensors:
        raise DataError(
            "the network concatenates labels and z before normalising; only StyleGAN2-ADA's labels are supported"
        )
    residual = count(tensors, r".*/Skip/weight") > 0
    table = channels(tensors, r"synthesis/(\d{1,5})x\1/Conv1?/bias")
    layers = count(tensors, r"mapping/Dense\d+/weight")
    labels, embedded = (
        array(tensors, "mapping/LabelEmbed/weight", 2).shape if "mapping/LabelEmbed/weight" in tensors else (0, 0)
    )
    if not residual and count(tensors, r".*/ToRGB/weight") < len(table):
        raise DataError(f"{network}: architecture='orig' is not supported; expected one of skip, resnet")
    settings = read_settings(checkpoint, network, ("skip", "resnet"))
    arguments = {
        "channels": table,
        "z_dim": array(tensors, "mapping/Dense0/weight", 2).shape[0] - embedded,
        "w_dim": array(tensors, "synthesis/4x4/Conv/mod_weight", 2).shape[0],
        "mapping_layers": layers,
        "labels": labels,
        "architecture": "residual" if residual else "skip",
        "conv_clamp": settings.clamp,
        "mapping_rate": settings.mapping_rate,
        "colours": array(tensors, f"synthesis/{max(table)}x{max(table)}/ToRGB/bias", 1).size,
    }
    places = _generator_places(list(table), layers)
    if labels:
        places["mapping_network.embed.weight"] = Place("mapping/LabelEmbed/weight", DENSE)
        places["mapping_network.embed.bias"] = Place("mapping/LabelEmbed/bias", SAME)
    return cast("StyleGAN2", fill(StyleGAN2, arguments, tensors, places, _UNUSED))


def discriminator(checkpoint: Checkpoint, network: str) -> StyleGAN2Discriminator:
    """Build the discriminator; see `generator`. Conditional ones are not supported."""
    tensors = checkpoint.network(network)
    settings = read_settings(checkpoint, network, ("resnet", "skip", "orig"))
    widths = {**tensors, "4x4/Conv0/bias": array(tensors, "4x4/Conv/bias", 1)}
    table = channels(widths, r"(\d{1,5})x\1/Conv0/bias")
    side = max(table)
    arguments = {
        "channels": table,
        "architecture": _discriminator_architecture(tensors),
        "conv_clamp": settings.clamp,
        "colours": array(tensors, f"{side}x{side}/FromRGB/weight", 4).shape[2],
    }
    places = _discriminator_places(list(table))
    return cast("StyleGAN2Discriminator", fill(StyleGAN2Discriminator, arguments, tensors, places, _UNUSED))


def _generator_places(sides: list[int], layers: int) -> dict[str, Place]:
    places = {"const": Place("synthesis/4x4/Const/const", BATCHED), W_MEAN: Place("dlatent_avg", SAME)}
    for number in range(layers):
        places[f"mapping_network.layers.{number}.weight"] = Place(f"mapping/Dense{number}/weight", DENSE)
        places[f"mapping_network.layers.{number}.bias"] = Place(f"mapping/Dense{number}/bias", SAME)
    for step, side in enumerate(sides):
        here, there = f"blocks.r{side}", f"synthesis/{side}x{side}"
        names = {"conv": "Conv"} if side == 4 else {"up": "Conv0_up", "conv": "Conv1"}
        for part, theirs in {**names, "rgb": "ToRGB"}.items():
            places |= {
                f"{here}.{part}.weight": Place(f"{there}/{theirs}/weight", TURNED if part == "up" else KERNEL),
                f"{here}.{part}.bias": Place(f"{there}/{theirs}/bias", SAME),
                f"{here}.{part}.style.weight": Place(f"{there}/{theirs}/mod_weight", DENSE),
                f"{here}.{part}.style.bias": Place(f"{there}/{theirs}/mod_bias", LESS_ONE),
                f"{here}.{part}.noise.strength": Place(f"{there}/{theirs}/noise_strength", NUMBER),
                f"{here}.{part}.noise.const": Place(f"synthesis/noise{2 * step - (part == 'up')}", IMAGE),
            }
        places[f"{here}.skip.weight"] = Place(f"{there}/Skip/weight", TURNED)
    return places


def _discriminator_places(sides: list[int]) -> dict[str, Place]:
    names = {"final_conv": ("4x4/Conv", KERNEL), "hidden": ("4x4/Dense0", DENSE), "logit": ("Output", DENSE)}
    for side in sides:
        names[f"from_rgb.r{side}"] = (f"{side}x{side}/FromRGB", KERNEL)
        names[f"blocks.r{side}.conv"] = (f"{side}x{side}/Conv0", KERNEL)
        names[f"blocks.r{side}.down"] = (f"{side}x{side}/Conv1_down", KERNEL)
        names[f"blocks.r{side}.skip"] = (f"{side}x{side}/Skip", KERNEL)
    weights = {f"{ours}.weight": Place(f"{theirs}/weight", layout) for ours, (theirs, layout) in names.items()}
    return weights | {f"{ours}.bias": Place(f"{theirs}/bias", SAME) for ours, (theirs, _) in names.items()}


def _discriminator_architecture(tensors: Arrays) -> str:
    if count(tensors, r".*/Skip/weight"):
        return "residual"
    return "skip" if count(tensors, r".*/FromRGB/weight") > 1 else "plain"
