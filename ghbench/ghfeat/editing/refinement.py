"""Refines codes by optimisation with the encoder as regulariser, as idinvert does (Zhu et al. 2020, section 3.2)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ghbench.generators.rendering import from_uint8
from ghbench.ghfeat.codec import Codec, Codes, Images
from ghbench.ghfeat.training.losses import perceptual_loss, pixel_loss, weight_for_share


@dataclass(frozen=True, slots=True)
class Refinement:
    """Settings of a refinement.

    Args:
        steps: Steps of Adam.
        rate: Its learning rate, in standard deviations of codes.
        regulariser: Weight of the squared difference between codes and the encoder's codes of their image.
        share: Initial feature term, as a share of the pixel term.
    """

    steps: int = 100
    rate: float = 0.01
    regulariser: float = 2.0
    share: float = 0.5


def refine(
    codec: Codec,
    images: Images,
    refinement: Refinement | None = None,
    *,
    perceptual: nn.Module | None = None,
    report: Callable[[int, int], None] = lambda _done, _total: None,
) -> dict[str, Tensor]:
    """Codes whose images are closer to the input than those of the encoder's codes.

    Minimises pixel + weight * feature + regulariser * mean (u - E(G(u)))^2, with u the standardised codes, starting at
    u = E(x). Images are refined one by one, so that none depends on the others.

    Args:
        codec: Encoder and generator.
        images: uint8 [N, 3, R, R].
        refinement: Steps and weights.
        perceptual: Maps images [N, 3, R, R] in [-1, 1] to features [N, D]; None leaves the feature term out.
        report: Called after each step with the steps done and the total.

    Returns:
        Codes by level [N, width].
    """
    settings = refinement or Refinement()
    total = settings.steps * len(images)
    rows = []
    for row in range(len(images)):
        step_report = lambda step, row=row: report(row * settings.steps + step, total)  # noqa: E731
        rows.append(_refine_one(codec, images[row : row + 1], settings, perceptual, step_report))
    return {name: torch.cat([row[name] for row in rows]) for name in rows[0]}


def _refine_one(
    codec: Codec,
    image: Images,
    settings: Refinement,
    perceptual: nn.Module | None,
    report: Callable[[int], None],
) -> dict[str, Tensor]:
    target = from_uint8(image).to(codec.device)
    units = {name: code.clone().requires_grad_() for name, code in codec.features(image).items()}
    optimiser = torch.optim.Adam(units.values(), lr=settings.rate)
    target_features = None if perceptual is None else perceptual(target).detach()
    weight = 0.0
    for step in range(settings.steps):
        made = codec.synthesise(codec.unstandardise(units)).float()
        pixel = pixel_loss(made, target)
        loss = pixel + settings.regulariser * _code_difference(units, codec.standardise(codec.encoder(made)))
        if perceptual is not None and target_features is not None:
            feature = perceptual_loss(perceptual(made), target_features)
            if step == 0 and float(feature.detach()) > 0:
                weight = weight_for_share(float(pixel.detach()), float(feature.detach()), settings.share)
            loss = loss + weight * feature
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        report(step + 1)
    return {name: code.detach() for name, code in codec.unstandardise(units).items()}


def _code_difference(units: Codes, found: Codes) -> Tensor:
    """Mean squared difference over all numbers of all levels."""
    return torch.cat([(unit - found[name]).square().flatten() for name, unit in units.items()]).mean()
