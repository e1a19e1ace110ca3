"""Adversarial training of StyleGAN1 and StyleGAN2."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ghbench.checkpoints import Checkpoint
from ghbench.errors import UsageError
from ghbench.figures.picture_grid import picture_grid
from ghbench.generators.loading import licence_of, training_record
from ghbench.generators.native import Rebuildable, rebuild
from ghbench.generators.rendering import to_uint8
from ghbench.generators.stylegan1 import StyleGAN1
from ghbench.generators.stylegan1_discriminator import StyleGAN1Discriminator
from ghbench.generators.stylegan2 import StyleGAN2
from ghbench.generators.stylegan2_discriminator import StyleGAN2Discriminator
from ghbench.training.augmentation import AdaptiveProbability, Strengths, augment
from ghbench.training.averages import MovingAverage
from ghbench.training.gan_export import export_gan
from ghbench.training.gan_losses import discriminator_loss, generator_loss, path_lengths, r1_penalty
from ghbench.training.images import TrainingImages
from ghbench.training.machine import Machine
from ghbench.training.recipe import Batch, Recipe
from ghbench.training.settings import check_numbers

Model = Literal["stylegan2", "stylegan1"]
GENTLE = Strengths(flip=False, turn=0.1, luma_flip=False)
"""Augmentation that preserves digits and clothes: two rotations of up to 18 degrees, no flip, no inversion."""


class Quality(Protocol):
    """Measures the distance of generated images to real ones."""

    def measure(self, make: Callable[[int], NDArray[np.uint8]], *, final: bool) -> Mapping[str, float]:
        """Metrics of the images uint8 [N, 3, R, R] that `make(N)` returns."""
        ...

    def to(self, device: str) -> None:
        """Move the extractor to `device`."""
        ...


@dataclass(frozen=True, slots=True)
class GanOptions:
    """Options of the recipe; the defaults are for 32 px on a small machine.

    Args:
        model: Which generation of StyleGAN.
        size: Image size, a power of two.
        channels: Channels at full resolution; they double as the resolution halves, up to `most_channels`.
        most_channels: Maximum number of channels.
        z_dim: Dimensions of z.
        w_dim: Dimensions of w.
        mapping_layers: Dense layers of the mapping network.
        colours: Colour channels in training, 1 for grey images or 3. The exported network always has 3.
        batch: Images a step.
        rate: Learning rate of Adam (betas 0 and .99).
        r1_gamma: Weight of R1; the penalty is multiplied by half of it.
        r1_every: Steps between R1 steps (lazy regularisation, Karras et al. 2020, section 3.1).
        path_weight: Weight of path-length regularisation, 0 to disable it.
        path_every: Steps between path-length steps.
        mixing: Fraction of images with style mixing (made from two w's).
        mirror: Whether real images are flipped at random.
        augment_target: Target of adaptive augmentation, E[sign D(real)]; 0 disables it.
        half_life: Half-life of the moving average, in images.
    """

    model: Model = "stylegan2"
    size: int = 32
    channels: int = 32
    most_channels: int = 64
    z_dim: int = 64
    w_dim: int = 64
    mapping_layers: int = 4
    colours: int = 3
    batch: int = 32
    rate: float = 0.002
    r1_gamma: float = 1.0
    r1_every: int = 16
    path_weight: float = 0.0
    path_every: int = 8
    mixing: float = 0.9
    mirror: bool = False
    augment_target: float = 0.0
    half_life: float = 10_000.0

    def __post_init__(self) -> None:
        least = {
            "channels": 1, "most_channels": 1, "z_dim": 1, "w_dim": 1, "mapping_layers": 1, "batch": 1,
            "r1_every": 1, "path_every": 1, "r1_gamma": 0, "path_weight": 0, "mixing": 0, "augment_target": 0,
        }  # fmt: skip
        wrong = [] if self.colours in {1, 3} else ["colours"]
        check_numbers(self, least, positive=("rate", "half_life"), shares=("mixing", "augment_target"), wrong=wrong)

    def channel_table(self) -> dict[int, int]:
        """Channels by resolution.

        Raises:
            UsageError: The size is not a power of two from 8 up.
        """
        if self.size < 8 or self.size & (self.size - 1):
            raise UsageError(f"size={self.size} is not a power of two from 8 up", fix="--size 32, 64, 128 ...")
        places = [4 * 2**step for step in range(self.size.bit_length() - 2)]
        return {place: min(self.channels * self.size // place, self.most_channels) for place in places}


class GanRecipe(Recipe):
    """StyleGAN with the logistic loss and lazy R1.

    Source: Karras et al. 2019 and 2020; adaptive augmentation from Karras et al. 2020, "Training GANs with limited
    data". StyleGAN1 is trained at full resolution from the start, without progressive growing.

    Args:
        options: Options.
        images: Real images.
        quality: Measures the distance of generated to real images, None to measure nothing.
        seed: Seed of the initial weights and the images in the grids.
    """

    start: Mapping[str, Any] | None = None
    """The earlier run whose weights this one began with: its `name`, `licence`, and what had taught it."""

    def __init__(
        self, options: GanOptions, images: TrainingImages, *, quality: Quality | None = None, seed: int = 0
    ) -> None:
        self.options, self.images, self.quality, self.seed = options, images, quality, seed
        self.name = options.model  # type: ignore[misc]
        self.items, self.batch = len(images), options.batch
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.generator, self.discriminator = make_networks(options)
        self.networks = {"generator": self.generator, "discriminator": self.discriminator}
        self.averages = {"generator": MovingAverage(self.generator, options.half_life)}
        self.optimisers = {
            "generator": _adam(self.generator, options.rate, options.path_every if options.path_weight else 0),
            "discriminator": _adam(self.discriminator, options.rate, options.r1_every),
        }
        self.path_mean = torch.zeros(())
        self.augmentation = _controller(options.augment_target) if options.augment_target else None

    def take_over(self, checkpoint: Checkpoint, start: str) -> None:
        """Begin with the networks of an earlier run; the optimisers begin anew.

        Args:
            checkpoint: What that run exported.
            start: What to call it.

        Raises:
            UsageError: Its networks are others.
        """
        networks = {part: rebuild(checkpoint, part) for part in self.networks}
        for part, network in self.networks.items():
            theirs, ours = (cast("Rebuildable", one).configuration() for one in (networks[part], network))
            if type(networks[part]) is not type(network) or theirs != ours:
                colour = ours["colours"] == 1 and theirs == {**ours, "colours": 3}
                raise UsageError(
                    f"the {part} of {start} has other sizes or colours: {theirs}, not {ours}",
                    fix="-o colours=3: grey networks are exported in colour" if colour else "give it the same options",
                )
            network.load_state_dict(networks[part].state_dict())
        self.averages["generator"].module.load_state_dict(self.generator.state_dict())
        record = training_record(checkpoint)
        self.start = {
            "name": start, "licence": licence_of(checkpoint), "datasets": list(record.datasets),
            "networks": [*record.networks, checkpoint.digest], "supervision": record.supervision,
        }  # fmt: skip

    def describe(self) -> Mapping[str, Any]:
        """Options and data."""
        started = {"start": self.start} if self.start else {}
        return {**asdict(self.options), "data": self.images.describe(), **started}

    def prepare(self, machine: Machine) -> None:
        """Compile the two losses."""
        self.machine = machine
        self.path_mean = self.path_mean.to(machine.device)
        if self.augmentation is not None:
            self.augmentation.to(machine.device)
        if self.quality is not None:
            self.quality.to(str(machine.device))
        for network in self.networks.values():
            network.train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._generator_loss = machine.compile(self._generator_loss_of)
        self._discriminator_loss = machine.compile(self._discriminator_loss_of)

    def step(self, batch: Batch) -> Mapping[str, Tensor]:
        """One step of each network, and of the regularisers when due."""
        options, machine, device = self.options, self.machine, self.machine.device
        count = len(batch.rows)
        probability = torch.zeros((), device=device) if self.augmentation is None else self.augmentation.p
        with machine.autocast():
            loss = self._generator_loss(*self._latents(count, device), probability)
        losses = {"G": loss.detach()}
        machine.update(self.optimisers["generator"], loss)
        if options.path_weight and batch.step % options.path_every == 0:
            losses["path"] = self._path_step(max(count // 2, 1), device)

        real = self._real(batch.rows, device)
        with machine.autocast():
            loss, sign = self._discriminator_loss(*self._latents(count, device), real, probability)
        losses["D"], losses["sign"] = loss.detach(), sign
        machine.update(self.optimisers["discriminator"], loss)
        if batch.step % options.r1_every == 0:
            losses["r1"] = self._r1_step(real, probability)
        if self.augmentation is not None:
            # Processes must agree on the probability, so their signs are averaged.
            self.augmentation.observe(machine.mean(sign), batch.total)
            losses["p"] = self.augmentation.p
        return losses

    def pictures(self) -> NDArray[np.uint8]:
        """64 images of the averaged generator at psi 1."""
        z = torch.randn(64, self.options.z_dim, generator=torch.Generator().manual_seed(self.seed))
        return picture_grid(self._render(z).transpose(0, 2, 3, 1), columns=8)

    def evaluate(self, *, final: bool) -> Mapping[str, float]:
        """Distances of generated to real images at psi 1."""
        return {} if self.quality is None else self.quality.measure(self._samples, final=final)

    def state(self) -> Mapping[str, Any]:
        """Path-length mean and augmentation probability."""
        augmentation = {} if self.augmentation is None else dict(self.augmentation.state_dict())
        return {"path_mean": self.path_mean, "chance": augmentation}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Load what `state` returned."""
        self.path_mean = state["path_mean"]
        if self.augmentation is not None:
            self.augmentation.load_state_dict(state["chance"])

    def export(self, folder: Path, history: Mapping[str, Any]) -> None:
        """Write `model.safetensors` (averaged generator, discriminator) and `card.md`."""
        export_gan(folder, self.averages["generator"].module, self.discriminator, self.describe(), history)

    def _generator_loss_of(self, z: Tensor, other: Tensor, cut: Tensor, probability: Tensor) -> Tensor:
        fakes = self.generator.synthesis(self._mix(z, other, cut), noise="random")
        return generator_loss(self.discriminator(self._augment(fakes, probability)))

    def _discriminator_loss_of(
        self, z: Tensor, other: Tensor, cut: Tensor, real: Tensor, probability: Tensor
    ) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            fakes = self.generator.synthesis(self._mix(z, other, cut), noise="random")
        fake_logits = self.discriminator(self._augment(fakes, probability))
        real_logits = self.discriminator(self._augment(real, probability))
        return discriminator_loss(fake_logits, real_logits), real_logits.detach().sign().mean()

    def _mix(self, z: Tensor, other: Tensor, cut: Tensor) -> Tensor:
        """Style mixing: W+ whose rows from `cut` [N] on come from the other z."""
        one, two = self.generator.mapping(z), self.generator.mapping(other)
        rows = torch.arange(one.shape[1], device=z.device)
        return torch.where((rows < cut[:, None])[:, :, None], one, two)

    def _latents(self, count: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        z, other = torch.randn(2, count, self.options.z_dim, device=device)
        rows = self.generator.rows
        cut = torch.randint(1, rows, (count,), device=device)
        mixed = torch.rand(count, device=device) < self.options.mixing
        return z, other, torch.where(mixed, cut, rows)

    def _real(self, rows: NDArray[np.int64], device: torch.device) -> Tensor:
        real = self.images.batch(rows, device)[:, : self.options.colours]
        real = real.contiguous(memory_format=torch.channels_last)
        if self.options.mirror:
            real = torch.where((torch.rand(len(real), device=device) < 0.5)[:, None, None, None], real.flip(3), real)
        return real

    def _augment(self, images: Tensor, probability: Tensor) -> Tensor:
        return images if self.augmentation is None else augment(images, probability, strengths=GENTLE)

    def _r1_step(self, real: Tensor, probability: Tensor) -> Tensor:
        # Needs second derivatives: not compiled, in float32.
        images = real.detach().requires_grad_()
        penalty = r1_penalty(self.discriminator(self._augment(images, probability)), images)
        weight = self.options.r1_gamma / 2 * self.options.r1_every
        self.machine.update(self.optimisers["discriminator"], penalty * weight)
        return penalty.detach()

    def _path_step(self, count: int, device: torch.device) -> Tensor:
        ws = self._mix(*self._latents(count, device))
        images = self.generator.synthesis(ws, noise="random")
        lengths = path_lengths(images, ws, torch.randn_like(images))
        # Equal in all processes, and never NaN, from which the mean would not recover.
        mean = self.machine.mean(lengths.mean().detach())
        self.path_mean = torch.where(torch.isfinite(mean), self.path_mean.lerp(mean, 0.01), self.path_mean)
        penalty = (lengths - self.path_mean).square().mean()
        weight = self.options.path_weight * self.options.path_every
        self.machine.update(self.optimisers["generator"], penalty * weight)
        return penalty.detach()

    def _samples(self, count: int) -> NDArray[np.uint8]:
        z = torch.randn(count, self.options.z_dim, generator=torch.Generator().manual_seed(self.seed + 1))
        return self._render(z)

    @torch.no_grad()
    def _render(self, z: Tensor) -> NDArray[np.uint8]:
        generator = self.averages["generator"].module
        assert isinstance(generator, (StyleGAN1, StyleGAN2))
        parts = torch.split(z.to(generator.w_mean), 100)
        made = np.concatenate([to_uint8(generator.synthesis(generator.mapping(part))) for part in parts])
        return np.repeat(made, 3 // made.shape[1], axis=1)


def make_networks(options: GanOptions) -> tuple[StyleGAN1 | StyleGAN2, nn.Module]:
    """Generator and discriminator, initialised from PyTorch's default random generator.

    Raises:
        UsageError: The size is not a power of two from 8 up.
    """
    table = options.channel_table()
    z_dim, w_dim, layers = options.z_dim, options.w_dim, options.mapping_layers
    if options.model == "stylegan1":
        one = StyleGAN1(table, z_dim=z_dim, w_dim=w_dim, mapping_layers=layers, colours=options.colours)
        return one, StyleGAN1Discriminator(table, colours=options.colours)
    two = StyleGAN2(table, z_dim=z_dim, w_dim=w_dim, mapping_layers=layers, colours=options.colours)
    return two, StyleGAN2Discriminator(table, colours=options.colours)


def _controller(target: float) -> AdaptiveProbability:
    # Faster than the paper's, because runs are a hundred times shorter; above .8 augmentation can leak into the
    # generated images (Karras et al. 2020, section 2.2).
    return AdaptiveProbability(target=target, images=100_000, maximum=0.8)


def _adam(network: nn.Module, rate: float, lazy: int) -> torch.optim.Adam:
    """Adam, corrected for a regulariser with its own step every `lazy` steps (Karras et al. 2020, appendix B)."""
    share = lazy / (lazy + 1) if lazy else 1.0
    return torch.optim.Adam(network.parameters(), lr=rate * share, betas=(0.0, 0.99**share), eps=1e-8)
