"""Batch norms that become part of the convolution before them: fewer passes over each map, the same features."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights

SAME = 0.99999
"""Smallest cosine of an image's features at which they count as unchanged."""

Encode = Callable[[], Mapping[str, torch.Tensor]]


@dataclass(frozen=True, slots=True)
class _Pair:
    """A convolution, and the batch norm that stands behind it among the parts of one module."""

    parent: nn.Module
    name: str
    convolution: nn.Conv2d
    norm: nn.BatchNorm2d


def fold_batch_norms(network: nn.Module, encode: Encode) -> int:
    """Fold the batch norms of a frozen network into its convolutions, and keep that only if its features stay.

    That a norm stands behind a convolution does not say that it is applied to it alone, and something may look at what
    is between them; so the features decide, all norms together.

    Args:
        network: In evaluation mode; changed in place.
        encode: Encodes some images by the network: levels [N, D].

    Returns:
        How many were folded.
    """
    pairs = list(_pairs(network))
    if not pairs:
        return 0
    before = encode()
    weights = [(pair.convolution.weight, pair.convolution.bias) for pair in pairs]
    same = False
    try:
        for pair in pairs:
            _fold(pair)
        same = _alike(before, encode())
    finally:
        if not same:
            for pair, (weight, bias) in zip(pairs, weights, strict=True):
                pair.convolution.weight, pair.convolution.bias = weight, bias
                setattr(pair.parent, pair.name, pair.norm)
    return len(pairs) if same else 0


def _pairs(network: nn.Module) -> Iterator[_Pair]:
    for parent in network.modules():
        before: nn.Module | None = None
        for name, part in parent.named_children():
            if type(before) is nn.Conv2d and isinstance(part, nn.BatchNorm2d) and _after(part) is not None:
                fits = part.num_features == before.out_channels and part.running_mean is not None
                if fits and not part.training:
                    yield _Pair(parent, name, before, part)
            before = part


def _after(norm: nn.BatchNorm2d) -> nn.Module | None:
    """What is left of a norm that was folded; None for a class that does something unknown."""
    if type(norm) is nn.BatchNorm2d:
        return nn.Identity()
    act, drop = getattr(norm, "act", None), getattr(norm, "drop", None)  # timm's norms hold their activation
    if type(norm).__name__ == "BatchNormAct2d" and isinstance(act, nn.Module) and isinstance(drop, nn.Module):
        return nn.Sequential(drop, act)
    return None


def _fold(pair: _Pair) -> None:
    convolution, norm = pair.convolution, pair.norm
    assert norm.running_mean is not None
    assert norm.running_var is not None
    convolution.weight, convolution.bias = fuse_conv_bn_weights(
        convolution.weight, convolution.bias, norm.running_mean, norm.running_var, norm.eps, norm.weight, norm.bias
    )
    left = _after(norm)
    assert left is not None
    # Whoever listens to the norm goes on listening.
    left._forward_hooks, left._forward_pre_hooks = norm._forward_hooks, norm._forward_pre_hooks
    setattr(pair.parent, pair.name, left.eval())


def _alike(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> bool:
    for name, features in one.items():
        cosine = torch.nn.functional.cosine_similarity(features.float(), other[name].float(), dim=1)
        length = other[name].float().norm(dim=1) / features.float().norm(dim=1)
        if not (cosine >= SAME).all() or not ((length - 1).abs() <= 1 - SAME).all():
            return False
    return True
