"""Generators by name or by file: `load_generator("tiny")`, `load_generator("network.pkl")`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from torch import nn

from ghbench import assets, checkpoints, registry
from ghbench.checkpoints import Checkpoint, openvino_ir
from ghbench.errors import DataError, MissingError, PluginError, UserError
from ghbench.extractor import TrainingRecord
from ghbench.generator import GeneratorPlugin, GeneratorSpec
from ghbench.generators import native
from ghbench.generators.conversion import build_discriminator, build_generator
from ghbench.generators.conversion.networks import FORMATS
from ghbench.generators.first_party import FACES
from ghbench.generators.mobile_weights import built
from ghbench.generators.protocol import Generator

SUFFIXES = {".pkl", ".pt", ".pth", ".xml", ".safetensors"}
UNSTATED = "not stated in the file"
IR_FILES = ("MappingNetwork.xml", "SynthesisNetwork.xml")
"""Names of MobileStyleGAN's two OpenVINO files."""


class CheckpointFile:
    """A generator in anybody's checkpoint, recognised by its content.

    Args:
        path: The file.
        network: Which of its networks; None for the best.
    """

    def __init__(self, path: Path, network: str | None = None) -> None:
        self.path, self.network = path, network
        self._loaded: tuple[Checkpoint, Generator] | None = None

    def spec(self) -> GeneratorSpec:
        """Describe the generator; unlike a plugin's, this one reads the file."""
        checkpoint, generator = self._read()
        return GeneratorSpec(
            name=self.path.name,
            version=checkpoint.digest[:8],
            size=getattr(generator, "resolution", 0),
            colours=getattr(generator, "colours", 3),
            weights_digest=checkpoint.digest,
            licence=licence_of(checkpoint),
            training=_training(checkpoint),
            domain="not stated in the file",
            notes=(_origin(checkpoint), *checkpoint.notes),
        )

    def load(self) -> Generator:
        """Read the file and build the network."""
        return self._read()[1]

    def _read(self) -> tuple[Checkpoint, Generator]:
        if self._loaded is None:
            checkpoint = read_file(self.path)
            self._loaded = checkpoint, generator_of(self.path, checkpoint, self.network)
        return self._loaded


def generator_plugin(spec: str | Path) -> GeneratorPlugin:
    """The plugin that a name with options, or a path, stands for.

    Args:
        spec: `mobile-stylegan-ffhq:size=128`, `./my_file.py:MyGenerator`, or the path of a checkpoint.

    Raises:
        UsageError: No such name or option.
        PluginError: What the name stands for is no generator.
    """
    if isinstance(spec, Path) or _is_path(spec):
        return CheckpointFile(Path(spec).expanduser())
    return _as_plugin(registry.build("generator", spec), spec)


def recorded_generator(name: str) -> GeneratorPlugin:
    """The registered generator whose name stands in a file; see `ghbench.registry.build_recorded`.

    Raises:
        UsageError: It is not a registered name, or has unknown options.
        PluginError: What the name stands for is no generator.
    """
    return _as_plugin(registry.build_recorded("generator", name), name)


def load_generator(spec: str | Path | GeneratorPlugin) -> Generator:
    """Load a generator by name or from a file.

    Args:
        spec: A plugin, a registered name with options (`mobile-stylegan-ffhq:size=128`), or the path of a checkpoint in
            any format that ghbench reads; its name does not matter.

    Returns:
        A torch module on the CPU, in evaluation mode, with `requires_grad` off.

    Raises:
        UsageError: No such name or option.
        MissingError: No such file, or weights that cannot be had.
        DataError: The file is damaged, hostile, or no generator.
        PluginError: A plugin failed, or what it gave is no generator.
    """
    plugin = spec if isinstance(spec, GeneratorPlugin) else generator_plugin(spec)
    name = plugin.spec().name if plugin is spec else str(spec)
    try:
        generator = plugin.load()
    except UserError:
        raise
    except Exception as error:
        raise PluginError(f"generator {name!r} cannot be loaded: {type(error).__name__}: {error}") from error
    if not isinstance(generator, Generator):
        raise PluginError(f"{name!r} gave a {type(generator).__name__} that lacks what generators have")
    return generator


def load_discriminator(path: str | Path) -> nn.Module:
    """Load the discriminator of a checkpoint.

    Args:
        path: A checkpoint in any format that ghbench reads.

    Returns:
        On the CPU, in evaluation mode, with `requires_grad` off; call it with pictures, and labels if it has them.

    Raises:
        MissingError: No such file.
        DataError: The file has no discriminator, or its arrays do not fit.
    """
    return build_discriminator(read_file(Path(path).expanduser()))


def read_file(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        MissingError: There is no such file.
        DataError: It is damaged, hostile or of an unknown format.
    """
    if not path.is_file():
        raise MissingError(
            f"there is no file {path}", fix="check the path, or name a generator: ghbench list generators"
        )
    return checkpoints.read(path)


def generator_of(path: Path, checkpoint: Checkpoint, network: str | None = None) -> Generator:
    """The generator of a checkpoint that was read from a path; an OpenVINO file needs its sibling beside it."""
    if checkpoint.format != openvino_ir.FORMAT:
        return build_generator(checkpoint, network)
    siblings = [path.with_name(name) for name in IR_FILES]
    absent = [sibling.name for sibling in siblings if not sibling.is_file()]
    if path.name not in IR_FILES or absent:
        raise DataError(
            f"{path.name} alone is no generator; of OpenVINO files ghbench knows MobileStyleGAN's two",
            fix=f"put {' and '.join(IR_FILES)} with their .bin into one folder",
        )
    mapping, synthesis = (checkpoints.read(sibling).tensors for sibling in siblings)
    return built(mapping, synthesis)


def licence_of(checkpoint: Checkpoint) -> str:
    """Terms of the weights: what our own files state, and what is known of files of the other formats."""
    if checkpoint.format == native.FORMAT:
        return str(checkpoint.config.get("licence") or UNSTATED)
    if checkpoint.format == openvino_ir.FORMAT:
        return assets.get(FACES).licence
    return FORMATS[checkpoint.format].licence if checkpoint.format in FORMATS else UNSTATED


def _as_plugin(value: object, name: str) -> GeneratorPlugin:
    if not isinstance(value, GeneratorPlugin):
        raise PluginError(f"{name!r} is a {type(value).__name__} without spec() and load(); see docs/generators.md")
    return value


def _is_path(spec: str) -> bool:
    path = Path(spec).expanduser()
    if path.suffix in SUFFIXES or path.is_file():
        return path.suffix != ".py"
    return path.is_dir() and spec.startswith((".", "/", "~"))


def _origin(checkpoint: Checkpoint) -> str:
    source = checkpoint.config.get("source_digest")
    if checkpoint.format == native.FORMAT and source:
        return f"converted from {checkpoint.config.get('format')}, sha256 {source}"
    return f"read from a file of the format {checkpoint.format}"


def _training(checkpoint: Checkpoint) -> TrainingRecord:
    """What a file of our own says of its training; foreign ones say nothing."""
    said: Any = checkpoint.config
    for key in ("config", "extra", "training"):
        said = said.get(key) if isinstance(said, dict) else None
    unknown = TrainingRecord(image_digests=None, supervision="not stated", domain="not stated")
    if not isinstance(said, dict) or not isinstance(said.get("datasets"), list):
        return unknown
    supervision = str(said.get("supervision", "not stated"))
    return dataclasses.replace(unknown, datasets=tuple(map(str, said["datasets"])), supervision=supervision)
