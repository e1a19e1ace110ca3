"""`ghbench convert`: a checkpoint as one safetensors file that describes how to build its networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray
from torch import nn

from ghbench.checkpoints import Checkpoint, native, openvino_ir
from ghbench.errors import DataError, UsageError
from ghbench.generators.conversion.networks import (
    assumptions,
    build_discriminator,
    build_generator,
    discriminator_names,
    generator_name,
    generator_names,
)
from ghbench.generators.loading import IR_FILES, UNSTATED, generator_of, licence_of, read_file
from ghbench.generators.native import save_generator
from ghbench.outputs import check_output


@dataclass(frozen=True, slots=True)
class Conversion:
    """The result of a conversion.

    Args:
        source_format: Format of the source.
        built: Classes that can be built from the file, by `generator` and `discriminator`.
        plain: Networks kept as plain arrays under their own names.
        licence: Licence stated in the file.
        notes: What users of the file should know.
    """

    source_format: str
    built: dict[str, str]
    plain: tuple[str, ...]
    licence: str
    notes: tuple[str, ...]


def convert(
    path: Path,
    out: Path,
    *,
    network: str | None = None,
    licence: str | None = None,
    assume: Mapping[str, int] | None = None,
    force: bool = False,
) -> Conversion:
    """Convert a checkpoint.

    Generator and discriminator are written with the names of our networks, everything else unchanged.

    Args:
        path: A checkpoint in any known format.
        out: The safetensors file to write.
        network: One network of the file: a generator is converted instead of the file's best one, any other network is
            written alone, as plain arrays. None for all.
        licence: Licence of the weights; None for what is known about the format.
        assume: Settings of the generator that the file does not state.
        force: Replace a file that ghbench did not make.

    Raises:
        UsageError: `out` does not end in .safetensors or must not be replaced (see `ghbench.outputs.check_output`), or
            the source is already converted or lacks the network, or there is nothing of that kind to assume.
        MissingError: There is no such file.
        DataError: The file is damaged, or its arrays do not match.
    """
    if out.suffix != ".safetensors" or out.is_dir():
        raise UsageError(
            f"the output file {out.name!r} must end in .safetensors", fix=f"--out {out.stem or 'model'}.safetensors"
        )
    check_output(out, [path], force=force)
    checkpoint = read_file(path)
    if checkpoint.format == native.FORMAT and "architecture" in checkpoint.config:
        raise UsageError(f"{path} is already converted", fix="use it as it is")
    mobile = checkpoint.format == openvino_ir.FORMAT and path.name in IR_FILES
    # Nothing is known about other OpenVINO networks.
    unknown = checkpoint.format == openvino_ir.FORMAT and not mobile
    terms = licence or (UNSTATED if unknown else licence_of(checkpoint))
    alone = network is not None and network not in generator_names(checkpoint)
    if assume and (alone or mobile or not generator_names(checkpoint)):
        raise UsageError(
            f"nothing to assume about {min(assume)}: no generator is built from what the file says",
            fix="leave --assume out",
        )
    if network is not None and alone:
        return _alone(checkpoint, out, network, terms)
    if not mobile and not generator_names(checkpoint):
        native.write(out, checkpoint, licence=terms)
        plain = checkpoint.networks or ("all arrays",)
        return Conversion(checkpoint.format, {}, plain, terms, checkpoint.notes)
    return _whole(path, checkpoint, out, network, terms, assume)


def _whole(
    path: Path,
    checkpoint: Checkpoint,
    out: Path,
    network: str | None,
    licence: str,
    assume: Mapping[str, int] | None,
) -> Conversion:
    if checkpoint.format == openvino_ir.FORMAT:
        generator: Any = generator_of(path, checkpoint)
        others: tuple[str, ...] = ()
        notes: tuple[str, ...] = ()
        discriminator = None
    else:
        chosen = generator_name(checkpoint, network)
        generator = build_generator(checkpoint, chosen, assume)
        discriminator, problem = _discriminator(checkpoint)
        taken = {*generator_names(checkpoint), *(discriminator_names(checkpoint) if discriminator is not None else ())}
        others = tuple(name for name in checkpoint.networks if name not in taken)
        left_out = [name for name in generator_names(checkpoint) if name != chosen]
        notes = tuple(f"{name} is left out; --network {name} converts it instead of {chosen}" for name in left_out)
        notes += problem + assumptions(checkpoint, chosen, assume)
    tensors: dict[str, NDArray[Any]] = {
        name: array for name, array in checkpoint.tensors.items() if name.startswith(tuple(f"{net}/" for net in others))
    }
    source = replace(checkpoint, notes=checkpoint.notes + notes)
    save_generator(out, generator, licence=licence, source=source, discriminator=discriminator, tensors=tensors)
    built = {"generator": type(generator).__name__}
    if discriminator is not None:
        built["discriminator"] = type(discriminator).__name__
    return Conversion(checkpoint.format, built, others, licence, source.notes)


def _discriminator(checkpoint: Checkpoint) -> tuple[nn.Module | None, tuple[str, ...]]:
    """The discriminator, or why it cannot be built: the generator is converted anyway."""
    if not discriminator_names(checkpoint):
        return None, ()
    try:
        return build_discriminator(checkpoint), ()
    except DataError as error:
        reason = error.message.partition("\n")[0]
        return None, (f"the discriminator is kept as plain arrays: {reason}",)


def _alone(checkpoint: Checkpoint, out: Path, network: str, licence: str) -> Conversion:
    if network not in checkpoint.networks:
        there = ", ".join(checkpoint.networks) or "none"
        raise UsageError(f"the file has no network {network!r}", fix=f"choose one of: {there}")
    own = {name: array for name, array in checkpoint.tensors.items() if name.startswith(f"{network}/")}
    native.write(out, replace(checkpoint, tensors=own), licence=licence)
    return Conversion(checkpoint.format, {}, (network,), licence, checkpoint.notes)
