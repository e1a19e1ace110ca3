"""Fills a network with the arrays of a file: sizes come from the shapes, and every array is checked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from ghbench.checkpoints import match_keys
from ghbench.errors import DataError
from ghbench.generators.conversion.layouts import Place
from ghbench.generators.layers import channel_table
from ghbench.generators.native import LARGEST, build, freeze

Arrays = Mapping[str, NDArray[Any]]
W_MEAN = "mapping_network.w_mean"
_FIX = "docs/generators.md lists the programs whose files ghbench reads"


def array(tensors: Arrays, name: str, dimensions: int) -> NDArray[Any]:
    """The array `name`, from whose shape a size is read.

    Raises:
        DataError: It is missing or has the wrong number of dimensions.
    """
    if name not in tensors:
        raise DataError(f"the network has no {name}; it has {_some(tensors)}", fix=_FIX)
    if tensors[name].ndim != dimensions or max(tensors[name].shape, default=0) > LARGEST * 16:
        raise DataError(f"{name} has shape {tensors[name].shape}; expected {dimensions} dimensions", fix=_FIX)
    return tensors[name]


def channels(tensors: Arrays, pattern: str) -> dict[int, int]:
    """Channels by resolution, from vectors with one entry a channel.

    Args:
        tensors: Arrays by name.
        pattern: Regular expression for the vectors' names, whose first group is the resolution.

    Raises:
        DataError: The resolutions are not 4, 8, 16, ..., or too large.
    """
    found = {
        int(match[1]): value.size
        for name, value in tensors.items()
        if (match := re.fullmatch(pattern, name)) is not None
    }
    try:
        table = channel_table(found)
    except ValueError as error:
        raise DataError(f"the network's {error}; it has {_some(tensors)}", fix=_FIX) from error
    if max(table) > LARGEST:
        raise DataError(f"the network's resolution is {max(table)}; the largest supported is {LARGEST}")
    return table


def count(tensors: Arrays, pattern: str) -> int:
    """Number of names that match a regular expression."""
    return sum(re.fullmatch(pattern, name) is not None for name in tensors)


def fill(
    cls: type[nn.Module], arguments: Mapping[str, Any], tensors: Arrays, table: Mapping[str, Place], ignored: str
) -> nn.Module:
    """Build a network and fill it with a file's arrays.

    Args:
        cls: Class of the network.
        arguments: Constructor arguments.
        tensors: Arrays by the file's names.
        table: The arrays' places in the file, by our names. Arrays not in it keep their initial values.
        ignored: Regular expression for names in the file that are not needed: filters, training state.

    Returns:
        The frozen network in float32, in evaluation mode.

    Raises:
        DataError: Arrays are missing, extra, of the wrong shape or not finite; the message has the file's own names.
    """
    try:
        with torch.device("meta"):
            shapes = {name: tuple(value.shape) for name, value in cls(**arguments).state_dict().items()}
    except ValueError as error:
        raise DataError(f"the network cannot be built: {error}", fix=_FIX) from error
    kept = {name: value for name, value in tensors.items() if not re.fullmatch(ignored, name)}
    places = {ours: table[ours] for ours in shapes if ours in table}
    match_keys(kept, {place.name: place.layout.shape(shapes[ours]) for ours, place in places.items()})
    # Memory is allocated only now, when all arrays are known to be there.
    module = build(cls, arguments)
    state = module.state_dict()
    for ours, place in places.items():
        values = np.array(place.layout.bring(kept[place.name]), dtype=np.float32, order="C")
        if not np.isfinite(values).all():
            raise DataError(f"{place.name} is not finite", fix="get the file again")
        state[ours] = torch.from_numpy(values)
    module.load_state_dict(state)
    return freeze(module)


def check_filter(tensors: Arrays, pattern: str) -> None:
    """Check that the resampling filters in a file are [1, 3, 3, 1], up to a factor.

    Args:
        tensors: Arrays by name.
        pattern: Regular expression for the filters' names.

    Raises:
        DataError: A filter is another one.
    """
    taps = np.array([1.0, 3.0, 3.0, 1.0]) / 8
    for name, value in tensors.items():
        if re.fullmatch(pattern, name) is None:
            continue
        total = float(value.sum()) if value.shape == (4, 4) else 0.0
        if total <= 0 or not np.allclose(value / total, np.outer(taps, taps), atol=1e-5):
            raise DataError(f"{name} is not the filter [1, 3, 3, 1]; other filters are not supported")


def _some(tensors: Arrays) -> str:
    return ", ".join([*list(tensors)[:6], *(["..."] if len(tensors) > 6 else [])]) or "nothing"
