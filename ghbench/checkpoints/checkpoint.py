"""What every reader returns, and the check of names and shapes that precedes every load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from numpy.typing import NDArray

from ghbench.checkpoints.records import Budget, Record, refusal
from ghbench.checkpoints.torch_tensors import as_array, is_tensor
from ghbench.errors import DataError

Shape = tuple[int, ...]
_SHOWN = 12
_MAX_TENSORS = 20_000
_MAX_NAME = 300
_MAX_CONFIG = 20_000
_MAX_CONFIG_TEXT = 2**20
_MAX_CONFIG_DEPTH = 32


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint as plain arrays.

    Args:
        format: The format it was read from, for instance `stylegan2-ada`.
        tensors: Arrays by `NETWORK/NAME`, in the file's own names (`G_ema/mapping.fc0.weight`); arrays outside any
            network (rosinality's `latent_avg`, the constants of an OpenVINO file) by `NAME`.
        config: Configuration stored in the file, as JSON values.
        digest: sha256 of the file.
        notes: What users of the weights should know.
    """

    format: str
    tensors: dict[str, NDArray[Any]]
    config: dict[str, Any]
    digest: str
    notes: tuple[str, ...] = field(default=())

    @property
    def networks(self) -> tuple[str, ...]:
        """Names of the networks, in file order."""
        return tuple(dict.fromkeys(name.partition("/")[0] for name in self.tensors if "/" in name))

    def network(self, name: str) -> dict[str, NDArray[Any]]:
        """The arrays of one network, by name.

        Raises:
            DataError: The file has no such network.
        """
        found = {key.partition("/")[2]: value for key, value in self.tensors.items() if key.startswith(f"{name}/")}
        if not found:
            raise DataError(f"the checkpoint has no network {name!r}; it has {', '.join(self.networks) or 'none'}")
        return found


@dataclass(frozen=True)
class Content:
    """What a format's module extracts from an unpickled file; fields as in `Checkpoint`."""

    tensors: dict[str, NDArray[Any]]
    config: dict[str, Any]
    notes: tuple[str, ...] = field(default=())


def match_keys(tensors: Mapping[str, NDArray[Any]], expected: Mapping[str, Shape]) -> None:
    """Check that a network has exactly the expected arrays.

    Args:
        tensors: Arrays by name.
        expected: Shapes by name.

    Raises:
        DataError: Arrays are missing, extra or of the wrong shape; the message lists them with both shapes.
    """
    problems = [f"missing: {name}, expected {shape}" for name, shape in expected.items() if name not in tensors]
    problems += [
        f"wrong shape: {name}, expected {shape}, found {tensors[name].shape}"
        for name, shape in expected.items()
        if name in tensors and tuple(tensors[name].shape) != tuple(shape)
    ]
    problems += [f"extra: {name}, found {value.shape}" for name, value in tensors.items() if name not in expected]
    if problems:
        more = [f"and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
        raise DataError(
            f"the checkpoint's arrays do not fit: {len(problems)} problems, {len(expected)} arrays expected\n  "
            + "\n  ".join(problems[:_SHOWN] + more),
            fix="check that the network's resolution, widths and mapping layers are those of this checkpoint",
        )


def state_arrays(state: Any, network: str) -> dict[str, NDArray[Any]]:
    """A PyTorch state dict as arrays.

    Args:
        state: Unpickled state dict.
        network: Prefix of every name.

    Raises:
        DataError: It is not a dictionary of tensors by name.
    """
    if not isinstance(state, dict):
        raise refusal(f"{network} is a {type(state).__name__}, not a state dict")
    arrays: dict[str, NDArray[Any]] = {}
    for name, value in state.items():
        place(arrays, network, name, value)
    return arrays


def place(arrays: dict[str, NDArray[Any]], network: str, name: Any, value: Any) -> None:
    """Add one unpickled tensor as `network/name` (or `name` alone, where `network` is empty).

    A file can refer to the same dictionary or name over and over, so both are bounded here.

    Raises:
        DataError: The name is invalid or a duplicate, the value is not a tensor, or there are too many tensors.
    """
    if not isinstance(name, str) or not name.isprintable() or len(name) + len(network) > _MAX_NAME:
        raise refusal(f"{network[:80] or 'the file'} has a tensor with an invalid name")
    full = f"{network}/{name}" if network else name
    if full in arrays or len(arrays) >= _MAX_TENSORS:
        raise refusal(f"duplicate tensor {full!r}, or too many tensors")
    arrays[full] = as_array(value)


def plain(value: Any) -> Any:
    """An unpickled configuration as JSON values; tensors and other objects become the name of their type.

    Raises:
        DataError: It is implausibly large.
    """
    # One list can occur a billion times by reference, and one text in each of its places.
    budget = Budget(parts=_MAX_CONFIG, bytes=_MAX_CONFIG_TEXT)

    def text(part: Any) -> str:
        made = str(part)
        budget.spend_bytes(len(made))
        return made

    def convert(part: Any, depth: int) -> Any:
        budget.spend_parts()
        if depth > _MAX_CONFIG_DEPTH:
            raise refusal("the configuration is nested too deeply")
        if part is None or isinstance(part, (bool, int, float)):
            return part
        if isinstance(part, str):
            return text(part)
        if isinstance(part, Record) and isinstance(part.state, dict):
            return convert(part.state, depth + 1)
        if isinstance(part, dict):
            # Keys are short: `checked_key`.
            return {text(key): convert(item, depth + 1) for key, item in part.items()}
        if isinstance(part, (list, tuple)):
            return [convert(item, depth + 1) for item in part]
        return f"<{'tensor' if is_tensor(part) else type(part).__name__}>"

    return convert(value, 0)
