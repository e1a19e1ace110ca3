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
from torch.nn import functional

from ghbench.contrafeat.network.navigator import NavigatorNetwork
from ghbench.contrafeat.training.export import export_navigator
from ghbench.contrafeat.training.latents import NoiseSource, mixed_ws
from ghbench.contrafeat.training.losses import diversity
from ghbench.contrafeat.training.objectives import BinaryObjective, Objective, PrototypeObjective
from ghbench.contrafeat.training.options import ContrafeatOptions
from ghbench.contrafeat.training.rivals import LatentClrObjective, RecognitionObjective
from ghbench.contrafeat.training.sensors import Sensor
from ghbench.errors import UsageError
from ghbench.figures.picture_grid import picture_grid
from ghbench.generator import GeneratorSpec
from ghbench.generators.loading import shared_rows
from ghbench.generators.protocol import Generator
from ghbench.generators.rendering import seeded_z, to_uint8
from ghbench.metrics.discovery import rows_in_use
from ghbench.seeds import seeds_for
from ghbench.training.averages import MovingAverage
from ghbench.training.machine import Machine
from ghbench.training.recipe import Batch, Recipe

OBJECTIVES: Mapping[str, type[Objective]] = {
    "binary": BinaryObjective, "prototype": PrototypeObjective, "latentclr": LatentClrObjective,
    "recognition": RecognitionObjective,
}  # fmt: skip
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
        self.rows = max(level.layer for level in generator.levels) + 1
        rows = shared_rows(generator, generator_name)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.navigator = NavigatorNetwork(options.config(rows, generator.w_mean.numel()), axes)
            self.objective = OBJECTIVES[options.variant](options, generator, sensor)
            self.networks: dict[str, nn.Module] = {"navigator": self.navigator, **self.objective.networks}
        self.batch = self.objective.drawn
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
        """Compile the loss.

        Raises:
            UsageError: The batch cannot be split over the processes.
        """
        if self.options.batch % (self.options.split * machine.world):
            pairs = ", in pairs" if self.options.split == 2 else ""
            raise UsageError(f"a batch of {self.options.batch} cannot be split over {machine.world} processes{pairs}")
        self.machine = machine
        cast("nn.Module", self.generator).to(machine.device)
        self.sensor.to(machine.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._judged = machine.compile(self._judge)

    def step(self, batch: Batch) -> Mapping[str, Tensor]:
        """One step of the navigator, and of the prototypes."""
        machine, options = self.machine, self.options
        count = options.batch // machine.world
        ws = mixed_ws(self.generator, count, options.parts, self.rows).float()
        # Samples of one code share no noise, as between any two pictures.
        drawn = batch.total // machine.world
        noise = self.noise.draw(drawn, machine.device)
        choices = self.objective.choices(count, machine.device)
        with machine.autocast():
            loss, terms = self._judged(ws, noise, *choices)
        machine.update(self.optimisers["navigator"], loss)
        return terms

    def pictures(self) -> NDArray[np.uint8]:
        """A row for each of the first directions: one face, from -3 to 3 times the direction."""
        return traversals(self.generator, self.navigator, range(min(SHOWN_DIRECTIONS, self.options.directions)))

    def evaluate(self, *, final: bool) -> Mapping[str, float]:  # noqa: ARG002 - cheap
        """Diversity of the directions, and in how many rows they act."""
        ws = mixed_ws(self.generator, 2, 1, self.rows)
        with torch.no_grad():
            directions = whole_rows(self.navigator, ws)
            count = self.options.directions
            overlap = diversity(directions) / (count * (count - 1))
        rows = rows_in_use(directions[0].float().cpu().numpy()).mean()
        return {"mean squared cosine of directions": float(overlap), "rows a direction": float(rows)}

    def export(self, folder: Path, history: Mapping[str, Any]) -> None:
        """Write `model.safetensors` and `card.md`."""
        prototypes = self.objective.prototypes.detach() if isinstance(self.objective, PrototypeObjective) else None
        export_navigator(
            folder, self.navigator, prototypes, self.spec, self.generator_name, self.sensor_digest, self.describe(),
            history,
        )  # fmt: skip

    def _judge(self, ws: Tensor, noise: Sequence[Tensor], *choices: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        directions = whole_rows(self.navigator, ws)
        contrast = self.objective.loss(directions, ws, noise, *choices)
        spread = diversity(directions)
        loss = contrast + self.options.diversity * spread
        return loss, {"contrast": contrast.detach(), "diversity": spread.detach()}


def whole_rows(navigator: NavigatorNetwork, ws: Tensor) -> Tensor:
    """Directions [N, K, L, D] of codes [N, L, D]; rows beyond those that the navigator knows are not moved."""
    known = navigator.config.rows
    return functional.pad(navigator(ws[:, :known]), (0, 0, 0, ws.shape[1] - known))


@torch.no_grad()
def traversals(
    generator: Generator, navigator: NavigatorNetwork, directions: Sequence[int], seed: int | None = None
) -> NDArray[np.uint8]:
    """A picture grid: one sample at psi .5, moved along each direction, a row each."""
    chosen = seeds_for("monitoring", 1)[0] if seed is None else seed
    device = generator.w_mean.device
    ws = generator.mapping(seeded_z([chosen], generator.z_dim).to(device), 0.5)
    found = whole_rows(navigator, ws)[0]
    moved = [ws[0] + SHOWN_SCALE * step * found[number] for number in directions for step in SHOWN_STEPS]
    images = to_uint8(generator.synthesis(torch.stack(moved)))
    return picture_grid(images.transpose(0, 2, 3, 1), columns=len(SHOWN_STEPS))
