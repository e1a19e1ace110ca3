"""What directions are learned from: pairs of samples, prototypes, or a rival's loss."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ghbench.contrafeat.network.prototypes import Prototypes
from ghbench.contrafeat.training.changes import feature_changes
from ghbench.contrafeat.training.losses import binary_contrast, prototype_contrast, prototype_likeness
from ghbench.contrafeat.training.options import ContrafeatOptions
from ghbench.contrafeat.training.sensors import Sensor
from ghbench.generators.protocol import Generator

Noise = Sequence[Tensor]


class Objective(ABC):
    """A loss of directions.

    Args:
        options: Options.
        generator: The frozen generator.
        sensor: The frozen network whose features are contrasted.

    Attributes:
        networks: What is learned beside the navigator.
        drawn: Images that a step draws, for `options.batch` samples.
    """

    networks: dict[str, nn.Module]

    def __init__(self, options: ContrafeatOptions, generator: Generator, sensor: Sensor) -> None:
        self.options, self.generator, self.sensor = options, generator, sensor
        self.networks = {}

    @property
    @abstractmethod
    def drawn(self) -> int:
        """See the class."""

    @abstractmethod
    def choices(self, count: int, device: torch.device) -> tuple[Tensor, ...]:
        """All that is random, for so many samples: directions and steps."""

    @abstractmethod
    def loss(self, directions: Tensor, ws: Tensor, noise: Noise, *choices: Tensor) -> Tensor:
        """A scalar; compiled, so without randomness.

        Args:
            directions: Of each code, [N, K, L, D].
            ws: W+ [N, L, D].
            noise: For the images that are drawn.
            choices: What `choices` gave.
        """

    def maps(self, ws: Tensor, noise: Noise) -> list[Tensor]:
        """Feature maps of the images of codes."""
        found: list[Tensor] = self.sensor(self.images(ws, noise))
        return found

    def images(self, ws: Tensor, noise: Noise) -> Tensor:
        """Images [N, 3, R, R] of codes."""
        return self.generator.synthesis(ws, noise=noise).float()

    def steps(self, shape: tuple[int, ...], device: torch.device) -> Tensor:
        """Uniform between minus and plus the scale."""
        return (torch.rand(shape, device=device) * 2 - 1) * self.options.scale


class BinaryObjective(Objective):
    """Pairs of samples: half of them are queries, the others show the same and another direction."""

    @property
    def drawn(self) -> int:
        """Two starts, and a query, a positive and a negative for every two samples."""
        return self.options.batch * 5 // 2

    def choices(self, count: int, device: torch.device) -> tuple[Tensor, ...]:
        """Directions i and j != i and two steps, for each of count / 2 queries."""
        total, half = self.options.directions, count // 2
        first = torch.randint(total, (half,), device=device)
        other = (first + torch.randint(1, total, (half,), device=device)) % total
        steps = self.steps((2, half, 1, 1), device)
        return first, other, steps[0], steps[1]

    def loss(self, directions: Tensor, ws: Tensor, noise: Noise, *choices: Tensor) -> Tensor:
        """See `binary_contrast`."""
        first, other, step, other_step = choices
        options, how = self.options, self.options.agreement
        one, two = ws.chunk(2)
        mine, theirs = directions.chunk(2)
        row = torch.arange(len(one), device=ws.device)
        query = one + step * mine[row, first]
        positive = two + step * theirs[row, first]
        away = one + other_step * mine[row, other] if options.on_self else two + other_step * theirs[row, other]
        maps = self.maps(torch.cat([one, two, query, positive, away]), noise)
        parts = [[layer.chunk(5)[part] for layer in maps] for part in range(5)]
        start = parts[0] if options.on_self else parts[1]
        changes = [
            feature_changes(parts[2], parts[0], how), feature_changes(parts[3], parts[1], how),
            feature_changes(parts[4], start, how),
        ]  # fmt: skip
        return binary_contrast(changes[0], changes[1], changes[2], how, options.weights).mean()


class PrototypeObjective(Objective):
    """Each sample shows one direction, forwards and backwards, against the learned images of all directions."""

    def __init__(self, options: ContrafeatOptions, generator: Generator, sensor: Sensor) -> None:
        super().__init__(options, generator, sensor)
        size = max(level.resolution for level in generator.levels)
        self.networks["prototypes"] = Prototypes(options.directions, size, limited=options.limited)

    @property
    def drawn(self) -> int:
        """Two images a sample."""
        return self.options.batch * 2

    @property
    def prototypes(self) -> Tensor:
        """The learned images [K, 3, R, R]."""
        images: Tensor = self.networks["prototypes"]()
        return images

    def choices(self, count: int, device: torch.device) -> tuple[Tensor, ...]:
        """A direction and a step for each sample, and whether the prototypes are mirrored and inverted, 1 or 0."""
        which = torch.randint(self.options.directions, (count,), device=device)
        mirrored = torch.rand((), device=device) < (0.5 if self.options.mirrored else 0.0)
        return which, self.steps((count, 1, 1), device), mirrored.float()

    def loss(self, directions: Tensor, ws: Tensor, noise: Noise, *choices: Tensor) -> Tensor:
        """See `prototype_contrast`."""
        which, step, mirrored = choices
        options, how = self.options, self.options.agreement
        move = step / 2 * directions[torch.arange(len(ws), device=ws.device), which]
        maps = self.maps(torch.cat([ws - move, ws + move]), noise)
        changes = [layer.chunk(2)[1] - layer.chunk(2)[0] for layer in maps]
        images = self.prototypes
        # Not enlarged: what is learned may be of any size, and all of them are looked at in every step.
        prototypes = self.sensor.of_size(torch.lerp(images, -images.flip(3), mirrored))
        loss = prototype_contrast(changes, prototypes, which, how, options.weights)
        if options.likeness:
            loss = loss + options.likeness * prototype_likeness(prototypes, how)
        return loss
