"""Identity of a network: its weights, its source and its configuration, never what it computes."""

from __future__ import annotations

import enum
import functools
import hashlib
import inspect
import types
from collections.abc import Iterator, Mapping
from typing import Any

from ghbench.digests import digest_array, digest_lines
from ghbench.user_code import is_library

_DEEPEST = 8


def module_digest(module: Any, ignored: frozenset[str] = frozenset()) -> str:
    """sha256 over a module's parameters and buffers, the source that it runs, and the attributes of its parts.

    Source is that of every class that torch does not bring, of its bases, and of the user's functions and plain values
    that its methods name.

    Args:
        module: The network.
        ignored: Attributes that are no configuration, as `attribute_digests` names them.
    """
    held = {**module.state_dict(), **dict(module.named_buffers())}  # buffers that are not saved count as well
    lines = [
        f"{key}\t{_tensor_digest(value) if _is_tensor(value) else _description(value)}" for key, value in held.items()
    ]
    kinds = dict.fromkeys(base for part in module.modules() for base in type(part).__mro__)
    seen: set[int] = set()
    for kind in kinds:
        lines += _sources(kind, seen)
    attributes = {name: text for name, text in attribute_digests(module).items() if name not in ignored}
    return digest_lines([*lines, *(f"{name}\t{text}" for name, text in sorted(attributes.items()))])


def attribute_digests(module: Any) -> dict[str, str]:
    """Digest of each attribute of each part, `layer1.0.stride`, and the class of each part.

    What a forward pass changes is a counter or a cache; whoever calls this before and after one knows which.
    """
    found = {}
    for place, part in module.named_modules():
        found[place] = f"{type(part).__module__}.{type(part).__qualname__}" + str(getattr(part, "code", ""))
        for name, value in vars(part).items():
            if name not in _torch_attributes():
                found[f"{place}.{name}"] = hashlib.sha256(_description(value).encode()).hexdigest()
    return found


@functools.cache
def _torch_attributes() -> frozenset[str]:
    import torch

    return frozenset(vars(torch.nn.Module()))


def _is_tensor(value: object) -> bool:
    import torch

    return isinstance(value, torch.Tensor)


def _tensor_digest(value: Any) -> str:
    import torch

    value = value.detach().cpu()
    if value.dtype is torch.bfloat16:  # which NumPy does not know
        return f"bfloat16 {digest_array(value.view(torch.int16).numpy())}"
    return digest_array(value.numpy())


def _description(value: Any, depth: int = 0) -> str:
    """A text that is the same for equal values in every process; no address of an object is in it."""
    kind = f"{type(value).__module__}.{type(value).__qualname__}"
    if value is None or isinstance(value, bool | int | float | complex | str | bytes | enum.Enum):
        text = repr(value)
    elif depth > _DEEPEST:
        text = kind
    elif _is_tensor(value):
        text = f"{kind} {_tensor_digest(value)}"
    elif hasattr(value, "__array_interface__"):
        text = f"{kind} {digest_array(value)}"
    elif isinstance(value, type) or inspect.isroutine(value):
        text = f"{getattr(value, '__module__', '')}.{value.__qualname__} {_source(value)}"
    elif isinstance(value, types.ModuleType):
        text = value.__name__
    elif kind.startswith("torch."):
        text = str(value) if type(value).__name__ in {"dtype", "device", "memory_format"} else kind
    else:
        text = f"{kind}({', '.join(_parts(value, depth + 1))})"
    return text


def _parts(value: Any, depth: int) -> list[str]:
    """What containers and plain objects hold, in a fixed order."""
    if isinstance(value, list | tuple):
        return [_description(held, depth) for held in value]
    if isinstance(value, set | frozenset):
        return sorted(_description(held, depth) for held in value)
    if isinstance(value, functools.partial):
        return [_description(part, depth) for part in (value.func, value.args, value.keywords)]
    held = value if isinstance(value, Mapping) else getattr(value, "__dict__", {})
    return sorted(f"{_description(key, depth)}: {_description(part, depth)}" for key, part in held.items())


def _sources(target: Any, seen: set[int]) -> Iterator[str]:
    """Source of a class or function, and of what the user's code names in it; nothing of torch and of Python."""
    if id(target) in seen or getattr(target, "__module__", "").partition(".")[0] in {"torch", "builtins", "typing"}:
        return
    seen.add(id(target))
    yield f"{target.__qualname__}\t{_source(target)}"
    for function in vars(target).values() if isinstance(target, type) else [target]:
        plain = inspect.unwrap(getattr(function, "__func__", function))
        if isinstance(plain, types.FunctionType) and not is_library(plain.__code__.co_filename):
            for name in sorted(set(_names(plain.__code__))):
                named = plain.__globals__.get(name)
                if isinstance(named, types.FunctionType | type):
                    if not is_library(_file(named)):
                        yield from _sources(named, seen)
                elif named is not None and not isinstance(named, types.ModuleType) and not callable(named):
                    yield f"{name}\t{_description(named)}"


def _names(code: types.CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _names(constant)


def _file(target: Any) -> str:
    try:
        return inspect.getfile(target)
    except (OSError, TypeError):
        return "<frozen>"


def _source(target: Any) -> str:
    try:
        source = inspect.getsource(target)
    except (OSError, TypeError):
        # What is typed into a prompt has no source; weights and attributes still tell networks apart.
        source = target.__qualname__
    return hashlib.sha256(source.encode()).hexdigest()
