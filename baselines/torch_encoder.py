"""Base class of the torch backbones: built on first use, frozen, float32, channels last, inference mode."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import torch

    from ghbench.extractor import ExtractorSpec

    Levels = Callable[[torch.Tensor], Mapping[str, torch.Tensor]]


CPU_IMAGES = 8
"""Images a batch on a CPU: few, so that their maps stay in its caches."""


class TorchEncoder(ABC):
    """Runs a frozen network and returns its pooled levels.

    Attributes:
        mean: Mean that is subtracted from images in [0, 1], by channel.
        std: Standard deviation they are divided by.
    """

    concurrent = True
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __init__(self) -> None:
        self._device = "cpu"
        self._plain = False
        self._network: tuple[torch.nn.Module, Levels] | None = None

    @abstractmethod
    def spec(self) -> ExtractorSpec:
        """Describe the extractor."""

    @abstractmethod
    def build(self) -> tuple[torch.nn.Module, Levels]:
        """Build the network with its weights, and the function that turns normalised images into levels [N, D]."""

    def extract(self, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Encode a batch.

        Args:
            images: uint8 [N, 3, H, W] RGB.

        Returns:
            For each level float32 [N, D].
        """
        import torch

        _, levels = self._ready()
        with torch.inference_mode():
            # A copy: torch warns about read-only arrays, such as memory-mapped ones.
            whole = torch.from_numpy(np.array(images))
            few = CPU_IMAGES if self._device == "cpu" else max(1, len(images))
            parts = [
                levels(self.normalise(part.to(self._device)).contiguous(memory_format=self._layout()))
                for part in whole.split(few)  # type: ignore[no-untyped-call]
            ]
            return {name: torch.cat([part[name] for part in parts]).float().cpu().numpy() for name in parts[0]}

    def normalise(self, images: torch.Tensor) -> torch.Tensor:
        """Normalise uint8 [N, 3, H, W] to float32 as in the network's training."""
        unit = images.float() / 255
        return (unit - unit.new_tensor(self.mean).view(1, 3, 1, 1)) / unit.new_tensor(self.std).view(1, 3, 1, 1)

    def to(self, device: str) -> None:
        """Move the network to `device`, for instance `cuda:0`."""
        self._device = device
        # Built now, not at the first batch: loading weights does not count as encoding time.
        self._ready()[0].to(device)

    def plain(self) -> TorchEncoder:
        """The same network as it is defined, on the CPU: in torch's usual layout, no batch norm folded."""
        twin = copy.copy(self)
        twin._device, twin._plain, twin._network = "cpu", True, None
        return twin

    def _layout(self) -> torch.memory_format:
        import torch

        return torch.contiguous_format if self._plain else torch.channels_last

    def _ready(self) -> tuple[torch.nn.Module, Levels]:
        if self._network is None:
            module, levels = self.build()
            module.requires_grad_(requires_grad=False).eval().to(self._device)
            if not self._plain:
                # torch's stubs lack this overload.
                module.to(memory_format=self._layout())  # type: ignore[call-overload]
                self._fold(module, levels)
            self._network = module, levels
        return self._network

    def _fold(self, module: torch.nn.Module, levels: Levels) -> None:
        """Fold batch norms, judged by the features of two images of noise."""
        import torch

        from .folding import fold_batch_norms

        height, width = self.spec().preprocessing.size
        noise = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 3, height, width), np.uint8))
        images = self.normalise(noise.to(self._device)).contiguous(memory_format=torch.channels_last)
        with torch.no_grad():
            fold_batch_norms(module, lambda: levels(images))


def normalisation(mean: tuple[float, ...], std: tuple[float, ...]) -> str:
    """Description of the normalisation, for the spec."""
    return f"divided by 255, less mean {_numbers(mean)}, divided by {_numbers(std)}"


def _numbers(values: tuple[float, ...]) -> str:
    return "(" + ", ".join(f"{value:g}" for value in values) + ")"
