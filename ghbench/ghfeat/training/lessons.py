"""Training batches of an encoder: renders, whose codes are known, photographs, or both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ghbench.changes.degradations import Degradation, degrade
from ghbench.changes.scene import SceneChange, change_scene
from ghbench.generators.protocol import Generator
from ghbench.generators.rendering import seeded_z
from ghbench.ghfeat.network.layout import CodeLayout
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
        options: Shares of real, changed, degraded and mixed images, and truncation.
        images: Real images; None for renders only.
        ws: W+ [N, rows, w_dim] of those images, if the generator drew them; None where codes are unknown.
    """

    def __init__(
        self,
        generator: Generator,
        layout: CodeLayout,
        options: GhfeatOptions,
        images: TrainingImages | None,
        ws: Tensor | None = None,
    ) -> None:
        self.generator, self.layout, self.options, self.images, self.ws = generator, layout, options, images, ws
        self.change = SceneChange(share=options.changed, grey=options.grey)
        self.degradation = Degradation(share=options.degraded, reflected=options.reflected)
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
        parts, codes, known = [], [], []
        if real:
            images, true, sure = self._photographs(rows[:real], device)
            parts, codes, known = [images], [true], [sure]
        if real < count:
            ws = self.random_ws(count - real, device)
            # One batch size throughout, so that the synthesis is compiled once.
            parts.append(self.synthesis(ws).float().clamp(-1, 1))
            codes.append(self.layout.codes(self.generator, ws))
            known.append(torch.ones(count - real, dtype=torch.bool, device=device))
        targets, changed = change_scene(torch.cat(parts), self.change)
        whole = {level.name: torch.cat([part[level.name] for part in codes]) for level in self.layout.levels}
        return Lesson(degrade(targets, self.degradation), targets, whole, (torch.cat(known) & ~changed).float())

    def random_ws(self, count: int, device: torch.device) -> Tensor:
        """W+ [count, rows, w_dim] at random truncation: of one w, mixed from up to three, with a row of yet another."""
        options, generator = self.options, self.generator
        drawn = [generator.mapping(torch.randn(count, generator.z_dim, device=device)) for _ in range(4)]
        rows = drawn[0].shape[1]
        cuts = torch.randint(1, rows, (2, count, 1), device=device)
        cuts = torch.where(torch.rand(count, 1, device=device) < options.mixed, cuts, rows)
        cuts[1] = torch.where(torch.rand(count, 1, device=device) < 0.5, cuts[1], rows)
        place = torch.arange(rows, device=device)[None]
        parts = (place >= cuts[0]).int() + (place >= cuts[1]).int()
        strange = torch.rand(count, 1, device=device) < options.perturbed
        parts = torch.where(strange & (place == torch.randint(rows, (count, 1), device=device)), 3, parts)
        ws = torch.stack(drawn).gather(0, parts[None, :, :, None].expand(1, -1, -1, drawn[0].shape[2]))[0]
        psi = torch.empty(count, 1, 1, device=device).uniform_(options.psi_low, options.psi_high)
        return generator.w_mean + psi * (ws - generator.w_mean)

    def _photographs(self, rows: NDArray[np.int64], device: torch.device) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """Images, their codes, zeros where they are unknown, and bool [n] whether they are known."""
        assert self.images is not None
        images, count = self.images.batch(rows, device), len(rows)
        mirrored = torch.rand(count, device=device) < (0.5 if self.options.mirror else 0.0)
        images = torch.where(mirrored[:, None, None, None], images.flip(3), images)
        if self.ws is None:
            none = {level.name: torch.zeros(count, level.width, device=device) for level in self.layout.levels}
            return images, none, torch.zeros(count, dtype=torch.bool, device=device)
        return images, self.layout.codes(self.generator, self.ws[torch.as_tensor(rows)].to(device)), ~mirrored


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
