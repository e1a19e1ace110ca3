"""From what a user writes to heads in training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ghbench import assets
from ghbench.checkpoints import openvino_ir
from ghbench.errors import UsageError
from ghbench.generators.mobile_weights import ASSET, HEAD_SIZES, built
from ghbench.training.heads import HeadOptions, HeadRecipe
from ghbench.training.settings import parse_settings


def heads_recipe(
    generator: str,
    images: int,
    folder: Path,
    settings: Sequence[str] = (),
) -> HeadRecipe:
    """Heads ready to be fitted.

    Args:
        generator: Name of the generator.
        images: Pictures shown in the run.
        folder: Where renders and samples are kept.
        settings: `name=value` for fields of `HeadOptions`.

    Raises:
        UsageError: Another generator, or an option that is not known.
        MissingError: The generator's weights cannot be had.
    """
    if generator != ASSET:
        raise UsageError(f"{generator!r} needs no heads of ours", fix=f"--generator {ASSET}")
    options = HeadOptions(**{**parse_settings(HeadOptions, settings, taken=("images",)), "images": images})
    mapping = openvino_ir.read(assets.path(ASSET, "MappingNetwork.xml")).tensors
    synthesis = openvino_ir.read(assets.path(ASSET, "SynthesisNetwork.xml")).tensors
    short = built(mapping, synthesis, max(HEAD_SIZES))
    return HeadRecipe(built(mapping, synthesis), short, folder, options)
