"""TensorFlow pickles of StyleGAN1, StyleGAN2 and the official GH-Feat.

The networks carry their source code, which is ignored; the variables are plain arrays. TensorFlow is not needed.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench.checkpoints.checkpoint import Content, match_keys, place, plain
from ghbench.checkpoints.records import Allowed, Record, inert, refusal
from ghbench.checkpoints.tensorflow_tables import expected_encoder, expected_generator

STYLEGAN1, STYLEGAN2, GHFEAT = "tensorflow-stylegan1", "tensorflow-stylegan2", "tensorflow-ghfeat"
_NETWORK = "dnnlib.tflib.network.Network"
_NAMES = {3: ("G", "D", "Gs"), 4: ("E", "G", "D", "Gs")}
_VERSIONS = range(2, 7)
# A component may contain itself, or be shared a billion times.
_MAX_DEPTH = 3
_MAX_COMPONENTS = 8
_MAX_NAME = 80

ALLOWED: Allowed = {_NETWORK: inert(_NETWORK), "dnnlib.tflib.Network": inert(_NETWORK)}


def fits(value: Any) -> bool:
    """Whether an unpickled object has this layout."""
    return (
        isinstance(value, (tuple, list))
        and len(value) in _NAMES
        and all(isinstance(part, Record) and part.kind == _NETWORK for part in value)
    )


def extract(value: Any) -> tuple[str, Content]:
    """Every network's variables as `Gs/synthesis/4x4/Const/const`.

    Args:
        value: Unpickled tuple for which `fits` holds: (G, D, Gs) or (E, G, D, Gs).

    Returns:
        The format and its content.

    Raises:
        DataError: A network is unreadable, or its variables do not match its architecture.
    """
    tensors: dict[str, NDArray[Any]] = {}
    config: dict[str, Any] = {}
    networks = {}
    for name, record in zip(_NAMES[len(value)], value, strict=True):
        networks[name] = _variables(record, 0)
        tensors |= {f"{name}/{key}": array for key, array in networks[name].items()}
        config[name] = {
            "name": plain(record.state.get("name")),
            "build_func_name": plain(record.state.get("build_func_name")),
            "static_kwargs": plain(record.state.get("static_kwargs")),
            "modules": {
                part: plain(component.state.get("static_kwargs"))
                for part, component in record.state.get("components", {}).items()
            },
        }
    kind = GHFEAT if "E" in networks else STYLEGAN1
    if any(key.endswith("/mod_weight") for key in networks["Gs"]):
        kind = STYLEGAN2
    else:
        match_keys(networks["Gs"], expected_generator(networks["Gs"]))
    if "E" in networks:
        match_keys(networks["E"], expected_encoder(networks["E"]))
    return kind, Content(tensors, config, ("the source text inside the file was not executed",))


def _variables(record: Any, depth: int) -> dict[str, NDArray[Any]]:
    """Variables of a network and its components, by path."""
    if depth > _MAX_DEPTH or not isinstance(record, Record) or record.kind != _NETWORK:
        raise refusal("a component that is not a TensorFlow network")
    state = record.state
    if not isinstance(state, dict) or state.get("version") not in _VERSIONS:
        raise refusal("a TensorFlow network of an unknown version")
    own, components = state.get("variables"), state.get("components", {})
    if not isinstance(own, (list, tuple)) or not isinstance(components, dict) or len(components) > _MAX_COMPONENTS:
        raise refusal("a TensorFlow network without variables or components")
    arrays: dict[str, NDArray[Any]] = {}
    for pair in own:
        if not isinstance(pair, (tuple, list)) or len(pair) != 2 or not isinstance(pair[0], str):
            raise refusal("a TensorFlow variable without a name")
        name, values = pair
        place(arrays, "", name, np.asarray(values) if isinstance(values, np.generic) else values)
    for name, component in components.items():
        if not isinstance(name, str) or len(name) > _MAX_NAME:
            raise refusal("a component with an invalid name")
        for key, array in _variables(component, depth + 1).items():
            place(arrays, name, key, array)
    return arrays
