"""Builds our networks from a checkpoint of any known format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from torch import nn

from ghbench.checkpoints import Checkpoint
from ghbench.errors import DataError, UsageError
from ghbench.generators import native
from ghbench.generators.conversion import (
    genforce,
    rosinality,
    stylegan2_ada,
    tensorflow_stylegan1,
    tensorflow_stylegan2,
)
from ghbench.generators.protocol import Generator


@dataclass(frozen=True, slots=True)
class Format:
    """What files of a format hold.

    Args:
        module: Module with `generator(checkpoint, network)` and `discriminator(checkpoint, network)`.
        generators: Names of generators, the best first: averages make better images.
        discriminators: Names of discriminators.
        licence: What is known about the licence; no such file states it.
        assumable: Settings that its files do not state, and that users may.
    """

    module: Any
    generators: tuple[str, ...]
    discriminators: tuple[str, ...]
    licence: str
    assumable: tuple[str, ...] = ()


_NVIDIA = (
    "not stated in the file; NVIDIA's own StyleGAN2 checkpoints are under the NVIDIA Source Code License "
    "(non-commercial), others under their authors' terms"
)
_KARRAS = (
    "not stated in the file; NVIDIA's own StyleGAN checkpoints are CC BY-NC 4.0, others under their authors' terms"
)
_AUTHORS = "not stated in the file; what was trained on or converted from NVIDIA's weights stays under NVIDIA's terms"

FORMATS = {
    "stylegan2-ada": Format(stylegan2_ada, ("G_ema",), ("D",), _NVIDIA),
    "rosinality": Format(rosinality, ("g_ema",), ("d",), _AUTHORS, ("z_dim",)),
    "psp": Format(rosinality, ("decoder",), (), _AUTHORS, ("z_dim",)),
    "genforce": Format(genforce, ("generator_smooth", "generator"), ("discriminator",), _AUTHORS, ("fused_from",)),
    "tensorflow-stylegan1": Format(tensorflow_stylegan1, ("Gs", "G"), ("D",), _KARRAS),
    "tensorflow-ghfeat": Format(tensorflow_stylegan1, ("Gs", "G"), ("D",), _KARRAS),
    "tensorflow-stylegan2": Format(tensorflow_stylegan2, ("Gs", "G"), ("D",), _NVIDIA),
}


def generator_name(checkpoint: Checkpoint, network: str | None = None) -> str:
    """Name of the network to use as the generator.

    Args:
        checkpoint: From `ghbench.checkpoints.read`.
        network: The user's choice, None for the best.

    Raises:
        UsageError: The choice is not a generator in this file.
        DataError: The file has no generator.
    """
    known = generator_names(checkpoint)
    if network is not None and network not in known:
        there = ", ".join(known) or "none"
        raise UsageError(f"the file has no generator {network!r}", fix=f"choose one of: {there}")
    if not known:
        there = ", ".join(checkpoint.networks) or "none"
        raise DataError(f"the {checkpoint.format} file has no generator; networks in it: {there}")
    return network or known[0]


def generator_names(checkpoint: Checkpoint) -> list[str]:
    """Names of the generators in a checkpoint, the best first."""
    if checkpoint.format == native.FORMAT:
        return [part for part in (native.GENERATOR,) if part in _parts(checkpoint)]
    form = FORMATS.get(checkpoint.format)
    return [name for name in form.generators if name in checkpoint.networks] if form else []


def discriminator_names(checkpoint: Checkpoint) -> list[str]:
    """Names of the discriminators in a checkpoint."""
    if checkpoint.format == native.FORMAT:
        return [part for part in (native.DISCRIMINATOR,) if part in _parts(checkpoint)]
    form = FORMATS.get(checkpoint.format)
    return [name for name in form.discriminators if name in checkpoint.networks] if form else []


def build_generator(
    checkpoint: Checkpoint, network: str | None = None, assume: Mapping[str, int] | None = None
) -> Generator:
    """The generator of a checkpoint, with its weights.

    Args:
        checkpoint: From `ghbench.checkpoints.read`.
        network: Its name, None for the best.
        assume: Settings that the file does not state.

    Returns:
        Frozen, on the CPU, in evaluation mode, in float32.

    Raises:
        UsageError: There is no generator of this name, or nothing of that kind to assume.
        DataError: There is no generator, or its arrays do not match; the message lists them.
    """
    name = generator_name(checkpoint, network)
    known = FORMATS[checkpoint.format].assumable if checkpoint.format in FORMATS else ()
    if unknown := sorted(set(assume or {}) - set(known)):
        raise UsageError(
            f"nothing to assume about {unknown[0]}: a {checkpoint.format} file states it, or has none",
            fix=f"--assume {known[0]}=NUMBER" if known else "leave --assume out",
        )
    if checkpoint.format == native.FORMAT:
        return cast("Generator", native.rebuild(checkpoint, name))
    return cast("Generator", FORMATS[checkpoint.format].module.generator(checkpoint, name, **(assume or {})))


def assumptions(
    checkpoint: Checkpoint, network: str | None = None, assume: Mapping[str, int] | None = None
) -> tuple[str, ...]:
    """What a file does not say about its generator and was assumed, a sentence each."""
    form = FORMATS.get(checkpoint.format)
    if form is None or not hasattr(form.module, "assumptions"):
        return ()
    given = {key: value for key, value in (assume or {}).items() if form.module is genforce}
    return tuple(form.module.assumptions(checkpoint, generator_name(checkpoint, network), **given))


def build_discriminator(checkpoint: Checkpoint) -> nn.Module:
    """The discriminator of a checkpoint, with its weights; see `build_generator`."""
    names = discriminator_names(checkpoint)
    if not names:
        there = ", ".join(checkpoint.networks) or "none"
        raise DataError(f"the {checkpoint.format} file has no discriminator; networks in it: {there}")
    if checkpoint.format == native.FORMAT:
        return native.rebuild(checkpoint, names[0])
    return cast("nn.Module", FORMATS[checkpoint.format].module.discriminator(checkpoint, names[0]))


def _parts(checkpoint: Checkpoint) -> dict[str, Any]:
    parts = checkpoint.config.get("architecture")
    return parts if isinstance(parts, dict) else {}
