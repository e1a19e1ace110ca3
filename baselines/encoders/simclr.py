"""SimCLR with GH-Feat's architecture: two views of an image should have codes that find one another."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from ghbench.figures.picture_grid import picture_grid
from ghbench.generators.rendering import to_uint8

from .recipe import MEASURED, SHOWN, EncoderOptions, EncoderRecipe, Terms
from .views import Views, view

HIDDEN, PROJECTED = 512, 128


@dataclass(frozen=True, slots=True)
class SimClrOptions(EncoderOptions):
    """Options of SimCLR.

    Args:
        temperature: Temperature of the softmax.
        crop: Smallest share of the area that a view shows.
        jitter: Largest change of brightness, contrast and saturation; of the hue a quarter of it.
        grey: Share of grey views.
        mirror: Whether views are mirrored at random.
    """

    temperature: float = 0.5
    crop: float = 0.3
    jitter: float = 0.4
    grey: float = 0.2
    mirror: bool = False


class SimClr(EncoderRecipe):
    """Contrastive learning with the other images of a batch as negatives."""

    name: ClassVar[str] = "simclr"
    citation: ClassVar[str] = "Chen et al. 2020, A Simple Framework for Contrastive Learning of Visual Representations"
    options_class: ClassVar[type[EncoderOptions]] = SimClrOptions

    def others(self, width: int, size: int) -> dict[str, nn.Module]:  # noqa: ARG002 - the size decides nothing here
        """The projection, which is not kept."""
        return {"projection": nn.Sequential(nn.Linear(width, HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, PROJECTED))}

    def inputs(self, images: Tensor) -> tuple[Tensor, ...]:
        """Two views of each image, one after the other [2N, 3, R, R]."""
        options = cast("SimClrOptions", self.options)
        how = Views(crop=options.crop, jitter=options.jitter, grey=options.grey, mirror=options.mirror)
        return (torch.cat([view(images, how), view(images, how)]),)

    def loss(self, *inputs: Tensor) -> Terms:
        """Cross-entropy of finding the other view among all views but the view itself."""
        projected = self.networks["projection"](self.codes(inputs[0])).float()
        loss = nt_xent(projected, cast("SimClrOptions", self.options).temperature)
        return loss, {"nt-xent": loss.detach()}

    def pictures(self) -> NDArray[np.uint8]:
        """Unseen images, and two views of each."""
        images = self.held(SHOWN)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            (views,) = self.inputs(images)
        return picture_grid(to_uint8(torch.cat([images, views])).transpose(0, 2, 3, 1), columns=SHOWN)

    def evaluate(self, *, final: bool) -> Mapping[str, float]:
        """Share of unseen views, of 500 or 100 images, whose most similar code is that of their image's other view."""
        images = self.held(MEASURED if final else MEASURED // 5)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            (views,) = self.inputs(images)
        scores = _similarities(self.final_codes(views))
        return {"views found": float((scores.argmax(dim=1) == _partners(len(scores), scores.device)).float().mean())}


def nt_xent(projected: Tensor, temperature: float) -> Tensor:
    """Normalised temperature-scaled cross-entropy (Chen et al. 2020, equation 1), in nats.

    Args:
        projected: [2N, D], the second half the other views of the first.
        temperature: Temperature.

    Returns:
        A scalar: log(2N - 1) if all are equal.
    """
    scores = _similarities(projected) / temperature
    return functional.cross_entropy(scores, _partners(len(scores), scores.device))


def _similarities(codes: Tensor) -> Tensor:
    """Cosines [2N, 2N] with minus infinity on the diagonal."""
    units = functional.normalize(codes, dim=1)
    return (units @ units.T).masked_fill(torch.eye(len(units), dtype=torch.bool, device=units.device), -math.inf)


def _partners(count: int, device: torch.device) -> Tensor:
    return torch.arange(count, device=device).roll(count // 2)
