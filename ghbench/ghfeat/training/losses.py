"""Losses of GH-Feat's encoder (Xu et al. 2021, section 3.3), as in the official program.

The adversarial terms are those of `ghbench.training.gan_losses`: the paper writes them with plain scores, the official
program uses the logistic loss, and so do we. All terms are computed in float32, even under autocast.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from ghbench.generators.code_statistics import CodeStatistics


def pixel_loss(reconstructions: Tensor, images: Tensor) -> Tensor:
    """Mean squared difference over all numbers of all images.

    Args:
        reconstructions: [N, 3, R, R], nominally in [-1, 1], not clipped.
        images: [N, 3, R, R] in [-1, 1].

    Returns:
        A float32 scalar.
    """
    return functional.mse_loss(reconstructions.float(), images.float())


def perceptual_loss(features: Tensor, targets: Tensor) -> Tensor:
    """Mean squared difference over all features of all images.

    Args:
        features: Features of the reconstructions, [N, D]; see `ghbench.ghfeat.training.perceptual`.
        targets: Features of the images, [N, D]; no gradient flows into them.

    Returns:
        A float32 scalar.
    """
    return functional.mse_loss(features.float(), targets.detach().float())


def code_loss(
    codes: Mapping[str, Tensor],
    targets: Mapping[str, Tensor],
    statistics: Mapping[str, CodeStatistics],
    known: Tensor | None = None,
    basis: Tensor | None = None,
) -> Tensor:
    """Squared error of predicted codes over the variance of each number, averaged over numbers, then over levels.

    The mean code has a loss of 1. Not in the paper; it needs renders, whose codes are known.

    Args:
        codes: Predicted codes, by level [N, width].
        targets: True codes, by level [N, width].
        statistics: Mean and standard deviation of the true codes; numbers that never vary are left out.
        known: Weight of each image [N]: 0 if its true codes are unknown. None: all are known.
        basis: Principal components of the standardised codes, all levels beside one another [width, k], in which the
            error is measured instead: the sum over components, divided by k. None: all numbers of all levels.

    Returns:
        A float32 scalar.
    """

    def mean(error: Tensor) -> Tensor:
        return error.mean() if known is None else (error * known).sum() / known.sum().clamp_min(1.0)

    terms, differences = [], []
    for name, code in codes.items():
        deviation = statistics[name].deviation.to(code.device)
        varies = deviation > 0
        # No boolean indexing, which would break compiled graphs.
        inverse = torch.where(varies, 1 / torch.where(varies, deviation, 1.0), 0.0)
        difference = (code.float() - targets[name].detach().float()) * inverse
        differences.append(difference)
        terms.append(mean(difference.square().sum(dim=1) / varies.sum().clamp_min(1)))
    if basis is not None:
        return mean((torch.cat(differences, dim=1) @ basis).square().mean(dim=1))
    return torch.stack(terms).mean()


def weight_for_share(pixel: float, term: float, share: float) -> float:
    """The weight that makes a term a given share of the pixel term, both measured on the same images.

    Args:
        pixel: The pixel loss, for instance of images against G(mean w).
        term: The other loss, unweighted, on the same images.
        share: Desired weight * term / pixel.

    Raises:
        ValueError: The term is not positive, or the pixel loss or share is negative.
    """
    if not (term > 0 and pixel >= 0 and share >= 0):
        raise ValueError(f"a term of {term} beside a pixel loss of {pixel} cannot have a share of {share}")
    return share * pixel / term
