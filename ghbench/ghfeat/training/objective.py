"""What predicted codes are judged by: the images that the frozen generator draws from them, and true codes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from ghbench.generators.code_statistics import CodeStatistics
from ghbench.generators.protocol import Generator
from ghbench.generators.rendering import area_average
from ghbench.ghfeat.network.layout import CodeLayout
from ghbench.ghfeat.network.statistics import principal_components
from ghbench.ghfeat.training.losses import code_loss, perceptual_loss, pixel_loss, weight_for_share
from ghbench.ghfeat.training.options import GhfeatOptions

CALIBRATION = 256
"""Renders on which the perceptual weight is set."""
BATCH = 16


class Objective:
    """Weighted terms of the loss; the adversarial one is the recipe's.

    Args:
        generator: The generator whose codes are predicted.
        decoder: What draws images from codes by level.
        layout: Layout of the codes.
        statistics: Their mean and standard deviation by level.
        options: Weights.
        perceptual: Perceptual network; None for no such term.
    """

    def __init__(
        self,
        generator: Generator,
        decoder: nn.Module,
        layout: CodeLayout,
        statistics: Mapping[str, CodeStatistics],
        options: GhfeatOptions,
        perceptual: nn.Module | None,
    ) -> None:
        self.generator, self.decoder, self.statistics = generator, decoder, statistics
        self.options, self.perceptual = options, perceptual
        self.perceptual_weight, self.calibrated = options.perceptual, False
        count = options.code_components
        self.basis = principal_components(generator, layout, statistics, count) if count and options.code else None

    def to(self, device: torch.device) -> None:
        """Move networks and arrays."""
        self.decoder.to(device)
        if self.perceptual is not None:
            self.perceptual.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if self.basis is not None:
            self.basis = self.basis.to(device)

    def __call__(
        self, codes: Mapping[str, Tensor], targets: Tensor, true: Mapping[str, Tensor], known: Tensor
    ) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """The loss of predicted codes.

        Args:
            codes: Predicted codes by level [N, width].
            targets: Images to reconstruct [N, 3, R, R].
            true: True codes by level [N, width].
            known: float [N], 1 where they are those of the target.

        Returns:
            The weighted sum, each term by name, and the reconstructions [N, 3, R, R].
        """
        options = self.options
        judged = options.pixel or options.adversarial or self.perceptual is not None
        made: Tensor = self.decoder(codes if judged else {name: code.detach() for name, code in codes.items()})
        terms = {"pixel": (options.pixel, pixel_loss(made, targets))}
        if self.perceptual is not None:
            terms["perceptual"] = (
                self.perceptual_weight, perceptual_loss(self.features(made), self.features(targets))
            )  # fmt: skip
        if options.code:
            terms["code"] = options.code, code_loss(codes, true, self.statistics, known, self.basis)
        total = torch.stack([weight * term for weight, term in terms.values()]).sum()
        return total, {name: term.detach() for name, (_, term) in terms.items()}, made

    def features(self, images: Tensor) -> Tensor:
        """Perceptual features [N, D] of images [N, 3, R, R], averaged to `perceptual_side` first if it is set."""
        assert self.perceptual is not None
        side = self.options.perceptual_side
        features: Tensor = self.perceptual(area_average(images, side) if side else images)
        return features

    @torch.no_grad()
    def calibrate(self, random_ws: Callable[[int, torch.device], Tensor], device: torch.device, seed: int) -> None:
        """Set the weight at which the perceptual term starts as its share of the pixel term, unless it is set."""
        share = self.options.perceptual_share
        if self.perceptual is None or not share or self.calibrated:
            return
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            mean = self.generator.synthesis(self.generator.w_mean[None]).float().clamp(-1, 1)
            known = self.features(mean).float()
            pixel, term = 0.0, 0.0
            for _ in range(CALIBRATION // BATCH):
                images = self.generator.synthesis(random_ws(BATCH, device)).float().clamp(-1, 1)
                pixel += float(pixel_loss(mean.expand_as(images), images))
                features = self.features(images)
                term += float(perceptual_loss(known.expand_as(features), features))
        self.perceptual_weight, self.calibrated = weight_for_share(pixel, term, share), True
