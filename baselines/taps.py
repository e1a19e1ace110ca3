"""Reads a network's levels while it runs, by hooks that pool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from threading import get_ident
from typing import TYPE_CHECKING, Any, Literal

from ghbench.extractor import ExtractorSpec

from .pooling import Pool, pool

if TYPE_CHECKING:
    import torch

    from .torch_encoder import Levels

Layout = Literal["NCHW", "NHWC"]


@dataclass(frozen=True, slots=True)
class Tap:
    """Where one level is read.

    Args:
        module: Dotted path of the module.
        side: Whether its input or its output is the level.
        layout: Position of the channels in a feature map.
    """

    module: str
    side: Literal["input", "output"] = "output"
    layout: Layout = "NCHW"


@dataclass
class Taps:
    """A network with taps: called with images, it returns the levels.

    Args:
        network: The network.
        places: Where each level is read.
    """

    network: torch.nn.Module
    places: Mapping[str, Tap]
    _seen: dict[int, dict[str, torch.Tensor]] = field(default_factory=dict)
    """By thread, what it has seen: several may run the network at once."""

    def __post_init__(self) -> None:
        modules = dict(self.network.named_modules())
        for level, tap in self.places.items():
            if tap.side == "output":
                modules[tap.module].register_forward_hook(self._output_hook(level, tap.layout))
            else:
                modules[tap.module].register_forward_pre_hook(self._input_hook(level, tap.layout))

    def __call__(self, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Run the network: normalised images [N, 3, H, W] to levels [N, D]."""
        seen = self._seen[get_ident()] = {}
        try:
            self.network(images)
        finally:
            del self._seen[get_ident()]
        return {level: seen[level] for level in self.places}

    # Pooled inside the hook, because in-place activations overwrite the map afterwards.
    def _output_hook(self, level: str, layout: Layout) -> Any:
        def keep(_module: torch.nn.Module, _inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
            self._seen[get_ident()][level] = average_pool(output, layout)

        return keep

    def _input_hook(self, level: str, layout: Layout) -> Any:
        def keep(_module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
            self._seen[get_ident()][level] = average_pool(inputs[0], layout)

        return keep


def average_pool(features: torch.Tensor, layout: Layout = "NCHW") -> torch.Tensor:
    """Global average pooling.

    Args:
        features: A map [N, C, H, W] (or [N, H, W, C]), tokens [N, T, D], or vectors [N, D].
        layout: Position of the channels in a map.

    Returns:
        [N, C] or [N, D].
    """
    if features.ndim == 4:
        return features.mean(dim=(2, 3) if layout == "NCHW" else (1, 2))
    if features.ndim == 3:
        return features.mean(dim=1)
    return features


def timm_final(network: Any, features: torch.Tensor, how: Pool) -> tuple[str, torch.Tensor]:
    """The final level of a timm network.

    Args:
        network: A network with `forward_head`.
        features: What its last block gives: tokens [N, T, D], a map [N, C, H, W], or [N, H, W, C] where it says so.
        how: The pooling.

    Returns:
        The level's name and values [N, D].
    """
    if how in {"default", "own"}:
        return "pooled", network.forward_head(features, pre_logits=True)
    if features.ndim == 4 and getattr(network, "output_fmt", "NCHW") == "NHWC":
        features = features.permute(0, 3, 1, 2)
    return how, pool(features, how, getattr(network, "num_prefix_tokens", 0))


def timm_levels(network: Any, spec: ExtractorSpec, how: Pool = "default") -> Levels:
    """Levels of a timm network, through timm's interface for intermediate features.

    Args:
        network: A network with `forward_intermediates` and `forward_head`.
        spec: Its spec, with intermediates by number (`stage3`, `block6`), and the final level.
        how: The pooling of the final level.

    Returns:
        A function from normalised images [N, 3, H, W] to levels [N, D].
    """
    names = [level.name for level in spec.levels[:-1]]
    indices = [int(name.removeprefix("stage").removeprefix("block")) - 1 for name in names]

    def levels(images: torch.Tensor) -> dict[str, torch.Tensor]:
        if indices:
            final, maps = network.forward_intermediates(images, indices=indices)
        else:
            final, maps = network.forward_features(images), []
        features = {name: average_pool(value) for name, value in zip(names, maps, strict=True)}
        name, values = timm_final(network, final, how)
        return {**features, name: values}

    return levels
