"""NVlabs/stylegan2-ada-pytorch: names and settings of its generator and discriminator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from ghbench.checkpoints import Checkpoint
from ghbench.errors import DataError
from ghbench.generators.conversion.filling import W_MEAN, Arrays, array, channels, check_filter, count, fill
from ghbench.generators.conversion.layouts import NUMBER, SAME, Place
from ghbench.generators.conversion.settings import MAPPING_RATE, read_settings
from ghbench.generators.native import LARGEST
from ghbench.generators.stylegan2 import StyleGAN2
from ghbench.generators.stylegan2_discriminator import StyleGAN2Discriminator

_FILTERS = r".*resample_filter"
_PARTS = {"up": "conv0", "conv": "conv1", "rgb": "torgb", "skip": "skip"}


def generator(checkpoint: Checkpoint, network: str) -> StyleGAN2:
    """Build the generator.

    Args:
        checkpoint: Of the format `stylegan2-ada`.
        network: `G_ema`.

    Raises:
        DataError: The arrays do not match a StyleGAN2.
    """
    tensors = checkpoint.network(network)
    if any(name.startswith("synthesis.input.") for name in tensors):
        raise DataError(
            "the file holds a StyleGAN3, which ghbench does not support", fix="use a StyleGAN1 or StyleGAN2"
        )
    check_filter(tensors, _FILTERS)
    table = channels(tensors, r"synthesis\.b(\d{1,5})\.conv1\.bias")
    layers = count(tensors, r"mapping\.fc\d+\.weight")
    embedded, labels = array(tensors, "mapping.embed.weight", 2).shape if "mapping.embed.weight" in tensors else (0, 0)
    residual = count(tensors, r".*\.skip\.weight") > 0
    if not residual and count(tensors, r".*\.torgb\.weight") < len(table):
        raise DataError(f"{network}: architecture='orig' is not supported; expected one of skip, resnet")
    settings = read_settings(checkpoint, network, ("skip", "resnet"))
    arguments = {
        "channels": table,
        "z_dim": array(tensors, "mapping.fc0.weight", 2).shape[1] - embedded,
        "w_dim": array(tensors, "synthesis.b4.conv1.affine.weight", 2).shape[1],
        "mapping_layers": layers,
        "labels": labels,
        "architecture": "residual" if residual else "skip",
        "conv_clamp": settings.clamp,
        "mapping_rate": settings.mapping_rate,
        "colours": array(tensors, f"synthesis.b{max(table)}.torgb.bias", 1).size,
    }
    places = _generator_places(table, layers, labels=bool(labels))
    return cast("StyleGAN2", fill(StyleGAN2, arguments, tensors, places, _FILTERS))


def discriminator(checkpoint: Checkpoint, network: str) -> StyleGAN2Discriminator:
    """Build the discriminator; see `generator`."""
    tensors = checkpoint.network(network)
    check_filter(tensors, _FILTERS)
    table = channels({**tensors, "b4.width": array(tensors, "b4.conv.bias", 1)}, r"b(\d{1,5})\.(?:conv0\.bias|width)")
    settings = read_settings(checkpoint, network, ("resnet", "skip", "orig"))
    if settings.mapping_rate != MAPPING_RATE:
        raise DataError(f"{network}: lr_multiplier={settings.mapping_rate} is not supported for discriminators")
    last = _settings(checkpoint, network).get("epilogue_kwargs")
    group = last.get("mbstd_group_size", 4) if isinstance(last, dict) else 4
    labels = array(tensors, "mapping.embed.weight", 2).shape[1] if "mapping.embed.weight" in tensors else 0
    layers = count(tensors, r"mapping\.fc\d+\.weight")
    arguments = {
        "channels": table,
        "labels": labels,
        "label_layers": layers or 8,
        "architecture": _discriminator_architecture(tensors),
        "conv_clamp": settings.clamp,
        "colours": array(tensors, f"b{max(table)}.fromrgb.weight", 4).shape[1],
        # None: all images of a batch are one group.
        "group": group if isinstance(group, int) else LARGEST,
    }
    places = _discriminator_places(table, layers)
    return cast("StyleGAN2Discriminator", fill(StyleGAN2Discriminator, arguments, tensors, places, _FILTERS))


def _generator_places(table: Mapping[int, int], layers: int, *, labels: bool) -> dict[str, Place]:
    places = {"const": Place("synthesis.b4.const", SAME), W_MEAN: Place("mapping.w_avg", SAME)}
    places |= _mapping("mapping_network", layers, labels=labels)
    for side in table:
        for ours, theirs in _PARTS.items():
            here, there = f"blocks.r{side}.{ours}", f"synthesis.b{side}.{theirs}"
            for part, foreign in {
                "weight": "weight", "bias": "bias", "style.weight": "affine.weight", "style.bias": "affine.bias",
                "noise.const": "noise_const",
            }.items():  # fmt: skip
                places[f"{here}.{part}"] = Place(f"{there}.{foreign}", SAME)
            places[f"{here}.noise.strength"] = Place(f"{there}.noise_strength", NUMBER)
    return places


def _discriminator_places(table: Mapping[int, int], layers: int) -> dict[str, Place]:
    names = _mapping("label_mapping", layers, labels=True)
    blocks = {"conv": "conv0", "down": "conv1", "skip": "skip"}
    for part in ("weight", "bias"):
        for side in table:
            names[f"from_rgb.r{side}.{part}"] = Place(f"b{side}.fromrgb.{part}", SAME)
            for ours, theirs in blocks.items():
                names[f"blocks.r{side}.{ours}.{part}"] = Place(f"b{side}.{theirs}.{part}", SAME)
        for ours, theirs in {"final_conv": "b4.conv", "hidden": "b4.fc", "logit": "b4.out"}.items():
            names[f"{ours}.{part}"] = Place(f"{theirs}.{part}", SAME)
    return names


def _mapping(ours: str, layers: int, *, labels: bool) -> dict[str, Place]:
    numbered = {f"layers.{number}": f"fc{number}" for number in range(layers)}
    pairs = numbered | ({"embed": "embed"} if labels else {})
    return {
        f"{ours}.{here}.{part}": Place(f"mapping.{there}.{part}", SAME)
        for here, there in pairs.items()
        for part in ("weight", "bias")
    }


def _settings(checkpoint: Checkpoint, network: str) -> dict[str, Any]:
    """The network's keyword arguments; empty if not in the file."""
    described = checkpoint.config.get(network)
    settings = described.get("init_kwargs") if isinstance(described, dict) else None
    return settings if isinstance(settings, dict) else {}


def _discriminator_architecture(tensors: Arrays) -> str:
    if count(tensors, r".*\.skip\.weight"):
        return "residual"
    return "skip" if count(tensors, r".*\.fromrgb\.weight") > 1 else "plain"
