"""Losses of rivals, with the same navigator: LatentCLR's, and recognition of directions (Voynov and Babenko)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from ghbench.contrafeat.training.objectives import Noise, Objective
from ghbench.contrafeat.training.options import ContrafeatOptions
from ghbench.contrafeat.training.sensors import Sensor
from ghbench.generators.protocol import Generator

RESOLUTION = 16
"""LatentCLR sees the generator's own features up to this resolution: those of its first three blocks."""
SHARPNESS = 0.5
"""Its temperature, which multiplies cosines."""
LEAST, WEIGHT_OF_STEP = 0.25, 0.25
"""Least step that has to be recognised, as a share of the largest; weight of the step's error."""
WIDTHS = (32, 64, 128, 256)


class LatentClrObjective(Objective):
    """Changes of the generator's own features: alike for equal directions, unlike for others (Yuksel et al. 2021).

    The step is the scale itself, for all directions of all samples.
    """

    @property
    def drawn(self) -> int:
        """Each sample, and each direction of it."""
        return self.options.batch * (1 + self.options.directions)

    def choices(self, count: int, device: torch.device) -> tuple[Tensor, ...]:
        """None."""
        return (torch.zeros(count, device=device),)

    def loss(self, directions: Tensor, ws: Tensor, noise: Noise, *choices: Tensor) -> Tensor:  # noqa: ARG002
        """See `all_directions_contrast`."""
        count, total = directions.shape[:2]
        moved = (ws[:, None] + self.options.scale * directions).transpose(0, 1).flatten(0, 1)
        known = [level for level in self.generator.levels if level.resolution <= RESOLUTION]
        names = {level.resolution: level.name for level in known if not level.name.endswith("rgb")}
        found = self.generator.many_features(torch.cat([ws, moved]), list(names.values()), noise=noise)  # type: ignore[attr-defined]
        features = torch.cat([one.flatten(1).float() for one in found.values()], dim=1)
        start, ends = features[:count], features[count:]
        return all_directions_contrast(ends - start.repeat(total, 1), total)


def all_directions_contrast(changes: Tensor, directions: int) -> Tensor:
    """-log of the mean likeness of equal directions over that of different ones, a mean over changes.

    Source: the loss `xent` of zhuxinqimac/stylegan2-ada-pytorch, branch `group`.

    Args:
        changes: [K * N, C], all samples of a direction one after the other.
        directions: K.
    """
    units = functional.normalize(changes, dim=1, eps=1e-8)
    likeness = (SHARPNESS * units @ units.T).exp()
    label = torch.arange(len(changes), device=changes.device) // (len(changes) // directions)
    same = (label[:, None] == label).to(likeness)
    own = torch.eye(len(changes), device=changes.device, dtype=likeness.dtype)
    alike = (likeness * (same - own)).sum(dim=1) / (same - own).sum(dim=1)
    unlike = (likeness * (1 - same)).sum(dim=1) / (1 - same).sum(dim=1)
    return -(alike.log() - unlike.log()).mean()


class RecognitionObjective(Objective):
    """A network has to tell from two pictures which direction was taken, and how far (Voynov and Babenko 2020)."""

    def __init__(self, options: ContrafeatOptions, generator: Generator, sensor: Sensor) -> None:
        super().__init__(options, generator, sensor)
        self.networks["recogniser"] = Recogniser(options.directions)

    @property
    def drawn(self) -> int:
        """Two images a sample."""
        return self.options.batch * 2

    def choices(self, count: int, device: torch.device) -> tuple[Tensor, ...]:
        """A direction and a step for each sample; small steps are made larger."""
        which = torch.randint(self.options.directions, (count,), device=device)
        step = self.steps((count, 1, 1), device)
        least = LEAST * self.options.scale
        return which, torch.where(step.abs() < least, least * torch.where(step < 0, -1.0, 1.0), step)

    def loss(self, directions: Tensor, ws: Tensor, noise: Noise, *choices: Tensor) -> Tensor:
        """Cross-entropy of the direction, and a quarter of the absolute error of the step."""
        which, step = choices
        moved = ws + step * directions[torch.arange(len(ws), device=ws.device), which]
        before, after = self.images(torch.cat([ws, moved]), noise).chunk(2)
        scores, steps = self.networks["recogniser"](torch.cat([before, after], dim=1))
        wrong = functional.cross_entropy(scores.float(), which)
        off = (steps.float() - step[:, 0, 0] / self.options.scale).abs().mean()
        loss: Tensor = wrong + WEIGHT_OF_STEP * off
        return loss


class Recogniser(nn.Module):
    """A small convolutional network.

    Args:
        directions: Number of directions.
    """

    def __init__(self, directions: int) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        before = 6
        for width in WIDTHS:
            stages += [nn.Conv2d(before, width, 3, stride=2, padding=1), nn.GroupNorm(8, width), nn.LeakyReLU(0.2)]
            before = width
        self.stages = nn.Sequential(*stages, nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.which, self.step = nn.Linear(before * 4, directions), nn.Linear(before * 4, 1)

    def forward(self, pairs: Tensor) -> tuple[Tensor, Tensor]:
        """Two pictures of each sample [N, 6, R, R] to scores of directions [N, K] and steps [N]."""
        features = self.stages(pairs)
        return self.which(features), self.step(features)[:, 0]
