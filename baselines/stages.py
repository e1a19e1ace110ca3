"""Finds the stages of an unknown network by running it on the meta device."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from ghbench.extractor import Level

from .pooling import Pool
from .taps import Layout, Tap, timm_final

if TYPE_CHECKING:
    import torch

Shapes = list[tuple[str, type, tuple[int, ...]]]


_BESIDE = ("aux1", "aux2", "AuxLogits", "text_model", "text_projection")
"""Parts that images never pass, or only in training: auxiliary classifiers, and the towers of texts."""


def skeleton(build: Callable[[], torch.nn.Module]) -> torch.nn.Module:
    """Build a network on the meta device: shapes without values, at no cost.

    Args:
        build: Builds the network on torch's default device.

    Returns:
        The network in eval mode.
    """
    import torch

    try:
        with torch.device("meta"):
            network = build()
    except (NotImplementedError, RuntimeError):  # some constructors compute their widths with tensors
        network = build().to("meta")
    return network.eval()


def parameters_of(network: torch.nn.Module, head: Any = None) -> int:
    """Numbers that training sets in a network, less those of its classifier, which encodes nothing.

    Args:
        network: The network, on any device.
        head: Its classifier, or several.
    """
    import torch

    beside = [getattr(network, name, None) for name in _BESIDE]
    heads = [
        one for one in (*beside, *(head if isinstance(head, tuple) else (head,))) if isinstance(one, torch.nn.Module)
    ]
    unread = {id(weight) for one in heads for weight in one.parameters()}
    return sum(weight.numel() for weight in network.parameters() if id(weight) not in unread)


def discover_stages(network: torch.nn.Module, size: int) -> tuple[tuple[Level, ...], dict[str, Tap]]:
    """Find the levels of a classification network.

    A stage ends where the next block has a smaller map; networks without maps (vision transformers) are read after
    each quarter of their blocks. `pooled` is the input of the last linear layer. The last stage is left out if it is as
    wide as `pooled`, since it is then the same, up to a norm.

    Args:
        network: The network, on the meta device, in eval mode.
        size: Height and width of its input.

    Returns:
        Levels in network order, the default one (`pooled`) last, and where to read each.
    """
    head = [name for name, _ in network.named_children()][-1]
    blocks, final = _observe_shapes(network, size, head)
    stages = _stage_ends(blocks) or _quarters(blocks)
    if stages and _channels(stages[-1][1][1]) == _channels(final[1]):
        stages.pop()
    levels = [Level(name, _channels(shape)) for name, (_, shape) in stages]
    taps = {name: Tap(module, layout=_layout(shape)) for name, (module, shape) in stages}
    taps["pooled"] = Tap(final[0], side="input", layout=_layout(final[1]))
    return (*levels, Level("pooled", _channels(final[1]))), taps


def timm_stages(network: Any, size: tuple[int, int], how: Pool = "default") -> tuple[Level, ...]:
    """Find the levels of a timm network, as `taps.timm_levels` reads them.

    Args:
        network: The network, on the meta device, in eval mode.
        size: Height and width of its input.
        how: The pooling of the final level.

    Returns:
        Levels in network order, the final one last; only that one if timm gives no intermediate features. It is called
        `pooled`, or by its pooling if that is not the network's own.
    """
    import torch

    images = torch.empty(2, 3, *size, device="meta")
    with torch.inference_mode():
        if not hasattr(network, "forward_intermediates"):
            final, maps = network.forward_features(images), []
        else:
            final, maps = network.forward_intermediates(images)
        name, features = timm_final(network, final, how)
        pooled = Level(name, features.shape[-1])
    shapes = [tuple(value.shape) for value in maps]
    if len({shape[2:] for shape in shapes}) == 1 and len(shapes) > 1:
        levels = [Level(f"block{row + 1}", shapes[row][1]) for row in quarter_rows(len(shapes))]
    else:
        levels = [Level(f"stage{number}", shape[1]) for number, shape in enumerate(shapes, start=1)]
    if levels and levels[-1].dim == pooled.dim:
        levels.pop()
    return (*levels, pooled)


def _observe_shapes(network: torch.nn.Module, size: int, head: str) -> tuple[Shapes, tuple[str, tuple[int, ...]]]:
    """Output shapes of the blocks before the head, in the order of execution, and the input of the last linear layer.

    A network without a linear layer (SqueezeNet) is read at the input of its head.
    """
    import torch

    seen: Shapes = []
    inputs: dict[str, tuple[int, ...]] = {}

    def watch_output(name: str, module: torch.nn.Module) -> None:
        def keep(_module: Any, _inputs: Any, output: Any) -> None:
            if isinstance(output, torch.Tensor):
                seen.append((name, type(module), tuple(output.shape)))

        module.register_forward_hook(keep)

    def watch_input(name: str, module: torch.nn.Module) -> None:
        def keep(_module: Any, given: tuple[torch.Tensor, ...]) -> None:
            inputs[name] = tuple(given[0].shape)

        module.register_forward_pre_hook(keep)

    for name, module in _blocks(network):
        if name.partition(".")[0] != head:
            watch_output(name, module)
    for name, module in network.named_modules():
        if name.partition(".")[0] == head and (name == head or isinstance(module, torch.nn.Linear)):
            watch_input(name, module)
    with torch.inference_mode():
        network(torch.empty(2, 3, size, size, device="meta"))
    last = list(inputs)[-1]
    return seen, (last, inputs[last])


def _blocks(network: torch.nn.Module) -> Iterator[tuple[str, torch.nn.Module]]:
    """Top-level modules and what is inside containers; a top-level module that has a container counts as one.

    Other modules are not entered: a branch of a block is not on the path from image to head.
    """
    import torch

    containers = (torch.nn.Sequential, torch.nn.ModuleList)

    def below(module: torch.nn.Module, prefix: str, depth: int) -> Iterator[tuple[str, torch.nn.Module]]:
        for name, child in module.named_children():
            yield f"{prefix}{name}", child
            holds_container = any(isinstance(inner, containers) for inner in child.children())
            if isinstance(child, containers) or (depth == 0 and holds_container):
                yield from below(child, f"{prefix}{name}.", depth + 1)

    return below(network, "", 0)


def _stage_ends(blocks: Shapes) -> list[tuple[str, tuple[str, tuple[int, ...]]]]:
    """The last block of each map size."""
    ends: dict[int, tuple[str, tuple[int, ...]]] = {}
    for name, _, shape in blocks:
        if len(shape) == 4 and _side(shape) > 1:
            ends[_side(shape)] = (name, shape)
    if len(ends) < 2:  # a transformer has a single map, its patches
        return []
    return [(f"stage{number}", end) for number, end in enumerate(ends.values(), start=1)]


def _quarters(blocks: Shapes) -> list[tuple[str, tuple[str, tuple[int, ...]]]]:
    """Token blocks after each quarter of the depth."""
    kinds = Counter(kind for _, kind, shape in blocks if len(shape) == 3)
    if not kinds:
        return []
    main = kinds.most_common(1)[0][0]
    layers = [(name, shape) for name, kind, shape in blocks if kind is main and len(shape) == 3]
    return [(f"block{row + 1}", layers[row]) for row in quarter_rows(len(layers))]


def quarter_rows(count: int) -> list[int]:
    """Rows of the last block in each quarter of `count` blocks."""
    return sorted({max(count * quarter // 4 - 1, 0) for quarter in (1, 2, 3, 4)})


def _layout(shape: tuple[int, ...]) -> Layout:
    return "NHWC" if len(shape) == 4 and shape[2] != shape[3] else "NCHW"


def _side(shape: tuple[int, ...]) -> int:
    return shape[2]  # in both layouts, since maps of square images are square


def _channels(shape: tuple[int, ...]) -> int:
    return shape[1] if len(shape) == 4 and _layout(shape) == "NCHW" else shape[-1]
