"""Generators by name or by file: `load_generator("tiny")`, `load_generator("network.pkl")`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from torch import nn

from ghbench import assets, checkpoints, registry
from ghbench.checkpoints import Checkpoint, openvino_ir
from ghbench.errors import DataError, MissingError, PluginError, UsageError, UserError
from ghbench.extractor import TrainingRecord
from ghbench.files import user_path
from ghbench.generator import GeneratorPlugin, GeneratorSpec
from ghbench.generators import native
from ghbench.generators.conversion import build_discriminator, build_generator
from ghbench.generators.conversion.networks import FORMATS, assumptions
from ghbench.generators.first_party import FACES
from ghbench.generators.mobile_weights import build_mobile_stylegan
from ghbench.generators.protocol import Generator
from ghbench.spec_string import parse

SUFFIXES = {".pkl", ".pt", ".pth", ".xml", ".safetensors"}
UNSTATED = "not stated in the file"
IR_FILES = ("MappingNetwork.xml", "SynthesisNetwork.xml")
"""Names of MobileStyleGAN's two OpenVINO files."""


class CheckpointFile:
    """A generator in a checkpoint of any known format, recognised by its content.

    Args:
        path: The file.
        network: Name of the network in the file, None for the best.
    """

    def __init__(self, path: Path, network: str | None = None) -> None:
        self.path, self.network = path, network
        self._loaded: tuple[Checkpoint, Generator] | None = None

    def spec(self) -> GeneratorSpec:
        """Describe the generator; unlike other plugins, this reads the file."""
        checkpoint, generator = self._read()
        return GeneratorSpec(
            name=self.path.name,
            version=checkpoint.digest[:8],
            size=getattr(generator, "resolution", 0),
            colours=getattr(generator, "colours", 3),
            weights_digest=checkpoint.digest,
            licence=licence_of(checkpoint),
            training=training_record(checkpoint),
            domain="not stated in the file",
            notes=(_origin(checkpoint), *checkpoint.notes, *assumptions(checkpoint, self.network)),
        )

    def load(self) -> Generator:
        """Read the file and build the network."""
        return self._read()[1]

    def assumptions(self) -> tuple[str, ...]:
        """What the file does not say and was assumed, a sentence each."""
        return assumptions(self._read()[0], self.network)

    def _read(self) -> tuple[Checkpoint, Generator]:
        if self._loaded is None:
            checkpoint = read_file(self.path)
            self._loaded = checkpoint, generator_of(self.path, checkpoint, self.network)
        return self._loaded


def generator_plugin(spec: str | Path) -> GeneratorPlugin:
    """The plugin for a name with options, or for a path.

    Args:
        spec: `mobile-stylegan-ffhq:size=128`, `./my_file.py:MyGenerator`, or the path of a checkpoint.

    Raises:
        UsageError: There is no such name or option.
        PluginError: The name is not that of a generator.
    """
    if isinstance(spec, Path) or _is_path(spec):
        return CheckpointFile(user_path(spec))
    return _as_plugin(registry.build("generator", spec), spec)


def spec_at_size(generator: str, size: int | None) -> str:
    """The spec string of a generator at a size.

    Raises:
        UsageError: The generator has another size and no option for it.
    """
    if size is None or generator_plugin(generator).spec().size == size:
        return generator
    name = f"{generator}{',' if ':' in generator else ':'}size={size}"
    try:
        return name if generator_plugin(name).spec().size == size else generator
    except UsageError as error:
        raise UsageError(f"{generator} has no size {size}", fix="leave out --size") from error


def shared_rows(generator: Generator, name: str) -> int:
    """Rows of W+ that a generator shares with its whole network, from the coarsest; all of them if it is whole.

    The last row of a shortened one styles its own conversion to colours; in the whole network it styles another layer.

    Args:
        generator: The generator.
        name: Spec string or path that loads it.
    """
    rows = max(level.layer for level in generator.levels) + 1
    try:
        parsed = parse(name)
    except UsageError:
        return rows
    own = generator_plugin(name).spec().size
    if "size" not in parsed.options or generator_plugin(str(parsed.without("size"))).spec().size <= own:
        return rows
    last = generator.levels[-1]
    alone = all(level.layer != last.layer for level in generator.levels[:-1])
    return rows - 1 if alone else rows


