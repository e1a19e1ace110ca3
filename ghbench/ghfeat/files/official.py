"""Converts the authors' TensorFlow encoders to our networks: names, axes and padding of the official program.

Source of the names: `training/networks_ghfeat.py` of genforce/ghfeat. Its convolutions are `[k, k, in, out]`, its
dense weights `[in, out]`; it flattens maps in the order channel, row, column, as we do.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ghbench.checkpoints import Checkpoint, match_keys
from ghbench.errors import DataError
from ghbench.ghfeat.files.description import OFFICIAL
from ghbench.ghfeat.network.config import EncoderConfig, paper
from ghbench.ghfeat.network.encoder import Encoder
from ghbench.ghfeat.network.layout import adain_layout

OFFICIAL_CHANNELS = {4: 512, 8: 512, 16: 512, 32: 512, 64: 256, 128: 128, 256: 64}
"""Channels of the authors' generators by resolution."""

_LETTERS = "abc"
_HEADS = {"high": "HighLevel", "mid": "MidLevel", "low": "LowLevel"}
_NORM = {"weight": "gamma", "bias": "beta", "running_mean": "moving_mean", "running_var": "moving_variance"}


def official_name(name: str) -> str | None:
    """The official program's name of one of our encoder's tensors.

    None for those that it does not have: mean and standard deviation of codes, and counts of batches.
    """
    owner, _, part = name.rpartition(".")
    if re.match(r"(mean|deviation)_", name) or part == "num_batches_tracked":
        return None
    owner, _, kind = owner.rpartition(".") if owner.endswith((".conv", ".norm", ".dense")) else (owner, "", "conv")
    place = _place(owner)
    return f"{place}/batch_norm/{_NORM[part]}" if kind == "norm" else f"{place}/{part}"


def _place(owner: str) -> str:
    match owner.split("."):
        case ["trunk", "stem"]:
            return "Conv0"
        case ["trunk", "stages", stage, unit, *rest]:
            scope = f"stage{int(stage) + 1}" + (f"_unit{int(unit) + 1}" if int(stage) < 4 else "")
            return f"{scope}/Shortcut" if rest == ["shortcut"] else f"{scope}/Conv{_LETTERS[int(rest[1])]}"
        case ["pyramid", "lateral", row]:
            return f"fpn/lconv_{int(row) + 3}"
        case ["pyramid", "output", row]:
            return f"fpn/fconv_{row}"
        case ["alignment", "fuse", row]:
            return f"fuse_conv_{row}"
        case ["heads", head]:
            return _HEADS[head]
        case _:
            raise KeyError(owner)


def official_encoder(checkpoint: Checkpoint) -> Encoder:
    """The encoder of an official checkpoint.

    Args:
        checkpoint: The authors' pickle, or its conversion by `ghbench convert`, read by `ghbench.checkpoints.read`.

    Returns:
        The encoder in evaluation mode, on the CPU, float32. Its codes are the authors', at their true widths.

    Raises:
        DataError: There is no encoder, or its arrays do not fit the official architecture.
    """
    return encoder_from_official(checkpoint.network(OFFICIAL), official_config(checkpoint))


def official_config(checkpoint: Checkpoint) -> EncoderConfig:
    """The architecture of an official checkpoint's encoder.

    Raises:
        DataError: The generator beside the encoder is not a StyleGAN1.
    """
    layout = adain_layout(_channels(checkpoint))
    return paper(layout, 2 ** (layout.rows // 2 + 1), padding="same")


def encoder_from_official(variables: Mapping[str, NDArray[Any]], config: EncoderConfig) -> Encoder:
    """An encoder with the official program's variables.

    Raises:
        DataError: Names or shapes do not fit.
    """
    with torch.device("meta"):
        encoder = Encoder(config)
    wanted = encoder.state_dict()
    names = {name: official_name(name) for name in wanted}
    match_keys(
        variables,
        {theirs: _official_shape(tuple(wanted[ours].shape)) for ours, theirs in names.items() if theirs is not None},
    )
    state = {
        ours: _initial_value(ours, wanted[ours]) if theirs is None else _to_torch(variables[theirs])
        for ours, theirs in names.items()
    }
    # Assigned, not copied, so that the network is never in memory twice.
    encoder.load_state_dict(state, assign=True)
    return encoder.eval()


def _official_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (*shape[2:], shape[1], shape[0]) if len(shape) > 1 else shape


def _to_torch(array: NDArray[Any]) -> Tensor:
    axes = {4: (3, 2, 0, 1), 2: (1, 0)}.get(array.ndim, tuple(range(array.ndim)))
    return torch.from_numpy(np.ascontiguousarray(array.transpose(axes), dtype=np.float32))


def _initial_value(name: str, like: Tensor) -> Tensor:
    value = 1 if name.startswith("deviation_") else 0
    return torch.full(like.shape, value, dtype=like.dtype, device="cpu")


def _channels(checkpoint: Checkpoint) -> dict[int, int]:
    """Channels of the generator beside the encoder, official or converted."""
    found: dict[int, int] = {}
    for name, array in checkpoint.tensors.items():
        place = re.fullmatch(r"Gs/synthesis/(\d{1,5})x\1/Conv1?/bias", name)
        if place and array.ndim == 1:
            found[int(place[1])] = array.size
    # An encoder that was converted alone has the only size that its program supports; shapes are checked later.
    found = found or _converted_channels(checkpoint) or OFFICIAL_CHANNELS
    if sorted(found) != [4 * 2**row for row in range(len(found))] or len(found) < 4:
        raise DataError(
            "the checkpoint has no StyleGAN1 generator for its encoder",
            fix="use the authors' encoder pickle, which holds E, G, D and Gs",
        )
    return found


def _converted_channels(checkpoint: Checkpoint) -> dict[int, int]:
    try:
        stored = checkpoint.config["architecture"]["generator"]["arguments"]["channels"]
        return {int(side): int(count) for side, count in (stored.items() if isinstance(stored, dict) else stored)}
    except (KeyError, TypeError, ValueError):
        return {}
