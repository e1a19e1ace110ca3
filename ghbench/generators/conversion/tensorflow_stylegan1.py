"""TensorFlow pickles of StyleGAN1, including the official GH-Feat: NVlabs/stylegan's variable names."""

from __future__ import annotations

from typing import cast

from ghbench.checkpoints import Checkpoint
from ghbench.errors import DataError
from ghbench.generators.conversion.filling import W_MEAN, array, channels, count, fill
from ghbench.generators.conversion.layouts import BATCHED, DENSE, IMAGE, KERNEL, SAME, Place
from ghbench.generators.conversion.settings import read_settings
from ghbench.generators.stylegan1 import StyleGAN1
from ghbench.generators.stylegan1_discriminator import StyleGAN1Discriminator

_UNUSED = r"(synthesis/)?lod"
_UNUSED_BY_DISCRIMINATOR = r"lod|FromRGB_lod[1-9]\d*/.*"
_ALWAYS, _NEVER = 8, 4096


def generator(checkpoint: Checkpoint, network: str) -> StyleGAN1:
    """Build the generator.

    Args:
        checkpoint: Of the format `tensorflow-stylegan1` or `tensorflow-ghfeat`.
        network: `Gs`, the average, or `G`.

    Raises:
        DataError: The variables do not match a StyleGAN1.
    """
    tensors = checkpoint.network(network)
    table = channels(tensors, r"synthesis/(\d{1,5})x\1/Conv1?/bias")
    layers = count(tensors, r"mapping/Dense\d+/weight")
    first = array(tensors, "mapping/Dense0/weight", 2)
    if count(tensors, r".*/StyleMod/weight") == 0:
        raise DataError(
            f"{network} takes styles instead of w, so it has no W+", fix="choose another network: --network Gs"
        )
    arguments = {
        "channels": table,
        "z_dim": first.shape[0],
        "w_dim": array(tensors, "synthesis/4x4/Conv/StyleMod/weight", 2).shape[0],
        "mapping_layers": layers,
        "mapping_width": first.shape[1] if layers > 1 else None,
        "fused_from": _fused_from(checkpoint, network),
        "mapping_rate": read_settings(checkpoint, network, ()).mapping_rate,
        "colours": array(tensors, "synthesis/ToRGB_lod0/bias", 1).size,
    }
    return cast("StyleGAN1", fill(StyleGAN1, arguments, tensors, _generator_places(list(table), layers), _UNUSED))


def discriminator(checkpoint: Checkpoint, network: str) -> StyleGAN1Discriminator:
    """Build the discriminator, at full resolution; see `generator`."""
    tensors = checkpoint.network(network)
    read_settings(checkpoint, network, ())
    widths = {**tensors, "4x4/Conv0/bias": array(tensors, "4x4/Conv/bias", 1)}
    table = channels(widths, r"(\d{1,5})x\1/Conv0/bias")
    arguments = {"channels": table, "colours": array(tensors, "FromRGB_lod0/weight", 4).shape[2]}
    places = _discriminator_places(list(table))
    built = fill(StyleGAN1Discriminator, arguments, tensors, places, _UNUSED_BY_DISCRIMINATOR)
    return cast("StyleGAN1Discriminator", built)


def _fused_from(checkpoint: Checkpoint, network: str) -> int:
    """Lowest resolution with kernels for transposed convolutions; `auto`, the default, is 128."""
    described = checkpoint.config.get(network)
    settings = described.get("static_kwargs") if isinstance(described, dict) else None
    fused = settings.get("fused_scale", "auto") if isinstance(settings, dict) else "auto"
    return {True: _ALWAYS, False: _NEVER}.get(fused, 128) if isinstance(fused, bool) else 128


def _generator_places(sides: list[int], layers: int) -> dict[str, Place]:
    places = {"const": Place("synthesis/4x4/Const/const", BATCHED), W_MEAN: Place("dlatent_avg", SAME)}
    for number in range(layers):
        places[f"mapping_network.layers.{number}.weight"] = Place(f"mapping/Dense{number}/weight", DENSE)
        places[f"mapping_network.layers.{number}.bias"] = Place(f"mapping/Dense{number}/bias", SAME)
    for step, side in enumerate(sides):
        names = {"const": "Const", "conv": "Conv"} if side == 4 else {"up": "Conv0_up", "conv": "Conv1"}
        for part, theirs in names.items():
            here, there = f"blocks.r{side}.{part}", f"synthesis/{side}x{side}/{theirs}"
            places |= {
                f"{here}.weight": Place(f"{there}/weight", KERNEL),
                f"{here}.bias": Place(f"{there}/bias", SAME),
                f"{here}.style.weight": Place(f"{there}/StyleMod/weight", DENSE),
                f"{here}.style.bias": Place(f"{there}/StyleMod/bias", SAME),
                f"{here}.noise.strength": Place(f"{there}/Noise/weight", SAME),
                f"{here}.noise.const": Place(f"synthesis/noise{2 * step + (part == 'conv')}", IMAGE),
            }
        there = f"synthesis/ToRGB_lod{len(sides) - 1 - step}"
        places[f"blocks.r{side}.rgb.weight"] = Place(f"{there}/weight", KERNEL)
        places[f"blocks.r{side}.rgb.bias"] = Place(f"{there}/bias", SAME)
    return places


def _discriminator_places(sides: list[int]) -> dict[str, Place]:
    names = {"from_rgb": ("FromRGB_lod0", KERNEL), "final_conv": ("4x4/Conv", KERNEL)}
    names |= {"hidden": ("4x4/Dense0", DENSE), "logit": ("4x4/Dense1", DENSE)}
    for side in sides:
        names[f"blocks.r{side}.conv"] = (f"{side}x{side}/Conv0", KERNEL)
        names[f"blocks.r{side}.down"] = (f"{side}x{side}/Conv1_down", KERNEL)
    weights = {f"{ours}.weight": Place(f"{theirs}/weight", layout) for ours, (theirs, layout) in names.items()}
    return weights | {f"{ours}.bias": Place(f"{theirs}/bias", SAME) for ours, (theirs, _) in names.items()}
