"""Settings that a pickle states about a network: each is known, or refused by its name."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ghbench.checkpoints import Checkpoint
from ghbench.errors import DataError

MAPPING_RATE = 0.01
_ONLY: dict[str, Any] = {
    "activation": "lrelu", "nonlinearity": "lrelu", "mapping_nonlinearity": "lrelu", "act": "lrelu",
    "use_noise": True, "normalize_latents": True, "use_wscale": True, "use_styles": True, "use_instance_norm": True,
    "const_input_layer": True, "use_pixel_norm": False, "blur_filter": [1, 2, 1], "resample_kernel": [1, 3, 3, 1],
}  # fmt: skip
"""Settings of the official programs with the only value that our networks have."""
_RATES = {"lr_multiplier", "mapping_lrmul"}
_LINEAR = {"torgb", "skip", "affine", "embed", "out"}
"""Layers without a rectifier in the official PyTorch program."""


@dataclass(frozen=True)
class Settings:
    """What a file states.

    Args:
        mapping_rate: Learning-rate multiplier of the mapping network.
        clamp: Limit of every convolution's output, None for no limit.
    """

    mapping_rate: float
    clamp: float | None


def read_settings(checkpoint: Checkpoint, network: str, architectures: Collection[str]) -> Settings:
    """The settings of a network, from the keyword arguments and attributes of its modules.

    Args:
        checkpoint: From `ghbench.checkpoints.read`.
        network: Its name in the file.
        architectures: The architectures that are supported, in the program's words.

    Raises:
        DataError: A setting has a value that is not supported, or several values.
    """
    rates: dict[str, float] = {}
    clamps: dict[str, float | None] = {}
    for path, value in _statements(checkpoint.config.get(network)):
        *places, name = path.split(".")
        last = places[-1] if places else ""
        full = f"{network}: {path}={value!r}"
        if name in _RATES:
            if not isinstance(value, (int, float)) or not 0 < value < 1e3:
                raise DataError(f"{full} is no learning-rate multiplier")
            if name == "mapping_lrmul" or (places and places[0] in {"mapping", "mapping_kwargs"} and last != "embed"):
                rates[path] = float(value)
            elif value != 1:
                raise DataError(f"{full} is not supported; expected 1")
        elif name == "conv_clamp" and last != "skip":
            number = isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0
            clamps[path] = float(value) if number else None
        elif name == "architecture" and value is not None and value not in architectures:
            raise DataError(f"{full} is not supported; expected one of {', '.join(architectures)}")
        elif name == "activation" and value == "linear" and last in _LINEAR:
            continue
        elif name in _ONLY and value is not None and value != _ONLY[name]:
            raise DataError(f"{full} is not supported; expected {_ONLY[name]!r}")
    return Settings(_one(network, rates, MAPPING_RATE), _one(network, clamps, None))


def _one(network: str, found: Mapping[str, Any], default: Any) -> Any:
    """The one value that the file states in all places."""
    if len(set(found.values())) > 1:
        different = {value: path for path, value in found.items()}
        listed = ", ".join(f"{path}={value}" for value, path in list(different.items())[:3])
        raise DataError(f"{network}: {listed}; different values in different layers are not supported")
    return next(iter(found.values()), default)


def _statements(described: Any) -> Iterator[tuple[str, Any]]:
    """Settings by path: the network's own keyword arguments, then those of its modules."""
    if isinstance(described, dict):
        for kind in ("init_kwargs", "static_kwargs", "modules"):
            yield from _flat(described.get(kind), "")


def _flat(value: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, part in value.items():
            if isinstance(part, dict):
                yield from _flat(part, f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}", part
