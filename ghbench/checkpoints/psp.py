"""pSp and e4e `.pt`: one state dict of `encoder.*` and `decoder.*`; the decoder is rosinality's generator."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ghbench.checkpoints.checkpoint import Content, plain, state_arrays
from ghbench.checkpoints.torch_tensors import as_array, is_tensor

FORMAT = "psp"
_NETWORKS = ("encoder", "decoder")


def fits(value: Any) -> bool:
    """Whether an unpickled object has this layout."""
    state = value.get("state_dict") if isinstance(value, dict) else None
    return isinstance(state, dict) and any(isinstance(name, str) and name.startswith("decoder.") for name in state)


def extract(value: Any) -> Content:
    """The networks as `decoder/...` and `encoder/...`, and `latent_avg` if present.

    Args:
        value: Unpickled checkpoint for which `fits` holds.

    Raises:
        DataError: Something in one of the networks is not a tensor.
    """
    tensors: dict[str, NDArray[Any]] = {}
    for network in _NETWORKS:
        own = {
            name.removeprefix(f"{network}."): part
            for name, part in value["state_dict"].items()
            if isinstance(name, str) and name.startswith(f"{network}.")
        }
        tensors |= state_arrays(own, network)
    notes = ["the names under decoder/ are rosinality's"]
    if is_tensor(value.get("latent_avg")):
        tensors["latent_avg"] = as_array(value["latent_avg"])
    else:
        notes.append("the file has no latent_avg: the mean of w is estimated from samples")
    return Content(tensors, {"opts": plain(value.get("opts"))}, tuple(notes))
