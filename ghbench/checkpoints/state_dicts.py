"""Bare and wrapped state dicts: brought into the layout of the program whose names they have."""

from __future__ import annotations

from typing import Any

from ghbench.checkpoints import genforce, rosinality, stylegan2_ada
from ghbench.checkpoints.checkpoint import Content, state_arrays
from ghbench.checkpoints.torch_tensors import is_tensor

_WRAPPERS = (
    "g_ema", "G_ema", "params_ema", "generator_ema", "ema", "state_dict", "model_state_dict", "params", "model",
    "g", "G", "generator", "netG", "decoder",
)  # fmt: skip
"""Keys under which programs put a state dict or its generator, averages first."""
_AVERAGES = ("g_ema", "G_ema", "params_ema", "generator_ema", "ema")
_PREFIXES = ("", *(f"{name}." for name in _WRAPPERS))
_DEEPEST = 4
_SIGNATURES = {
    "g_ema": ("style.1.weight", "conv1.conv.weight"),
    "generator_smooth": ("mapping.dense0.weight", "synthesis.layer0.const"),
    "G_ema": ("mapping.fc0.weight", "synthesis.b4.const"),
}
"""Two names of each program's generator, by the network's name in its own files."""


def bare_content(value: Any) -> tuple[str, Content] | None:
    """Format and content of a file that holds the state dict of a known generator, wrapped or not; None for others.

    Args:
        value: Unpickled object.

    Raises:
        DataError: Something in the state dict is not a tensor.
    """
    path: list[str] = []
    mean = None
    for _ in range(_DEEPEST):
        if not isinstance(value, dict):
            return None
        mean = value.get("latent_avg", mean)
        if any(is_tensor(part) and isinstance(name, str) and "." in name for name, part in value.items()):
            break
        inner = next((name for name in _WRAPPERS if isinstance(value.get(name), dict)), "")
        path.append(inner)
        value = value.get(inner)
    if not isinstance(value, dict):
        return None
    state = {name.removeprefix("module."): part for name, part in value.items() if isinstance(name, str)}
    for prefix in _PREFIXES:
        own = {name.removeprefix(prefix): part for name, part in state.items() if name.startswith(prefix)}
        own.pop("latent_avg", None)
        for network, names in _SIGNATURES.items():
            if all(name in own for name in names):
                where = [*path, *([prefix.removesuffix(".")] if prefix else [])]
                notes = ["a state dict, found " + (f"at {'.'.join(where)}" if where else "alone in the file")]
                if not {*where} & {*_AVERAGES}:
                    notes.append("the file does not say whether these weights are an average")
                return _content(network, own, mean, notes)
    return None


def _content(network: str, state: dict[str, Any], mean: Any, notes: list[str]) -> tuple[str, Content]:
    """The state dict as its program's own files hold it."""
    if network == "G_ema":
        notes.append("a state dict states no settings: no conv_clamp is assumed")
        return stylegan2_ada.FORMAT, Content(state_arrays(state, network), {}, tuple(notes))
    reader = rosinality if network == "g_ema" else genforce
    content = reader.extract({network: state, **({"latent_avg": mean} if is_tensor(mean) else {})})
    return reader.FORMAT, Content(content.tensors, content.config, (*notes, *content.notes))


def whole_module(value: Any) -> dict[str, Any] | None:
    """A module of NVlabs' program that `torch.save` or `pickle` wrote alone, such as a tuned generator."""
    name = stylegan2_ada.class_name(value)
    return None if name is None else {"D" if "Discriminator" in name else "G_ema": value}


def is_parallel(value: dict[str, Any]) -> bool:
    """Whether a network of a known layout has the prefix that `DataParallel` adds to its names."""
    return any(isinstance(part, dict) and str(next(iter(part), "")).startswith("module.") for part in value.values())
