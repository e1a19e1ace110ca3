"""Codes refined by optimisation, with the encoder as regulariser, as idinvert does (Zhu et al. 2020, section 3.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ghbench.generators.rendering import from_uint8
from ghbench.ghfeat.codec import Codec, Codes, Pictures
from ghbench.ghfeat.training.losses import perceptual_loss, pixel_loss, weight_for_share


@dataclass(frozen=True, slots=True)
class Refinement:
    """How codes are refined.

    Args:
        steps: Of Adam.
        rate: Its learning rate, in deviations of codes.
        regulariser: Weight of the squared difference of codes and the encoder's codes of what they draw.
        share: What the feature term weighs at the start, as a share of the pixel term.
    """

    steps: int = 100
    rate: float = 0.01
    regulariser: float = 2.0
    share: float = 0.5


def refine(
    codec: Codec,
    pictures: Pictures,
    refinement: Refinement | None = None,
    *,
    perceptual: nn.Module | None = None,
    report: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[str, Tensor]:
    """Codes that draw pictures more closely than the encoder's.

    Minimises pixel + weight * feature + regulariser * mean (u - E(G(u)))^2, with u the standardised codes, starting at
    u = E(x). Pictures are refined one by one, so that none depends on its neighbours.

    Args:
        codec: Encoder and generator.
        pictures: uint8 [N, 3, R, R].
        refinement: Steps and weights.
        perceptual: From pictures [N, 3, R, R] in [-1, 1] to features [N, D]; None leaves the feature term out.
        report: Told how many steps are done and how many there shall be.

    Returns:
        Codes by level [N, width].
    """
    settings = refinement or Refinement()
    total = settings.steps * len(pictures)
    rows = []
    for row in range(len(pictures)):
        told = lambda step, row=row: report(row * settings.steps + step, total)  # noqa: E731
        rows.append(_refined(codec, pictures[row : row + 1], settings, perceptual, told))
    return {name: torch.cat([row[name] for row in rows]) for name in rows[0]}


def _refined(
    codec: Codec,
    picture: Pictures,
    settings: Refinement,
    perceptual: nn.Module | None,
    report: Callable[[int], None],
) -> dict[str, Tensor]:
    image = from_uint8(picture).to(codec.device)
    units = {name: code.clone().requires_grad_() for name, code in codec.features(picture).items()}
    optimiser = torch.optim.Adam(units.values(), lr=settings.rate)
    target = None if perceptual is None else perceptual(image).detach()
    weight = 0.0
    for step in range(settings.steps):
        made = codec.synthesised(codec.restored(units)).float()
        pixel = pixel_loss(made, image)
        loss = pixel + settings.regulariser * _disagreement(units, codec.standardised(codec.encoder(made)))
        if perceptual is not None and target is not None:
            feature = perceptual_loss(perceptual(made), target)
            if step == 0 and float(feature.detach()) > 0:
                weight = weight_for_share(float(pixel.detach()), float(feature.detach()), settings.share)
            loss = loss + weight * feature
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        report(step + 1)
    return {name: code.detach() for name, code in codec.restored(units).items()}


def _disagreement(units: Codes, found: Codes) -> Tensor:
    """Squared difference, mean over all numbers of all levels."""
    return torch.cat([(unit - found[name]).square().flatten() for name, unit in units.items()]).mean()
