"""Generators as safetensors files that describe how to rebuild them.

The metadata holds the name of one of our classes and its constructor's arguments, never code.
"""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ghbench import checkpoints
from ghbench.checkpoints import Checkpoint, native
from ghbench.checkpoints.unpickler import DAMAGE
from ghbench.errors import DataError
from ghbench.generators.protocol import Generator

FORMAT = native.FORMAT
GENERATOR, DISCRIMINATOR = "generator", "discriminator"
CLASSES = {
    "StyleGAN2": "ghbench.generators.stylegan2",
    "StyleGAN1": "ghbench.generators.stylegan1",
    "MobileStyleGAN": "ghbench.generators.mobile_stylegan",
    "DCGAN": "ghbench.generators.dcgan",
    "StyleGAN2Discriminator": "ghbench.generators.stylegan2_discriminator",
    "StyleGAN1Discriminator": "ghbench.generators.stylegan1_discriminator",
}
"""Modules of the classes that a file may name."""
LARGEST = 4096
"""Upper bound of resolutions and widths, checked before a file's network is built."""


@runtime_checkable
class Rebuildable(Protocol):
    """A module that knows its constructor's arguments."""

    def configuration(self) -> dict[str, Any]:
        """The constructor's arguments, as JSON values."""
        ...


def save_generator(
    path: Path,
    generator: nn.Module,
    *,
    licence: str,
    source: Checkpoint | str = "",
    discriminator: nn.Module | None = None,
    extra: Mapping[str, Any] | None = None,
    tensors: Mapping[str, NDArray[Any]] | None = None,
) -> None:
    """Write a generator as safetensors, atomically.

    Args:
        path: The file to write.
        generator: A module of one of the classes in `CLASSES`.
        licence: Licence of the weights.
        source: The checkpoint it was converted from, or a line on its origin.
        discriminator: Its discriminator.
        extra: Further metadata as JSON values: training record, citation.
        tensors: Further arrays by `NETWORK/NAME`: other networks of the source.

    Raises:
        ValueError: A module is of another class.
    """
    modules = {GENERATOR: generator} | ({} if discriminator is None else {DISCRIMINATOR: discriminator})
    arrays = {f"{part}/{name}": array for part, module in modules.items() for name, array in _arrays(module).items()}
    about = source if isinstance(source, Checkpoint) else Checkpoint("ghbench", {}, {"made": source}, "")
    config = {**about.config, **({"extra": dict(extra)} if extra else {})}
    content = replace(about, tensors={**(tensors or {}), **arrays}, config=config)
    architecture = {part: _architecture(module) for part, module in modules.items()}
    native.write(path, content, licence=licence, architecture=architecture)


def load_native(path: Path | str) -> Generator:
    """Load a generator written by `save_generator` or `ghbench convert`.

    Returns:
        Frozen, on the CPU, in evaluation mode, in float32.

    Raises:
        DataError: The file is damaged, has no generator, or its arrays do not match.
    """
    return cast("Generator", rebuild(checkpoints.read(path), GENERATOR))


def rebuild(checkpoint: Checkpoint, part: str) -> nn.Module:
    """Rebuild a network of a native checkpoint.

    Args:
        checkpoint: One of our own files, from `ghbench.checkpoints.read`.
        part: `generator` or `discriminator`.

    Raises:
        DataError: There is none, or its arrays do not match.
    """
    description = (checkpoint.config.get("architecture") or {}).get(part)
    if not isinstance(description, dict):
        raise DataError(f"the file has no {part} that ghbench can build", fix="convert its source: ghbench convert")
    name, arguments = description.get("class"), description.get("arguments")
    if not isinstance(name, str) or name not in CLASSES or not isinstance(arguments, dict):
        raise DataError(f"the file's {part} has the unknown class {str(name)[:80]!r}; known: {', '.join(CLASSES)}")
    cls = getattr(importlib.import_module(CLASSES[name]), name)
    unknown = sorted(set(arguments) - set(inspect.signature(cls).parameters))
    if unknown or not all(_bounded(value) for value in arguments.values()):
        raise DataError(f"the file's {part} has invalid arguments of {name}: {', '.join(unknown) or 'sizes'}")
    tensors = checkpoint.network(part)
    try:
        with torch.device("meta"):
            skeleton = cls(**arguments)
    except (RuntimeError, *DAMAGE) as error:
        raise DataError(
            f"the file's {part} cannot be built: {error}", fix="convert its source again: ghbench convert"
        ) from error
    checkpoints.match_keys(tensors, {key: tuple(value.shape) for key, value in skeleton.state_dict().items()})
    module = build(cls, arguments)
    module.load_state_dict({key: torch.from_numpy(array).float() for key, array in tensors.items()})
    return freeze(module)


def build(cls: type[nn.Module], arguments: Mapping[str, Any]) -> nn.Module:
    """Build a module with initial weights from a fixed seed; the global random state is unchanged."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return cls(**arguments)


def freeze(module: nn.Module) -> nn.Module:
    """The module in evaluation mode, with `requires_grad` off."""
    return module.eval().requires_grad_(requires_grad=False)


def _bounded(value: Any) -> bool:
    """Whether no number in the value is larger than `LARGEST`."""
    if isinstance(value, list):
        return len(value) <= 64 and all(_bounded(part) for part in value)
    return not isinstance(value, int) or value <= LARGEST


def _arrays(module: nn.Module) -> dict[str, NDArray[Any]]:
    return {name: np.asarray(tensor.detach().cpu().numpy()) for name, tensor in module.state_dict().items()}


def _architecture(module: nn.Module) -> dict[str, Any]:
    name = type(module).__name__
    if name not in CLASSES or not isinstance(module, Rebuildable):
        raise ValueError(f"{name} cannot be saved; expected one of {', '.join(CLASSES)}")
    return {"class": name, "arguments": module.configuration()}
