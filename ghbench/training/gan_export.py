"""Exports a trained StyleGAN: weights and card."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar, cast

from torch import nn

from ghbench.generators.native import Rebuildable, save_generator
from ghbench.generators.stylegan1 import StyleGAN1
from ghbench.generators.stylegan2 import StyleGAN2
from ghbench.training.card import Card
from ghbench.training.images import record_name

LICENCE = "Apache-2.0"
Network = TypeVar("Network", bound=nn.Module)


def export_gan(
    folder: Path,
    generator: nn.Module,
    discriminator: nn.Module,
    description: Mapping[str, Any],
    history: Mapping[str, Any],
) -> None:
    """Write `model.safetensors` and `card.md`.

    Args:
        folder: Where to write.
        generator: The averaged generator; its mean w is estimated here from 10,000 samples.
        discriminator: Its discriminator.
        description: Options and data, from the recipe.
        history: Images, steps, seed, hours, command, metrics and machine.
    """
    assert isinstance(generator, (StyleGAN1, StyleGAN2))
    generator.mapping_network.estimate_w_mean()
    if generator.colours == 1:
        generator, discriminator = in_colour(generator), in_colour(discriminator)
    data, start = description["data"], description.get("start")
    seen, taught = [record_name(data)], {}
    if start:
        # What taught the earlier weights has taught these too.
        seen = list(dict.fromkeys([*start["datasets"], *seen]))
        taught = {"start": start["name"], "networks": start["networks"]}
    # Our licence applies only where the licence of the training images permits it.
    permissive = data["dataset"] in {"fashion-mnist", "mnist-10k", "sprites"}
    licence = LICENCE if permissive else f"that of the training images: {data['licence']}"
    if start and start["licence"] != licence:
        licence = f"{licence}; started from weights under {start['licence']}"
    extra = {
        "training": {
            "datasets": seen, "split": data["split"], "content": data["content"],
            "images": history["images"], "seed": history["seed"],
            "supervision": start["supervision"] if start else "unsupervised", **taught,
        },
        "options": {name: value for name, value in description.items() if name not in {"data", "start"}},
    }  # fmt: skip
    save_generator(
        folder / "model.safetensors", generator,
        licence=licence, discriminator=discriminator, source=history["command"], extra=extra,
    )  # fmt: skip
    widths = {level.name: level.code_width for level in generator.levels}
    Card(
        title=f"{description['model']} of {description['size']} px, trained on {data['dataset']}",
        what=(
            f"Generator and discriminator at full resolution. Levels with the widths of their style codes: "
            f"{', '.join(f'{name} {width}' for name, width in widths.items())}. Use it with "
            f"`ghbench generate --generator model.safetensors`."
        ),
        data=f"{data['dataset']}, split {data['split']}: {data['images']:,} images (content {data['content'][:16]})",
        licence=licence,
        taught_by=f"started from {start['name']}" if start else "no other weights",
        options=extra["options"],
        history=history,
    ).write(folder / "card.md")


def in_colour(network: Network) -> Network:
    """Convert a grey generator or discriminator to three equal colour channels, with unchanged images and logits.

    Args:
        network: Rebuildable, with one colour channel.
    """
    arguments = cast("Rebuildable", network).configuration()
    coloured = type(network)(**{**arguments, "colours": 3})
    state = dict(network.state_dict())
    for name, wanted in coloured.state_dict().items():
        if state[name].shape != wanted.shape:
            axis = next(axis for axis, side in enumerate(wanted.shape) if side != state[name].shape[axis])
            state[name] = state[name].repeat_interleave(3, dim=axis)
            if axis == 1:
                # Three equal inputs add up, and the equalised learning rate divides by the root of their number.
                state[name] = state[name] / math.sqrt(3.0)
    coloured.load_state_dict(state)
    return coloured.eval()
