"""genforce `.pth`: converted generators and training checkpoints, one state dict a network."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ghbench.checkpoints.checkpoint import Content, plain, state_arrays
from ghbench.checkpoints.records import refusal

FORMAT = "genforce"
_CONVERTED = ("generator", "generator_smooth", "discriminator", "encoder")
_MAX_NETWORKS = 16
_MAX_NAME = 80


def _networks(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        return {}
    if isinstance(models := value.get("models"), dict):
        return {name: state for name, state in models.items() if isinstance(name, str)}
    return {name: value[name] for name in _CONVERTED if name in value}


def fits(value: Any) -> bool:
    """Whether an unpickled object has this layout."""
    networks = _networks(value)
    return bool(networks) and all(isinstance(state, dict) for state in networks.values())


def extract(value: Any) -> Content:
    """Every network by its own name: `generator_smooth/...`, `generator/...`, `discriminator/...`, `encoder/...`.

    Args:
        value: Unpickled checkpoint for which `fits` holds.

    Raises:
        DataError: A network is not a state dict.
    """
    networks = _networks(value)
    if len(networks) > _MAX_NETWORKS or max(map(len, networks)) > _MAX_NAME:
        raise refusal("too many networks, or a network with too long a name")
    tensors: dict[str, NDArray[Any]] = {}
    for name, state in networks.items():
        tensors |= state_arrays(state, name)
    return Content(tensors, {"running_metadata": plain(value.get("running_metadata"))})
