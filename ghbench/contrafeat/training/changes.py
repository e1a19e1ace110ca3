"""Changes of deep features, where they happen, and how much two of them agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

Maps = Sequence[Tensor]
"""Feature maps by layer, each [N, C, H, W]."""
EPSILON = 1e-6
JOINED_SIDE = 32


@dataclass(frozen=True, slots=True)
class Agreement:
    """How two changes of features are compared; the defaults are those of the author's runs.

    Args:
        masked: Whether places count by how much changes there.
        jointly: Whether the norms of all layers share one minimum and maximum.
        norms: Whether masks are the norms themselves, not scaled to [0, 1].
        united: Whether the two masks are added instead of multiplied.
        weigh_squares: Whether squared cosines are weighed, instead of weighed cosines squared.
        absolute: Whether absolute cosines take the place of squared ones.
        divided: Whether the sum over places is divided by that of the mask, instead of by the number of places.
        joined: Whether all layers are resized to 32 px and joined to one.
    """

    masked: bool = True
    jointly: bool = False
    norms: bool = False
    united: bool = False
    weigh_squares: bool = False
    absolute: bool = False
    divided: bool = True
    joined: bool = False


def feature_changes(edited: Maps, original: Maps, how: Agreement) -> list[Tensor]:
    """Differences of features by layer, [N, C, H, W], or joined to a single layer."""
    found = [after - before for after, before in zip(edited, original, strict=True)]
    if not how.joined:
        return found
    size = (JOINED_SIDE, JOINED_SIDE)
    return [torch.cat([functional.interpolate(one, size, mode="bilinear") for one in found], dim=1)]


def change_masks(changes: Maps, how: Agreement) -> list[Tensor]:
    """Where features change: norms over channels by layer [N, H, W], scaled to [0, 1] by image; gradients flow."""
    norms = [_norm(one) for one in changes]
    if how.norms:
        return norms
    lows = torch.stack([norm.amin(dim=(1, 2)) for norm in norms])
    highs = torch.stack([norm.amax(dim=(1, 2)) for norm in norms])
    if how.jointly:
        lows, highs = lows.amin(dim=0).expand_as(lows), highs.amax(dim=0).expand_as(highs)
    return [
        (norm - low[:, None, None]) / (high - low + EPSILON)[:, None, None]
        for norm, low, high in zip(norms, lows, highs, strict=True)
    ]


def agreement(one: Tensor, other: Tensor, mask: Tensor, other_mask: Tensor, how: Agreement) -> Tensor:
    """How alike two changes of one layer are, place by place: squared cosines, weighed by the masks.

    By default (cosine * mask)^2, summed over places, over the sum of the mask: places count by the square of it, as in
    the author's program. Opposite changes are as alike as equal ones; orthogonal ones agree least.

    Args:
        one: [N, C, H, W].
        other: [N, C, H, W].
        mask: Of the one, [N, H, W].
        other_mask: Of the other, [N, H, W].
        how: Options.

    Returns:
        [N].
    """
    cosine = functional.cosine_similarity(one, other, dim=1)
    return weighed(cosine, mask + other_mask if how.united else mask * other_mask, how)


def weighed(cosine: Tensor, mask: Tensor, how: Agreement) -> Tensor:
    """Squared cosines [..., H, W] summed under a mask [..., H, W], to [...]; see `agreement`."""
    inside = how.masked and not how.weigh_squares
    value = cosine * mask if inside else cosine
    value = value.abs() if how.absolute else value.square()
    if not (how.divided and how.masked):
        return value.mean(dim=(-2, -1))
    value = value if inside else value * mask
    return value.sum(dim=(-2, -1)) / (mask.sum(dim=(-2, -1)) + EPSILON)


def size_of_change(changes: Maps, masks: Maps, how: Agreement) -> Tensor:
    """Squared norms of the changes, summed over layers, each over the sum of its mask: [N]."""
    parts = []
    for change, mask in zip(changes, masks, strict=True):
        energy = change.square().sum(dim=1)
        total = energy.sum(dim=(1, 2)) / (mask.sum(dim=(1, 2)) + EPSILON) if how.divided else energy.mean(dim=(1, 2))
        parts.append(total)
    return torch.stack(parts).sum(dim=0)


def _norm(change: Tensor) -> Tensor:
    """Norm over channels, with a gradient of zero where nothing changes, instead of none."""
    squares = change.square().sum(dim=1)
    still = squares == 0
    return torch.where(still, 0.0, torch.where(still, 1.0, squares).sqrt())
