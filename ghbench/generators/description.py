"""Description of a generator and its levels, as JSON values."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch

from ghbench.errors import UserError
from ghbench.generator import GeneratorPlugin
from ghbench.generators.protocol import Generator


def generator_description(plugin: GeneratorPlugin) -> dict[str, Any]:
    """Load a generator and describe it: the plugin's spec, the network's sizes, and one row a level.

    Raises:
        MissingError: The weights are not available.
    """
    about = asdict(plugin.spec())
    listed = about["training"].pop("image_digests")
    generator = plugin.load()
    about["training_images_listed"] = None if listed is None else len(listed)
    parameters = generator.parameters() if isinstance(generator, torch.nn.Module) else ()
    return {
        **about,
        "z": generator.z_dim,
        "w": generator.w_mean.numel(),
        "w_plus_rows": 1 + max(level.layer for level in generator.levels),
        "classes": getattr(generator, "labels", 0),
        "parameters": sum(parameter.numel() for parameter in parameters),
        "levels": level_rows(generator),
    }


@torch.no_grad()
def level_rows(generator: Generator) -> list[dict[str, Any]]:
    """One row a level: name, resolution, channels, widths of raw and canonical code, row of W+, number."""
    try:
        raw = generator.style_codes(generator.w_mean[None, None].expand(1, _rows(generator), -1), raw=True)
    except UserError:  # a generator without styles
        raw = {}
    return [
        {
            "level": level.name,
            "resolution": level.resolution,
            "channels": level.channels,
            "raw": raw[level.name].shape[-1] if level.name in raw else None,
            "canonical": level.code_width if raw else None,
            "w_plus_row": level.layer,
            "ghfeat": level.number,
        }
        for level in generator.levels
    ]


def _rows(generator: Generator) -> int:
    return 1 + max(level.layer for level in generator.levels)
