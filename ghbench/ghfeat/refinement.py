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


TINIEST = 1e-6
"""Gradients below this move codes little: with Adam's usual 1e-8, rounding errors would decide which way they go."""
PIXELS = Refinement(regulariser=0.0, share=0.0)
"""Of the extractor's option `refine`: the squared error alone."""


def refine(
    codec: Codec,
    images: Images,
    refinement: Refinement | None = None,
    *,
    passes: int = 1,
    perceptual: nn.Module | None = None,
    report: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[str, Tensor]:
    """Standardised codes whose images are closer to the input than those of the encoder's codes.

    Minimises pixel + weight * feature + regulariser * mean (u - E(G(u)))^2 over the standardised codes u of each image,
    starting at E(x). One image after the other: steps amplify the rounding that another batch size brings, and on a CPU
    a batch saves no time.

    Args:
        codec: Encoder and generator.
        images: uint8 [N, 3, R, R].
        refinement: Steps and weights.
        passes: Passes of the encoder, whose codes it starts from.
        perceptual: Maps images [N, 3, R, R] in [-1, 1] to features [N, D]; None leaves the feature term out.
        report: Called after each step with the steps done and the total, over all images.

    Returns:
        Standardised codes by level [N, width].
    """
    settings = refinement or Refinement()
    parts = []
    for row in range(len(images)):
        image = images[row : row + 1]
        advance = lambda step, done=row * settings.steps: report(done + step, len(images) * settings.steps)  # noqa: E731
        parts.append(_refined(codec, image, settings, codec.features(image, passes), perceptual, advance))
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def _refined(
    codec: Codec,
    images: Images,
    settings: Refinement,
    start: Codes,
    perceptual: nn.Module | None,
    report: Callable[[int], None],
) -> dict[str, Tensor]:
    target = codec.tensor(images)
    found = {name: unit.detach().clone().requires_grad_() for name, unit in start.items()}
    optimiser = torch.optim.Adam(found.values(), lr=settings.rate, eps=TINIEST)
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
        report(step + 1)
    return {name: unit.detach() for name, unit in found.items()}


def _difference(units: Codes, others: Codes) -> Tensor:
    """Mean squared difference over all numbers of all levels, of each image [N]."""
    return torch.cat([unit - others[name] for name, unit in units.items()], dim=1).square().mean(dim=1)
