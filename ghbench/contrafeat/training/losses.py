"""ContraFeat's losses: pairs of samples, learned prototypes, and the diversity of directions.

Source: the program from which the paper came (zhuxinqimac/stylegan2-ada-pytorch, branch `group`); the paper's printed
equations may differ in what is optional here.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ghbench.contrafeat.training.changes import (
    EPSILON,
    Agreement,
    Maps,
    agreement,
    change_masks,
    feature_changes,
    size_of_change,
    weighed,
)


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights of the terms.

    Args:
        positive: Of the agreement of equal directions, which is rewarded.
        negative: Of the agreement of different directions, which is punished.
        size: Of the size of changes, which is punished.
    """

    positive: float = 1.0
    negative: float = 1.0
    size: float = 0.0


def binary_contrast(query: Maps, positive: Maps, negative: Maps, how: Agreement, weights: Weights) -> Tensor:
    """Equal directions change features alike in any two samples, different ones differently.

    Args:
        query: Changes by layer [N, C, H, W] of some samples along a direction; see `feature_changes`.
        positive: Changes of other samples along the same direction.
        negative: Changes of other samples along another direction.
        how: How changes are compared.
        weights: Weights of the terms.

    Returns:
        Sum over layers [N].
    """
    masks = [change_masks(changes, how) for changes in (query, positive, negative)]
    parts = []
    for layer, change in enumerate(query):
        alike = agreement(change, positive[layer], masks[0][layer], masks[1][layer], how)
        unlike = agreement(change, negative[layer], masks[0][layer], masks[2][layer], how)
        parts.append(weights.negative * unlike - weights.positive * alike)
    total = torch.stack(parts).sum(dim=0)
    if weights.size:
        sizes = [size_of_change(x, m, how) for x, m in zip((query, positive, negative), masks, strict=True)]
        total = total + weights.size * torch.stack(sizes).sum(dim=0)
    return total


def prototype_contrast(
    changes: Maps, prototypes: Maps, directions: Tensor, how: Agreement, weights: Weights, among: Tensor | None = None
) -> Tensor:
    """Each direction changes features as its own prototype looks, and unlike all others.

    Channels are summed first, so that no array has samples, prototypes, channels and places at once.

    Args:
        changes: Changes by layer [N, C, H, W].
        prototypes: Features of the K prototype images by layer [K, C, H', W'], resized to those of the changes.
        directions: Direction of each change, int64 [N].
        how: How they are compared.
        weights: Weights of the terms.
        among: Which directions are contrasted, [K, K] of zeros and ones; None: all.

    Returns:
        A scalar: the mean over samples, summed over layers.
    """
    count = len(prototypes[0])
    own = functional.one_hot(directions, count).to(changes[0].dtype)
    others = 1 - own
    if among is not None:
        others = others * among[directions]
    resized = [
        functional.interpolate(prototype, change.shape[2:], mode="bilinear")
        for prototype, change in zip(prototypes, changes, strict=True)
    ]
    masks, patterns = change_masks(changes, how), change_masks(resized, how)
    parts = []
    for change, prototype, mask, pattern in zip(changes, resized, masks, patterns, strict=True):
        cosine = torch.einsum("nchw,kchw->nkhw", _unit(change), _unit(prototype))
        found = weighed(cosine, mask[:, None] * pattern[None], how)
        alike, unlike = (found * own).sum() / own.sum(), (found * others).sum() / others.sum().clamp_min(1.0)
        parts.append(weights.negative * unlike - weights.positive * alike)
    return torch.stack(parts).sum()


def prototype_likeness(prototypes: Maps, how: Agreement, among: Tensor | None = None) -> Tensor:
    """Mean agreement of different prototypes, summed over layers; see `prototype_contrast`."""
    count = len(prototypes[0])
    different = 1 - torch.eye(count, device=prototypes[0].device)
    if among is not None:
        different = different * among
    parts = []
    for prototype, mask in zip(prototypes, change_masks(prototypes, how), strict=True):
        units = _unit(prototype)
        cosine = torch.einsum("jchw,kchw->jkhw", units, units)
        found = weighed(cosine, mask[:, None] * mask[None], how)
        parts.append((found * different).sum() / different.sum().clamp_min(1.0))
    return torch.stack(parts).sum()


def diversity(directions: Tensor) -> Tensor:
    """Squared cosines of different directions [N, K, L, D], both orders counted, summed, and averaged over samples."""
    units = functional.normalize(directions.flatten(2), dim=2, eps=1e-8)
    squares = (units @ units.transpose(1, 2)).square()
    return (squares.sum(dim=(1, 2)) - squares.diagonal(dim1=1, dim2=2).sum(dim=1)).mean()


def _unit(features: Tensor) -> Tensor:
    return features / (features.square().sum(dim=1, keepdim=True).add(1e-24).sqrt() + EPSILON)


__all__ = [
    "Weights", "binary_contrast", "diversity", "feature_changes", "prototype_contrast", "prototype_likeness",
]  # fmt: skip
