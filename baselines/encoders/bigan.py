"""A bidirectional GAN with GH-Feat's architecture: images with their codes against codes with their images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Tensor, nn

from ghbench.training.gan_losses import discriminator_loss, generator_loss, r1_penalty
from ghbench.training.recipe import Batch

from .recipe import EncoderOptions, PlainDecoder, Reconstructing, Terms

WIDEST, JOINT = 256, 256


@dataclass(frozen=True, slots=True)
class BiganOptions(EncoderOptions):
    """Options of a bidirectional GAN.

    Args:
        rate: Learning rate of Adam (betas .5 and .99).
        r1_gamma: Gamma of R1; the penalty's weight is half of it.
        r1_every: Steps between penalties.
    """

    rate: float = 5e-4
    r1_gamma: float = 1.0
    r1_every: int = 8


class Bigan(Reconstructing):
    """The encoder inverts the decoder because a discriminator of pairs cannot tell (x, E(x)) from (G(z), z)."""

    name: ClassVar[str] = "bigan"
    citation: ClassVar[str] = "Donahue et al. 2017, Adversarial Feature Learning; Dumoulin et al. 2017"
    options_class: ClassVar[type[EncoderOptions]] = BiganOptions
    betas: ClassVar[tuple[float, float]] = (0.5, 0.99)

    def others(self, width: int, size: int) -> dict[str, nn.Module]:
        """Decoder, and the discriminator of pairs."""
        return {"decoder": PlainDecoder(width, size), "discriminator": PairDiscriminator(width, size)}

    def learners(self) -> dict[str, tuple[str, ...]]:
        """Encoder and decoder learn together, against the discriminator."""
        return {"encoder": ("encoder", "decoder"), "discriminator": ("discriminator",)}

    def loss(self, *inputs: Tensor) -> Terms:
        """Both kinds of pairs should be taken for the other."""
        images, codes = inputs
        judge = self.networks["discriminator"]
        seen, drawn = judge(images, self.codes(images)), judge(self.networks["decoder"](codes), codes)
        loss = generator_loss(drawn) + generator_loss(-seen)
        return loss, {"E, G": loss.detach()}

    def step(self, batch: Batch) -> Mapping[str, Tensor]:
        """One step of encoder and decoder, and one of the discriminator, on the same images."""
        terms = dict(super().step(batch))
        machine = self.machine
        images, codes = self.inputs(self.images.batch(batch.rows, machine.device))
        with torch.no_grad(), machine.autocast():
            found, made = self.codes(images), self.networks["decoder"](codes)
        judge = self.networks["discriminator"]
        with machine.autocast():
            loss = discriminator_loss(judge(made, codes), judge(images, found))
        terms["D"] = loss.detach()
        options = cast("BiganOptions", self.options)
        if batch.step % options.r1_every == 0:
            real = images.detach().requires_grad_()
            penalty = r1_penalty(judge(real, found.float()), real)
            loss = loss + penalty * (options.r1_gamma / 2 * options.r1_every)
            terms["r1"] = penalty.detach()
        machine.update(self.optimisers["discriminator"], loss)
        return terms


class PairDiscriminator(nn.Module):
    """Scores pairs of an image and a code.

    Args:
        width: Numbers in a code.
        size: Side of the images.
    """

    def __init__(self, width: int, size: int) -> None:
        super().__init__()
        stages: list[nn.Module] = []
        before, halvings = 3, size.bit_length() - 3
        for step in range(halvings):
            after = WIDEST >> (halvings - 1 - step)
            stages += [nn.Conv2d(before, after, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
            before = after
        self.image = nn.Sequential(*stages, nn.Flatten(), nn.Linear(before * 16, JOINT))
        self.code = nn.Sequential(nn.Linear(width, JOINT), nn.LeakyReLU(0.2), nn.Linear(JOINT, JOINT))
        self.pair = nn.Sequential(
            nn.LeakyReLU(0.2), nn.Linear(2 * JOINT, JOINT), nn.LeakyReLU(0.2), nn.Linear(JOINT, 1)
        )  # fmt: skip

    def forward(self, images: Tensor, codes: Tensor) -> Tensor:
        """Logits [N, 1] of images [N, 3, R, R] and codes [N, width], large for an image with its own code."""
        logits: Tensor = self.pair(torch.cat([self.image(images), self.code(codes)], dim=1))
        return logits