def recorded_generator(name: str) -> GeneratorPlugin:
    """The registered generator whose name was read from a file; see `ghbench.registry.build_recorded`.

    Raises:
        UsageError: The name is not registered, or an option is unknown.
        PluginError: The name is not that of a generator.
    """
    return _as_plugin(registry.build_recorded("generator", name), name)


def load_generator(spec: str | Path | GeneratorPlugin) -> Generator:
    """Load a generator by name or from a file.

    Args:
        spec: A plugin, a registered name with options (`mobile-stylegan-ffhq:size=128`), or the path of a checkpoint in
            any known format.

    Returns:
        A frozen torch module on the CPU, in evaluation mode.

    Raises:
        UsageError: There is no such name or option.
        MissingError: There is no such file, or the weights are not available.
        DataError: The file is damaged, or holds no generator.
        PluginError: A plugin failed, or returned something other than a generator.
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
        raise PluginError(f"{name!r} returned a {type(generator).__name__}, not a generator; see docs/generators.md")
    return generator


def load_discriminator(path: str | Path) -> nn.Module:
    """Load the discriminator of a checkpoint.

    Args:
        path: A checkpoint in any known format.

    Returns:
        A frozen module on the CPU, in evaluation mode; call it with images, and labels if it is conditional.

    Raises:
        MissingError: There is no such file.
        DataError: The file has no discriminator, or its arrays do not match.
    """
    return build_discriminator(read_file(user_path(path)))


def read_file(path: Path) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        MissingError: There is no such file.
        DataError: It is damaged or of an unknown format.
    """
    if not path.exists():
        raise MissingError(
            f"there is no file {path}", fix="check the path, or choose a generator: ghbench list generators"
        )
    return checkpoints.read(path)


def generator_of(path: Path, checkpoint: Checkpoint, network: str | None = None) -> Generator:
    """The generator of a checkpoint read from `path`; for OpenVINO, both files must be in its folder."""
    if checkpoint.format != openvino_ir.FORMAT:
        return build_generator(checkpoint, network)
    siblings = [path.with_name(name) for name in IR_FILES]
    absent = [sibling.name for sibling in siblings if not sibling.is_file()]
    if path.name not in IR_FILES or absent:
        raise DataError(
            f"{path.name} alone is not a generator; of OpenVINO files ghbench loads only MobileStyleGAN's two",
            fix=f"put {' and '.join(IR_FILES)}, with their .bin files, into one folder",
        )
    mapping, synthesis = (checkpoints.read(sibling).tensors for sibling in siblings)
    return build_mobile_stylegan(mapping, synthesis)


def licence_of(checkpoint: Checkpoint) -> str:
    """Licence of the weights: as stated in our own files, else what is known about the format."""
    if checkpoint.format == native.FORMAT:
        return str(checkpoint.config.get("licence") or UNSTATED)
    if checkpoint.format == openvino_ir.FORMAT:
        return assets.get(FACES).licence
    return FORMATS[checkpoint.format].licence if checkpoint.format in FORMATS else UNSTATED


def training_record(checkpoint: Checkpoint) -> TrainingRecord:
    """Training record of our own files; other formats have none."""
    record: Any = checkpoint.config
    for key in ("config", "extra", "training"):
        record = record.get(key) if isinstance(record, dict) else None
    unknown = TrainingRecord(image_digests=None, supervision="not stated", domain="not stated")
    if not isinstance(record, dict) or not isinstance(record.get("datasets"), list):
        return unknown
    supervision, networks = str(record.get("supervision", "not stated")), record.get("networks")
    return dataclasses.replace(
        unknown, datasets=tuple(map(str, record["datasets"])), supervision=supervision,
        networks=tuple(map(str, networks)) if isinstance(networks, list) else (),
    )  # fmt: skip


def _as_plugin(value: object, name: str) -> GeneratorPlugin:
    if not isinstance(value, GeneratorPlugin):
        raise PluginError(f"{name!r} is a {type(value).__name__} without spec() and load(); see docs/generators.md")
    return value


def _is_path(spec: str) -> bool:
    path = user_path(spec)
    if path.suffix in SUFFIXES or path.is_file():
        return path.suffix != ".py"
    return path.is_dir() and spec.startswith((".", "/", "~"))


def _origin(checkpoint: Checkpoint) -> str:
    source = checkpoint.config.get("source_digest")
    if checkpoint.format == native.FORMAT and source:
        return f"converted from {checkpoint.config.get('format')}, sha256 {source}"
    return f"read from a {checkpoint.format} file"
