"""rosinality/stylegan2-pytorch `.pt`: training checkpoints and converted ones; the averaged generator is `g_ema`."""

from __future__ import annotations

from typing import Any

from ghbench.checkpoints.checkpoint import Content, plain, state_arrays
from ghbench.checkpoints.torch_tensors import as_array, is_tensor

FORMAT = "rosinality"


def fits(value: Any) -> bool:
    """Whether an unpickled object has this layout."""
    return isinstance(value, dict) and isinstance(value.get("g_ema"), dict)


def extract(value: Any) -> Content:
    """The averaged generator as `g_ema/...`, the discriminator as `d/...`, and `latent_avg` if present.

    The raw generator `g` is left out: images are made by the average.

    Args:
        value: Unpickled checkpoint for which `fits` holds.

    Raises:
        DataError: A network is not a state dict.
    """
    tensors = state_arrays(value["g_ema"], "g_ema")
    if "d" in value:
        tensors |= state_arrays(value["d"], "d")
    notes = []
    if is_tensor(value.get("latent_avg")):
        tensors["latent_avg"] = as_array(value["latent_avg"])
    else:
        notes.append(
            "the file has no latent_avg (training checkpoints never do): the mean of w is estimated from samples"
        )
    return Content(tensors, {"args": plain(value.get("args"))}, tuple(notes))
