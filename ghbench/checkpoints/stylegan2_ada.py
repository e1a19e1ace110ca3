"""NVlabs stylegan2-ada-pytorch `.pkl`: modules pickled with their source code, which is never executed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

from ghbench.checkpoints.checkpoint import Content, place, plain
from ghbench.checkpoints.records import Allowed, Budget, Record, inert, refusal
from ghbench.checkpoints.torch_tensors import NESTED_STORAGE, TENSORS

FORMAT = "stylegan2-ada"
_PERSISTENT = "torch_utils.persistence._reconstruct_persistent_obj"
_PICKED = ("G_ema", "D")
_MAX_MODULES = 10_000
_MAX_DEPTH = 32
_MAX_PARTS = 1_000
_MAX_NAME = 80
_VERSIONS = range(1, 7)
_SETTINGS = ("lr_multiplier", "activation", "conv_clamp", "architecture", "use_noise")
"""Settings of modules that change what they compute, as keyword arguments or attributes."""

PERSISTENT: Allowed = {_PERSISTENT: inert(_PERSISTENT)}
ALLOWED: Allowed = {**TENSORS, **NESTED_STORAGE, **PERSISTENT}


def fits(value: Any) -> bool:
    """Whether an unpickled object has this layout."""
    return isinstance(value, dict) and _is_persistent(value.get("G_ema"))


def class_name(value: Any) -> str | None:
    """Class of one persistent object, None for anything else."""
    return _module(value)[0] if _is_persistent(value) else None


def _is_persistent(value: Any) -> bool:
    return isinstance(value, Record) and value.kind == _PERSISTENT


def extract(value: Any) -> Content:
    """The averaged generator as `G_ema/...` and the discriminator as `D/...`, parameters and persistent buffers.

    Args:
        value: Unpickled checkpoint for which `fits` holds.

    Raises:
        DataError: A module is not in that repository's layout.
    """
    tensors: dict[str, NDArray[Any]] = {}
    config: dict[str, Any] = {"training_set_kwargs": plain(value.get("training_set_kwargs"))}
    for network in _PICKED:
        if value.get(network) is None:
            continue
        arrays = _module_arrays(value[network])
        tensors |= {f"{network}/{name}": array for name, array in arrays.items()}
        name, state = _module(value[network])
        config[network] = {
            "class_name": name,
            "init_args": plain(state.get("_init_args")),
            "init_kwargs": plain(state.get("_init_kwargs")),
            "modules": _module_settings(value[network]),
        }
    return Content(tensors, config, ("the source text inside the file was not executed",))


def _module(value: Any) -> tuple[str, dict[str, Any]]:
    """Class name and state of one persistent object."""
    if not _is_persistent(value) or len(value.arguments) != 1 or not isinstance(value.arguments[0], dict):
        raise refusal("a module that is not a persistent class of NVlabs")
    meta = value.arguments[0]
    name, state = meta.get("class_name"), meta.get("state")
    if meta.get("type") != "class" or meta.get("version") not in _VERSIONS:
        raise refusal("a persistent class of an unknown version")
    if not isinstance(name, str) or not isinstance(state, dict):
        raise refusal("a persistent class without name or state")
    return name, state


def _module_arrays(root: Any) -> dict[str, NDArray[Any]]:
    """The arrays of a module tree: what `module.state_dict()` would return."""
    arrays: dict[str, NDArray[Any]] = {}
    for prefix, state in _modules(root):
        passing = state.get("_non_persistent_buffers_set")
        for kind in ("_parameters", "_buffers"):
            for name, tensor in _parts(state, kind).items():
                if tensor is None or (kind == "_buffers" and isinstance(passing, set) and name in passing):
                    continue
                place(arrays, "", f"{prefix}{name}", tensor)
    return arrays


def _module_settings(root: Any) -> dict[str, Any]:
    """What the modules below the root state of `_SETTINGS`, by `MODULE.SETTING`."""
    found: dict[str, Any] = {}
    for prefix, state in _modules(root):
        stated = state.get("_init_kwargs")
        for values in (stated if isinstance(stated, dict) and prefix else {}, state):
            found |= {f"{prefix}{name}": plain(values[name]) for name in _SETTINGS if name in values}
    return found


def _modules(root: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Prefix and state of every module of a tree."""
    pending = [("", root, 0)]
    count = 0
    budget = Budget()
    while pending:
        prefix, value, depth = pending.pop()
        count += 1
        # A module may be its own child, or shared a billion times.
        if depth > _MAX_DEPTH or count + len(pending) > _MAX_MODULES:
            raise refusal("the tree of modules is implausibly large")
        state = _module(value)[1]
        budget.spend_parts(sum(len(_parts(state, kind)) for kind in ("_parameters", "_buffers", "_modules")))
        yield prefix, state
        children = _parts(state, "_modules").items()
        pending += [(f"{prefix}{name}.", child, depth + 1) for name, child in reversed(children) if child is not None]


def _parts(state: dict[str, Any], kind: str) -> dict[str, Any]:
    part = state.get(kind, {})
    if not isinstance(part, dict) or len(part) > _MAX_PARTS:
        raise refusal(f"a module whose {kind} are not a dictionary, or too many")
    if not all(isinstance(name, str) and len(name) <= _MAX_NAME for name in part):
        raise refusal(f"a module whose {kind} have invalid names")
    return part
