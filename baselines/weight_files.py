"""Weight files, the user's own or those of torchvision and timm, read as tensors only."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ghbench.checkpoints.torch_files import check_torch_file
from ghbench.digests import digest_file
from ghbench.errors import DataError, MissingError, UserError
from ghbench.files import regular_file
from ghbench.locations import forbidden, offline

from .hub_files import fetch_first, unreachable

if TYPE_CHECKING:
    import torch

_PATIENCE = (3.0, 5.0)
"""Seconds to connect, and to wait for the first answer."""
_OTHER_WAYS = "weights=none for an untrained network, or weights=FILE for a .safetensors or .pth file"


def read_weights(path: Path) -> dict[str, torch.Tensor]:
    """Read a state dict without executing anything in the file.

    Args:
        path: A `.safetensors` or `torch.save` file; the state dict may be under `state_dict` or `model`.

    Returns:
        Tensors by name, without the prefix `module.` of data-parallel training.

    Raises:
        MissingError: There is no such file.
        DataError: The file holds something other than tensors.
    """
    import torch

    if not path.exists():
        raise MissingError(f"there is no weights file {path}", fix=_OTHER_WAYS)
    regular_file(path)
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            stored: Any = load_file(path)
        else:
            check_torch_file(path)
            stored = torch.load(path, map_location="cpu", weights_only=True)
    # safetensors' own error derives from Exception directly.
    except Exception as error:
        reason = error.message if isinstance(error, UserError) else f"{type(error).__name__}: {error}"
        raise DataError(f"{path} cannot be read as weights: {reason}", fix="save only the state dict") from error
    for key in ("state_dict", "model"):
        if isinstance(stored, Mapping) and isinstance(stored.get(key), Mapping):
            stored = stored[key]
    if not isinstance(stored, Mapping) or not all(isinstance(value, torch.Tensor) for value in stored.values()):
        raise DataError(f"{path} holds no state dict of tensors", fix="save only the state dict")
    return {str(name).removeprefix("module."): value for name, value in stored.items()}


def load_into(network: torch.nn.Module, weights: Mapping[str, torch.Tensor], path: Path) -> None:
    """Load weights into a network.

    Raises:
        DataError: Names or shapes do not match.
    """
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        first = " ".join(str(error).split())[:300]
        raise DataError(f"{path} does not fit {type(network).__name__}: {first}") from error


def rename_by_position(
    stored: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor]
) -> dict[str, torch.Tensor]:
    """Rename stored tensors to those of a network that has the same tensors in the same order.

    Args:
        stored: Tensors under the names of another implementation.
        wanted: The network's own state dict.

    Returns:
        The stored tensors under the network's names.

    Raises:
        DataError: The number or shapes of the tensors differ.
    """
    if len(stored) != len(wanted):
        raise DataError(f"the weights file has {len(stored)} tensors, the network {len(wanted)}")
    renamed = {}
    for (name, target), (source, tensor) in zip(wanted.items(), stored.items(), strict=True):
        if tensor.shape != target.shape:
            raise DataError(
                f"{source} in the weights file has shape {tuple(tensor.shape)}, {name} has {tuple(target.shape)}"
            )
        renamed[name] = tensor
    return renamed


def fetch_from_url(url: str) -> Path:
    """The file that torchvision publishes at `url`, from torch's cache, downloaded if necessary.

    Raises:
        MissingError: It is neither cached nor downloadable.
    """
    import torch

    name = Path(urlsplit(url).path).name
    path = Path(torch.hub.get_dir()) / "checkpoints" / name
    expected = Path(name).stem.rpartition("-")[2]  # the name has the start of the sha256: resnet18-f37072fd.pth
    if not path.is_file():
        if offline():
            why = " and GHBENCH_OFFLINE is set" if forbidden() else ""
            raise MissingError(f"the weights {name} are not on this machine yet{why}", fix=_OTHER_WAYS)
        reason = unreachable(url)
        if reason:
            raise MissingError(f"the weights {name} cannot be downloaded: {reason}", fix=_OTHER_WAYS)
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, str(path), hash_prefix=expected, progress=False)
        except (OSError, RuntimeError) as error:
            raise MissingError(f"the weights {name} cannot be downloaded: {error}", fix=_OTHER_WAYS) from error
    if not digest_file(path).startswith(expected):
        raise DataError(f"{path} is damaged: its sha256 does not start with {expected}", fix=f"delete {path}")
    return path


def fetch_from_hub(repository: str, filenames: tuple[str, ...]) -> Path:
    """The first of several files that a repository on the model hub has, from the hub's cache.

    Raises:
        MissingError: None is cached or downloadable.
    """
    try:
        return fetch_first(repository, filenames, "backbones")
    except MissingError as error:
        raise MissingError(f"the weights are missing: {error.message}", fix=f"{error.fix}, or {_OTHER_WAYS}") from error
