"""The recipe of ContraFeat: contrast the changes that directions make, and learn directions and their rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ghbench.contrafeat.network.navigator import NavigatorNetwork
from ghbench.contrafeat.network.prototypes import Prototypes
from ghbench.contrafeat.training.changes import feature_changes
from ghbench.contrafeat.training.export import export_navigator
from ghbench.contrafeat.training.latents import NoiseSource, mixed_ws
from ghbench.contrafeat.training.losses import binary_contrast, diversity, prototype_contrast, prototype_likeness
from ghbench.contrafeat.training.options import ContrafeatOptions
from ghbench.contrafeat.training.sensors import Sensor
from ghbench.figures.picture_grid import picture_grid
from ghbench.generator import GeneratorSpec
from ghbench.generators.protocol import Generator
from ghbench.generators.rendering import seeded_z, to_uint8
from ghbench.seeds import seeds_for
from ghbench.training.averages import MovingAverage
from ghbench.training.machine import Machine
from ghbench.training.recipe import Batch, Recipe

SHOWN_STEPS, SHOWN_SCALE, SHOWN_DIRECTIONS = (-1.0, -0.5, 0.0, 0.5, 1.0), 3.0, 12


class ContrafeatRecipe(Recipe):
    """Trains a navigator; the generator and the sensor are frozen.

    Images are those that the generator draws, so that runs of different methods compare at equal cost.

    Args:
        generator: The frozen generator, at the size that is trained.
        spec: Its spec.
        generator_name: Spec string that loads it.
        sensor: Network whose features are contrasted.
        sensor_digest: Digest of its weights, empty for none.
        axes: Principal components of w, or given directions; see `Directions`.
        options: Options.
        seed: Seed of the initial weights.
    """

    name: ClassVar[str] = "contrafeat"

    def __init__(
        self, generator: Generator, spec: GeneratorSpec, generator_name: str, sensor: Sensor, sensor_digest: str,
        axes: Tensor | None, options: ContrafeatOptions, seed: int = 0,
    ) -> None:  # fmt: skip
        self.generator, self.spec, self.generator_name = generator, spec, generator_name
        self.sensor, self.sensor_digest, self.options, self.seed = sensor, sensor_digest, options, seed
        self.batch = options.drawn
        rows = max(level.layer for level in generator.levels) + 1
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.navigator = NavigatorNetwork(options.config(rows, generator.w_mean.numel()), axes)
            self.networks: dict[str, nn.Module] = {"navigator": self.navigator}
            if options.variant == "prototype":
                self.networks["prototypes"] = Prototypes(options.directions, spec.size, limited=options.limited)
        self.averages: dict[str, MovingAverage] = {}
        learned = [one for network in self.networks.values() for one in network.parameters()]
        self.optimisers = {"navigator": torch.optim.Adam(learned, lr=options.rate, betas=(0.0, 0.99), eps=1e-8)}
        self.noise = NoiseSource(generator)

    def describe(self) -> Mapping[str, Any]:
        """Options, generator and sensor."""
        return {
            **asdict(self.options), "generator": self.generator_name,
            "generator_digest": self.spec.weights_digest, "sensor_digest": self.sensor_digest,
        }  # fmt: skip

    def prepare(self, machine: Machine) -> None:
        """Compile the loss."""
        self.machine = machine
        cast("nn.Module", self.generator).to(machine.device)
        self.sensor.to(machine.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        judge = self._binary if self.options.variant == "binary" else self._prototype
        self._judged = machine.compile(judge)

    def step(self, batch: Batch) -> Mapping[str, Tensor]:
        """One step of the navigator, and of the prototypes."""
        machine, options = self.machine, self.options
        count = options.batch // machine.world
        ws = mixed_ws(self.generator, count, options.parts, self.navigator.config.rows).float()
        # Samples of one code share no noise, as between any two pictures.
        drawn = batch.total // machine.world
        noise = self.noise.draw(drawn, machine.device)
        inputs = self._binary_choices(count) if options.variant == "binary" else self._prototype_choices(count)
        with machine.autocast():
            loss, terms = self._judged(ws, noise, *inputs)
        machine.update(self.optimisers["navigator"], loss)
        return terms

    def pictures(self) -> NDArray[np.uint8]:
        """A row for each of the first directions: one face, from -3 to 3 times the direction."""
        return traversals(self.generator, self.navigator, range(min(SHOWN_DIRECTIONS, self.options.directions)))

    def evaluate(self, *, final: bool) -> Mapping[str, float]:  # noqa: ARG002 - cheap
        """Diversity of the directions, and how many rows attention spreads over."""
        ws = mixed_ws(self.generator, 2, 1, self.navigator.config.rows)
        with torch.no_grad():
            weights = self.navigator.attention(ws).mean(dim=0)
            shares = weights / weights.sum(dim=1, keepdim=True)
            spread = (-(shares * shares.clamp_min(1e-12).log()).sum(dim=1)).exp().mean()
            count = self.options.directions
            overlap = diversity(self.navigator(ws)) / (count * (count - 1))
        return {"mean squared cosine of directions": float(overlap), "rows a direction": float(spread)}

    def export(self, folder: Path, history: Mapping[str, Any]) -> None:
        """Write `model.safetensors` and `card.md`."""
        prototypes = self._prototypes().detach() if self.options.variant == "prototype" else None
        export_navigator(
            folder, self.navigator, prototypes, self.spec, self.generator_name, self.sensor_digest, self.describe(),
            history,
        )  # fmt: skip

    def _binary_choices(self, count: int) -> tuple[Tensor, ...]:
        """Directions i and j != i and two steps, for each of count / 2 queries."""
        options, device, half = self.options, self.machine.device, count // 2
        first = torch.randint(options.directions, (half,), device=device)
        other = (first + torch.randint(1, options.directions, (half,), device=device)) % options.directions
        steps = (torch.rand(2, half, 1, 1, device=device) * 2 - 1) * options.scale
        return first, other, steps[0], steps[1]

    def _prototype_choices(self, count: int) -> tuple[Tensor, ...]:
        """A direction and a step for each sample, and whether the prototypes are mirrored, 1 or 0."""
        options, device = self.options, self.machine.device
        which = torch.randint(options.directions, (count,), device=device)
        step = (torch.rand(count, 1, 1, device=device) * 2 - 1) * options.scale
        mirrored = torch.rand((), device=device) < (0.5 if options.mirrored else 0.0)
        return which, step, mirrored.float()

    def _binary(
        self, ws: Tensor, noise: Sequence[Tensor], first: Tensor, other: Tensor, step: Tensor, other_step: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        options, how = self.options, self.options.agreement
        directions = self.navigator(ws)
        one, two = ws.chunk(2)
        mine, theirs = directions.chunk(2)
        row = torch.arange(len(one), device=ws.device)
        query = one + step * mine[row, first]
        positive = two + step * theirs[row, first]
        away = one + other_step * mine[row, other] if options.on_self else two + other_step * theirs[row, other]
        maps = self._maps(torch.cat([one, two, query, positive, away]), noise)
        parts = [[layer.chunk(5)[part] for layer in maps] for part in range(5)]
        start = parts[0] if options.on_self else parts[1]
        changes = [
            feature_changes(parts[2], parts[0], how), feature_changes(parts[3], parts[1], how),
            feature_changes(parts[4], start, how),
        ]  # fmt: skip
        contrast = binary_contrast(changes[0], changes[1], changes[2], how, options.weights).mean()
        return self._with_diversity(contrast, directions)

    def _prototype(
        self, ws: Tensor, noise: Sequence[Tensor], which: Tensor, step: Tensor, mirrored: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        options, how = self.options, self.options.agreement
        directions = self.navigator(ws)
        move = step / 2 * directions[torch.arange(len(ws), device=ws.device), which]
        maps = self._maps(torch.cat([ws - move, ws + move]), noise)
        changes = [layer.chunk(2)[1] - layer.chunk(2)[0] for layer in maps]
        images = self._prototypes()
        prototypes = self.sensor(torch.lerp(images, -images.flip(3), mirrored))
        contrast = prototype_contrast(changes, prototypes, which, how, options.weights)
        if options.likeness:
            contrast = contrast + options.likeness * prototype_likeness(prototypes, how)
        return self._with_diversity(contrast, directions)

    def _with_diversity(self, contrast: Tensor, directions: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        spread = diversity(directions)
        loss = contrast + self.options.diversity * spread
        return loss, {"contrast": contrast.detach(), "diversity": spread.detach()}

    def _maps(self, ws: Tensor, noise: Sequence[Tensor]) -> list[Tensor]:
        found: list[Tensor] = self.sensor(self.generator.synthesis(ws, noise=noise).float())
        return found

    def _prototypes(self) -> Tensor:
        images: Tensor = self.networks["prototypes"]()
        return images


@torch.no_grad()
def traversals(
    generator: Generator, navigator: NavigatorNetwork, directions: Sequence[int], seed: int | None = None
) -> NDArray[np.uint8]:
    """A picture grid: one sample at psi .5, moved along each direction, a row each."""
    chosen = seeds_for("monitoring", 1)[0] if seed is None else seed
    device = generator.w_mean.device
    ws = generator.mapping(seeded_z([chosen], generator.z_dim).to(device), 0.5)
    found = navigator(ws)[0]
    moved = [ws[0] + SHOWN_SCALE * step * found[number] for number in directions for step in SHOWN_STEPS]
    images = to_uint8(generator.synthesis(torch.stack(moved)))
    return picture_grid(images.transpose(0, 2, 3, 1), columns=len(SHOWN_STEPS))
