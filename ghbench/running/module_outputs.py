"""Whatever a network returns as levels [N, D]: tensors in dicts, tuples and model outputs, maps, tokens."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from ghbench.errors import PluginError

if TYPE_CHECKING:
    import torch

Pool = Literal["cls", "mean"]
_EXPECTED = "expected a tensor [N, D], [N, C, H, W] or [N, T, D], or a dict, list or tuple of them"
_PREFERRED = ("image_embeds", "pooler_output", "last_hidden_state")
"""What libraries call the output meant for use; else the last one is."""


def named_tensors(output: object, name: str = "") -> Iterator[tuple[str, Any]]:
    """Walk through nested outputs: `a.b` is entry b of entry a, `output.0` the first of several without names."""
    if isinstance(output, Mapping):
        parts = {str(key): value for key, value in output.items()}
    elif dataclasses.is_dataclass(output) and not isinstance(output, type):
        parts = {field.name: getattr(output, field.name) for field in dataclasses.fields(output)}
    elif isinstance(output, tuple) and hasattr(output, "_asdict"):
        parts = output._asdict()
    elif isinstance(output, list | tuple):
        if len(output) == 1:
            yield from named_tensors(output[0], name)
            return
        name = name or "output"
        parts = {str(number): value for number, value in enumerate(output)}
    else:
        yield name or "features", output
        return
    for key, value in parts.items():
        yield from named_tensors(value, f"{name}.{key}" if name else key)


def pooled_levels(
    output: object, images: int, module: object, pool: Pool | None = None, name: str = ""
) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """Levels of a network's output, with what was done to them.

    Args:
        output: What the network, or one of its modules, returned.
        images: Images in the batch.
        module: The network, which may know how many tokens come before the patches.
        pool: What tokens become; None: the class token where there is one, else their mean.
        name: Level of the output, where it has one.

    Returns:
        Tensors [N, D] by level, and sentences about them by level.

    Raises:
        PluginError: Nothing in it is features of these images.
    """
    import torch

    levels, remarks, refused = {}, {}, {}
    for level, value in named_tensors(output, name):
        if not isinstance(value, torch.Tensor):
            if value is not None:
                refused[level] = type(value).__name__
        elif "attentions" in level or value.ndim not in {2, 3, 4} or not value.is_floating_point():
            refused[level] = f"{tuple(value.shape)} of {value.dtype}"
        elif len(value) != images:
            refused[level] = f"{tuple(value.shape)} for {images} images"
        elif value.ndim == 3:
            levels[level], remarks[level] = _pool_tokens(value, module, pool)
        else:
            levels[level] = value.mean(dim=(2, 3)) if value.ndim == 4 else value
    if not levels:
        found = "; ".join(f"level {level!r}: {what}" for level, what in refused.items()) or type(output).__name__
        raise PluginError(f"the module returned no features, but {found}; {_EXPECTED}")
    return levels, {**remarks, **{level: f"left out: {what}" for level, what in refused.items()}}


def default_level(levels: Mapping[str, object]) -> str:
    """The level that is evaluated where the user names none."""
    return next((name for name in _PREFERRED if name in levels), list(levels)[-1])


def grouped_remarks(remarks: Mapping[str, str]) -> list[str]:
    """Sentences about levels, each once with the levels that it is about."""
    levels: dict[str, list[str]] = {}
    for level, text in remarks.items():
        levels.setdefault(text, []).append(level)
    return [f"level {', '.join(names)}: {text}" for text, names in levels.items()]


def _pool_tokens(tokens: torch.Tensor, module: object, pool: Pool | None) -> tuple[torch.Tensor, str]:
    count = tokens.shape[1]
    first = _tokens_before_patches(module, count)
    if pool == "cls" or (pool is None and first):
        return tokens[:, 0], f"class token of {count} tokens (pool=mean: the mean of the others)"
    if first:
        return tokens[:, first:].mean(dim=1), f"mean of {count - first} patches (pool=cls: the class token)"
    return tokens.mean(dim=1), f"mean of {count} tokens (pool=cls: the first one)"


def _tokens_before_patches(module: object, count: int) -> int:
    """Class token and registers, as timm and transformers state them, else what leaves a square of patches."""
    stated = getattr(module, "num_prefix_tokens", None)
    registers = getattr(getattr(module, "config", None), "num_register_tokens", None)
    if not isinstance(stated, int) and isinstance(registers, int):
        stated = 1 + registers
    candidates = [stated, 0] if isinstance(stated, int) else [0, 1, 5]
    squares = [number for number in candidates if count > number and math.isqrt(count - number) ** 2 == count - number]
    return squares[0] if squares else stated if isinstance(stated, int) and stated < count else 0
