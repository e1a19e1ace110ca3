"""Trains an encoder with a frozen generator as the loss (Xu et al. 2021, section 3.3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ghbench.errors import UsageError
from ghbench.extractor import Domain
from ghbench.figures.picture_grid import picture_grid
from ghbench.generator import GeneratorSpec
from ghbench.generators.protocol import Generator
from ghbench.generators.rendering import to_uint8
from ghbench.generators.stylegan2_discriminator import StyleGAN2Discriminator
from ghbench.ghfeat.files.weights import SavedEncoder
from ghbench.ghfeat.network.config import EncoderConfig, compact, paper
from ghbench.ghfeat.network.encoder import Encoder, synchronise_norms
from ghbench.ghfeat.network.heads import Head
from ghbench.ghfeat.network.layout import Space, layout_of
from ghbench.ghfeat.network.passes import predicted
from ghbench.ghfeat.network.statistics import layout_statistics
from ghbench.ghfeat.training.decoders import decoder_of
from ghbench.ghfeat.training.export import export_encoder
from ghbench.ghfeat.training.lessons import Lesson, Lessons, renders_of_seeds
from ghbench.ghfeat.training.modes import evaluating, settle
from ghbench.ghfeat.training.objective import Objective
from ghbench.ghfeat.training.options import GhfeatOptions
from ghbench.ghfeat.training.past import Past
from ghbench.ghfeat.training.schedule import cosine_rate, decayed_rate
from ghbench.seeds import seeds_for
from ghbench.training.averages import MovingAverage
from ghbench.training.gan_losses import discriminator_loss, generator_loss, r1_penalty
from ghbench.training.images import TrainingImages
from ghbench.training.machine import Machine
from ghbench.training.recipe import Batch, Recipe

HALF_LIFE = 5_000.0
EVALUATED = {False: 64, True: 500}
PASSES, BATCH = (1, 3), 16
"""Passes and images at once when the trained encoder is measured."""


class GhfeatRecipe(Recipe):
    """An encoder, and a discriminator if the adversarial term has a weight.

    Args:
        generator: The frozen generator, at the size that is trained.
        spec: Its spec.
        generator_name: Spec string that loads it.
        options: Options.
        total: Images of the whole run, over which the learning rate falls.
        images: Real images; None for renders only.
        ws: W+ of those images, [N, rows, w_dim], if the generator drew them.
        perceptual: Perceptual network and the digest of its weights; None if its weight is 0.
        discriminator: The discriminator to start from and the digest of its file; None for a new one.
        start: An encoder whose weights are copied wherever names and shapes agree, such as one of a smaller size.
        label: Class that the generator draws, if it is conditional.
        seed: Seed of the initial weights.
    """

    name = "ghfeat"

    def __init__(
        self,
        generator: Generator,
        spec: GeneratorSpec,
        generator_name: str,
        options: GhfeatOptions,
        total: int,
        *,
        images: TrainingImages | None = None,
        ws: Tensor | None = None,
        perceptual: tuple[nn.Module, str] | None = None,
        discriminator: tuple[nn.Module, str] | None = None,
        start: SavedEncoder | None = None,
        label: int | None = None,
        seed: int = 0,
    ) -> None:
        side = options.perceptual_side
        if side < 0 or (side and spec.size % side):
            raise UsageError(f"perceptual_side={side} does not divide the image side of {spec.size} px")
        self.generator, self.spec, self.generator_name = generator, spec, generator_name
        self.options, self.total, self.images, self.seed = options, total, images, seed
        self.label = label
        self.items, self.batch = 0 if images is None else len(images), options.batch
        self.layout = layout_of(generator, cast("Space", options.space) if options.space else None)
        self.statistics = layout_statistics(generator, self.layout)
        self.perceptual_digest = "" if perceptual is None else perceptual[1]
        self.discriminator_digest = "" if discriminator is None else discriminator[1]
        network = None if perceptual is None else perceptual[0]
        self.past = None if start is None else Past.of(start)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.encoder = Encoder(self._config())
            if options.statistics:
                self.encoder.use_statistics(self.statistics)
                begin_near_the_mean(self.encoder)
            self.taken_over = 0 if start is None else take_over(self.encoder, start.encoder)
            if start is not None and not self.taken_over:
                raise UsageError("the encoder to start from has no weights that fit this one", fix="leave --start out")
            decoder = decoder_of(options.decoder, generator, self.layout, self.statistics, spec.size)
            self.networks: dict[str, nn.Module] = {"encoder": self.encoder}
            if options.decoder == "learned":
                self.networks["decoder"] = decoder
            if options.adversarial:
                self.networks["discriminator"] = discriminator[0] if discriminator else _new_discriminator(spec.size)
        averaged = [name for name in ("encoder", "decoder") if name in self.networks and options.decay == "cosine"]
        self.averages = {name: MovingAverage(self.networks[name], HALF_LIFE) for name in averaged}
        self.optimisers = {
            name: torch.optim.Adam(parameters, lr=options.rate, betas=(0.9, 0.99), eps=1e-8)
            for name, parameters in self._parameters().items()
        }
        self.objective = Objective(generator, decoder, self.layout, self.statistics, options, network)
        self.lessons = Lessons(generator, self.layout, options, images, ws)

    def describe(self) -> Mapping[str, Any]:
        """Options, data and generator."""
        return {
            **asdict(self.options), "total": self.total, "generator": self.generator_name,
            "generator_digest": self.spec.weights_digest, "perceptual_digest": self.perceptual_digest,
            "taken_over": self.taken_over, **({} if self.label is None else {"label": self.label}),
            **({"discriminator_digest": self.discriminator_digest} if self.discriminator_digest else {}),
            "data": "renders" if self.images is None else self.images.describe(),
        }  # fmt: skip

    def prepare(self, machine: Machine) -> None:
        """Set the perceptual weight, and compile the renders and the losses."""
        self.machine = machine
        cast("nn.Module", self.generator).to(machine.device)
        self.objective.to(machine.device)
        self.objective.calibrate(self.lessons.random_ws, machine.device, self.seed)
        for name, network in self.networks.items():
            if name != "discriminator":
                network.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
                self.networks[name] = synchronise_norms(network)
        self.encoder = cast("Encoder", self.networks["encoder"])
        self.lessons.synthesis = machine.compile(self.generator.synthesis)
        self._judged = machine.compile(self._judge)

    def step(self, batch: Batch) -> Mapping[str, Tensor]:
        """One step of the encoder, and one of the discriminator on the same images."""
        machine, options = self.machine, self.options
        for optimiser in self.optimisers.values():
            for group in optimiser.param_groups:
                group["lr"] = self.rate(batch.step)
        left = 1 - batch.shown / self.total
        if left <= options.settled:
            settle(self.encoder)
        share = batch.total // machine.world
        with machine.autocast():
            lesson = self.lessons.batch(share, batch.rows, machine.device)
            loss, losses, made = self._judged(lesson.inputs, lesson.targets, lesson.codes, lesson.known)
            if options.adversarial:
                fooled = generator_loss(self._scores(made))
                loss, losses["adversarial"] = loss + options.adversarial * fooled, fooled.detach()
        machine.update(self.optimisers["encoder"], loss)
        if options.adversarial:
            losses |= self._discriminator_step(lesson)
        return losses

    def rate(self, step: int) -> float:
        """The learning rate at a step."""
        options = self.options
        steps = max(self.total // options.batch, 1)
        if options.decay == "paper":
            return decayed_rate(
                step, rate=options.rate, decay_steps=max(steps // 4, 1),
                steps_an_iteration=2 if options.adversarial else 1,
            )  # fmt: skip
        return cosine_rate(step, steps, options.rate)

    def pictures(self) -> NDArray[np.uint8]:
        """Eight unseen renders and their reconstructions, then eight degraded ones and theirs."""
        clean, _ = renders_of_seeds(self.generator, seeds_for("monitoring", 8).start, 8, 0.8)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            degraded = self.lessons.batch(8, np.arange(8) % max(self.items, 1), clean.device).inputs
        rows = [clean, self._reconstruct(clean), degraded, self._reconstruct(degraded)]
        return picture_grid(to_uint8(torch.cat(rows)).transpose(0, 2, 3, 1), columns=8)

    def evaluate(self, *, final: bool) -> Mapping[str, float]:
        """Squared error and R2 of codes on unseen seeds at psi .7 and 1; squared error on unseen real images."""
        count = EVALUATED[final]
        found: dict[str, float] = {}
        for psi in (0.7, 1.0):
            images, ws = renders_of_seeds(self.generator, seeds_for("monitoring", count).start, count, psi)
            for passes in PASSES if final else (1,):
                made = self._reconstruct(images, passes)
                name = f"mse.psi{psi}" if passes == 1 else f"mse.psi{psi}.passes{passes}"
                found[name] = float((made - images).square().mean())
            found |= {f"r2.psi{psi}.{name}": value for name, value in self._determination(images, ws).items()}
        if self.images is not None and "test" in self.images.dataset.splits:
            held = TrainingImages(self.images.dataset, self.images.size, split="test")
            # Not the first ones: some datasets are sorted by class.
            rows = np.random.default_rng(0).permutation(len(held))[:count]
            real = held.batch(np.sort(rows), self.machine.device)
            found["mse.real"] = float((self._reconstruct(real) - real).square().mean())
        return found

    def state(self) -> Mapping[str, Any]:
        """The measured perceptual weight, and what the run started from: a later `--start` changes nothing."""
        past = None if self.past is None else dict(self.past.origin)
        return {
            "perceptual_weight": self.objective.perceptual_weight, "calibrated": self.objective.calibrated, "past": past
        }  # fmt: skip

    def restore(self, state: Mapping[str, Any]) -> None:
        """The inverse of `state`."""
        self.objective.perceptual_weight, self.objective.calibrated = state["perceptual_weight"], state["calibrated"]
        if state.get("past") is not None:
            self.past = Past(state["past"])

    def export(self, folder: Path, history: Mapping[str, Any]) -> None:
        """Write `model.safetensors` and `card.md`."""
        export_encoder(
            folder, self._final(), self.spec, self.generator_name, self.describe(), history,
            perceptual_digest=self.perceptual_digest, perceptual_weight=self.objective.perceptual_weight,
            domain=self._domain(), past=self.past,
            kind=self.options.metric if self.label is None else "",
        )  # fmt: skip

    def _domain(self) -> Domain:
        drawn = self.images is None or self.images.dataset.card().domain == "in-generator"
        return "in-generator" if drawn else "real"

    def _parameters(self) -> dict[str, list[nn.Parameter]]:
        """What each optimiser learns: a decoder learns with the encoder."""
        found = {name: list(network.parameters()) for name, network in self.networks.items()}
        found["encoder"] += found.pop("decoder", [])
        return found

    def _config(self) -> EncoderConfig:
        options = self.options
        build = compact if options.encoder == "compact" else paper
        changes: dict[str, Any] = {
            "alignment": options.alignment, "width": options.width, "gathering": options.gathering
        }  # fmt: skip
        if options.depth:
            changes["depth"] = options.depth
        return build(self.layout, self.spec.size, **changes)

    def _judge(
        self, inputs: Tensor, targets: Tensor, codes: Mapping[str, Tensor], known: Tensor
    ) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        return self.objective(self.encoder(inputs), targets, codes, known)

    def _discriminator_step(self, lesson: Lesson) -> dict[str, Tensor]:
        machine = self.machine
        with machine.autocast(), torch.no_grad():
            # In training mode, as in the official program: this updates the norms' statistics a second time.
            made = self.objective.decoder(self.encoder(lesson.inputs))
        images = lesson.targets.detach().requires_grad_()
        real = self._scores(images)
        loss = discriminator_loss(self._scores(made.float()), real)
        penalty = r1_penalty(real, images)
        machine.update(self.optimisers["discriminator"], loss + self.options.r1_gamma / 2 * penalty)
        return {"D": loss.detach(), "r1": penalty.detach()}

    def _scores(self, images: Tensor) -> Tensor:
        scores: Tensor = self.networks["discriminator"](images)
        return scores

    def _final(self) -> Encoder:
        """The encoder to keep."""
        average = self.averages.get("encoder")
        return self.encoder if average is None else cast("Encoder", average.module)

    def _draw(self, codes: Mapping[str, Tensor]) -> Tensor:
        """Images [N, 3, R, R] of codes by level, by the decoder that belongs to the encoder to keep."""
        average = self.averages.get("decoder")
        made: Tensor = (self.objective.decoder if average is None else average.module)(codes)
        return made

    @torch.no_grad()
    def _codes(self, images: Tensor, passes: int = 1) -> dict[str, Tensor]:
        """Codes of images [N, 3, R, R] after some passes, by level [N, width]."""
        encoder = self._final()
        with evaluating(encoder):
            parts = [
                encoder.codes_of(predicted(encoder, part, self._draw, passes)) for part in torch.split(images, BATCH)
            ]
        return {level.name: torch.cat([part[level.name] for part in parts]) for level in self.layout.levels}

    @torch.no_grad()
    def _reconstruct(self, images: Tensor, passes: int = 1) -> Tensor:
        codes = self._codes(images, passes)
        parts = zip(*(torch.split(code, BATCH) for code in codes.values()), strict=True)
        made = [self._draw(dict(zip(codes, part, strict=True))) for part in parts]
        return torch.cat([part.float().clamp(-1, 1) for part in made])

    def _determination(self, images: Tensor, ws: Tensor) -> dict[str, float]:
        """R2 of the standardised codes by level: 0 for the mean code, 1 for the true one."""
        predicted, true = self._codes(images), self.layout.codes(self.generator, ws)
        found = {}
        for name, code in predicted.items():
            deviation = self.statistics[name].deviation.to(code.device).clamp_min(1e-12)
            error = ((code - true[name]) / deviation).square().sum()
            spread = ((true[name] - true[name].mean(dim=0)) / deviation).square().sum()
            found[name] = float(1 - error / spread)
        return found


def begin_near_the_mean(encoder: Encoder) -> None:
    """Scale the heads' last layers to 0.1: training starts near the mean code, not at random faces."""
    for head in encoder.heads.values():
        nn.init.constant_(cast("Head", head).norm.weight, 0.1)  # type: ignore[arg-type]


def take_over(encoder: Encoder, start: Encoder) -> int:
    """Copy all tensors whose names and shapes agree, except statistics of codes, and return their number.

    The head of `rgb` starts anew if sizes differ: the conversion to RGB is then at another place in the generator.
    """
    sizes = {encoder.config.size, start.config.size}
    mine, theirs = encoder.state_dict(), start.state_dict()
    fresh = ("mean_", "deviation_", *(("heads.rgb.",) if len(sizes) > 1 else ()))
    copied = {
        name: theirs[name]
        for name, value in mine.items()
        if name in theirs and theirs[name].shape == value.shape and not name.startswith(fresh)
    }
    encoder.load_state_dict({**mine, **copied})
    return len(copied)


def _new_discriminator(size: int) -> StyleGAN2Discriminator:
    sides = [4 * 2**step for step in range(size.bit_length() - 2)]
    return StyleGAN2Discriminator({side: min(32 * size // side, 128) for side in sides})
