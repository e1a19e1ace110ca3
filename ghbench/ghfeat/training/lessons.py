"""Training batches of an encoder: renders, whose codes are known, photographs, or both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ghbench.generators.protocol import Generator
from ghbench.generators.rendering import seeded_z
from ghbench.ghfeat.network.layout import CodeLayout
from ghbench.ghfeat.training.degradations import Degradation, degrade, to_grey
from ghbench.ghfeat.training.options import GhfeatOptions
from ghbench.training.images import TrainingImages


@dataclass(frozen=True, slots=True)
class Lesson:
    """One batch.

    Args:
        inputs: Images that the encoder sees, [N, 3, R, R] in [-1, 1].
        targets: Images that it has to reconstruct, [N, 3, R, R] in [-1, 1].
        codes: True codes by level [N, width]; zeros where they are unknown.
        known: float [N], 1 where the true codes are those of the target, else 0.
    """

    inputs: Tensor
    targets: Tensor
    codes: Mapping[str, Tensor]
    known: Tensor


class Lessons:
    """Makes batches.

    Args:
        generator: The frozen generator.
        layout: Layout of its codes.
        options: Shares of real, grey, degraded and mixed images, and truncation.
        images: Real images; None for renders only.
    """

    def __init__(
        self, generator: Generator, layout: CodeLayout, options: GhfeatOptions, images: TrainingImages | None
    ) -> None:
        self.generator, self.layout, self.options, self.images = generator, layout, options, images
        self.degradation = Degradation(grey=options.grey, share=options.degraded, reflected=options.reflected)
        self.synthesis: Callable[[Tensor], Tensor] = generator.synthesis

    @torch.no_grad()
    def batch(self, count: int, rows: NDArray[np.int64], device: torch.device) -> Lesson:
        """Make a batch with PyTorch's random generator.

        Args:
            count: Number of images.
            rows: Rows of the real images; the first ones are used.
            device: Device of the batch.
        """
        real = round(self.options.real * count)
        parts, codes = [], {}
        if real:
            assert self.images is not None
            parts.append(self._photographs(rows[:real], device))
        if real < count:
            ws = self.random_ws(count - real, device)
            # One batch size throughout, so that the synthesis is compiled once.
            parts.append(self.synthesis(ws).float().clamp(-1, 1))
            codes = self.layout.codes(self.generator, ws)
        targets = torch.cat(parts)
        padded = {
            level.name: torch.cat([torch.zeros(real, level.width, device=device), codes[level.name]])
            if codes
            else torch.zeros(count, level.width, device=device)
            for level in self.layout.levels
        }
        grey = torch.rand(count, device=device) < self.degradation.grey
        targets = to_grey(targets, grey)
        known = torch.arange(count, device=device) >= real
        if not self.options.grey_codes:
            known = known & ~grey
        return Lesson(degrade(targets, self.degradation), targets, padded, known.float())

    def random_ws(self, count: int, device: torch.device) -> Tensor:
        """W+ [count, rows, w_dim] at random truncation, some of them style-mixed at a random row."""
        options, generator = self.options, self.generator
        one, two = (generator.mapping(torch.randn(count, generator.z_dim, device=device)) for _ in range(2))
        rows = one.shape[1]
        cut = torch.randint(1, rows, (count,), device=device)
        cut = torch.where(torch.rand(count, device=device) < options.mixed, cut, rows)
        ws = torch.where((torch.arange(rows, device=device) < cut[:, None])[:, :, None], one, two)
        psi = torch.empty(count, 1, 1, device=device).uniform_(options.psi_low, options.psi_high)
        return generator.w_mean + psi * (ws - generator.w_mean)

    def _photographs(self, rows: NDArray[np.int64], device: torch.device) -> Tensor:
        assert self.images is not None
        images = self.images.batch(rows, device)
        if not self.options.mirror:
            return images
        return torch.where((torch.rand(len(images), device=device) < 0.5)[:, None, None, None], images.flip(3), images)


@torch.no_grad()
def renders_of_seeds(
    generator: Generator, first_seed: int, count: int, psi: float, batch: int = 16
) -> tuple[Tensor, Tensor]:
    """Images [count, 3, R, R], clipped to [-1, 1], and W+ of `count` seeds; they do not depend on the batch size."""
    device = generator.w_mean.device
    z = seeded_z(range(first_seed, first_seed + count), generator.z_dim).to(device)
    ws = generator.mapping(z, psi)
    made = [generator.synthesis(part).float().clamp(-1, 1) for part in torch.split(ws, batch)]
    return torch.cat(made), ws
