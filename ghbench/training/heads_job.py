"""A recipe for heads from command-line options."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ghbench import assets
from ghbench.checkpoints import openvino_ir
from ghbench.errors import UsageError
from ghbench.generators.mobile_weights import ASSET, HEAD_SIZES, build_mobile_stylegan
from ghbench.training.heads import HeadOptions, HeadRecipe
from ghbench.training.settings import parse_settings


def heads_recipe(
    generator: str,
    images: int,
    folder: Path,
    settings: Sequence[str] = (),
) -> HeadRecipe:
    """A recipe for heads, ready to train.

    Args:
        generator: Name of the generator.
        images: Images of the run.
        folder: Folder for renders and samples.
        settings: `name=value` for fields of `HeadOptions`.

    Raises:
        UsageError: The generator is another one, or an option is unknown.
        MissingError: The generator's weights are not available.
    """
    if generator != ASSET:
        raise UsageError(f"ghbench trains no heads for {generator!r}", fix=f"--generator {ASSET}")
    options = HeadOptions(**{**parse_settings(HeadOptions, settings, taken=("images",)), "images": images})
    mapping = openvino_ir.read(assets.path(ASSET, "MappingNetwork.xml")).tensors
    synthesis = openvino_ir.read(assets.path(ASSET, "SynthesisNetwork.xml")).tensors
    short = build_mobile_stylegan(mapping, synthesis, max(HEAD_SIZES))
    return HeadRecipe(build_mobile_stylegan(mapping, synthesis), short, folder, options)
