"""Refines codes by optimisation with the encoder as regulariser, as idinvert does (Zhu et al. 2020, section 3.2)."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ghbench.ghfeat.codec import Codec, Codes, Images


@dataclass(frozen=True, slots=True)
class Refinement:
    """Settings of a refinement.

    Args:
        steps: Steps of Adam.
        rate: Its initial learning rate, in standard deviations of codes; falls to 0 as a cosine.
        regulariser: Weight of the squared difference between codes and the encoder's codes of their image.
        share: Initial feature term, as a share of the pixel term.
    """

    steps: int = 25
    rate: float = 0.1
    regulariser: float = 0.01
    share: float = 0.5


PIXELS = Refinement(regulariser=0.0, share=0.0)
"""Of the extractor's option `refine`: the squared error alone."""


def refine(
    codec: Codec,
    images: Images,
    refinement: Refinement | None = None,
    *,
    units: Codes | None = None,
    perceptual: nn.Module | None = None,
    report: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[str, Tensor]:
    """Standardised codes whose images are closer to the input than those of the encoder's codes.

    Minimises pixel + weight * feature + regulariser * mean (u - E(G(u)))^2 over the standardised codes u of each image,
    starting at E(x). No image depends on another one.

    Args:
        codec: Encoder and generator.
        images: uint8 [N, 3, R, R].
        refinement: Steps and weights.
        units: Standardised codes to start from, by level [N, width]; None for the encoder's.
        perceptual: Maps images [N, 3, R, R] in [-1, 1] to features [N, D]; None leaves the feature term out.
        report: Called after each step with the steps done and the total.

    Returns:
        Standardised codes by level [N, width].
    """
    settings = refinement or Refinement()
    target = codec.tensor(images)
    start = codec.features(images) if units is None else units
    found = {name: unit.detach().clone().requires_grad_() for name, unit in start.items()}
    optimiser = torch.optim.Adam(found.values(), lr=settings.rate)
    wanted = None if perceptual is None else perceptual(target).detach()
    weight = torch.zeros(len(images), device=target.device)
    for step in range(settings.steps):
        optimiser.param_groups[0]["lr"] = settings.rate * 0.5 * (1 + math.cos(math.pi * step / settings.steps))
        made = codec.synthesise(codec.unstandardise(found)).float()
        pixel = (made - target).square().mean(dim=(1, 2, 3))
        loss = pixel
        if settings.regulariser:
            again = codec.standardise(codec.encoder(made))
            loss = loss + settings.regulariser * _difference(found, again)
        if perceptual is not None and wanted is not None:
            feature = (perceptual(made) - wanted).square().mean(dim=1)
            if step == 0:
                weight = settings.share * pixel.detach() / feature.detach().clamp_min(1e-12)
            loss = loss + weight * feature
        optimiser.zero_grad(set_to_none=True)
        loss.sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        report(step + 1, settings.steps)
    return {name: unit.detach() for name, unit in found.items()}


def _difference(units: Codes, others: Codes) -> Tensor:
    """Mean squared difference over all numbers of all levels, of each image [N]."""
    return torch.cat([unit - others[name] for name, unit in units.items()], dim=1).square().mean(dim=1)
