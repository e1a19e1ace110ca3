"""Losses of variational autoencoders, of single images and of pairs that share all but one number of the code."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def fused(means: Tensor, logs: Tensor, changed: Tensor) -> tuple[Tensor, Tensor]:
    """Posteriors of pairs that differ in one known number of the code.

    Source: `dimvar_vae.py` of the author's development program. Where both images should agree, means are averaged, and
    so are logarithms of variances (disentanglement_lib's GroupVAE averages the variances).

    Args:
        means: [2N, Z], the second half the partners of the first.
        logs: Logarithms of variances [2N, Z].
        changed: int64 [N], the number in which a pair differs.

    Returns:
        Means and logarithms [2N, Z].
    """
    own = functional.one_hot(changed.repeat(2), means.shape[1]).bool()
    pairs = [torch.stack(part.chunk(2)).mean(dim=0).repeat(2, 1) for part in (means, logs)]
    return torch.where(own, means, pairs[0]), torch.where(own, logs, pairs[1])


def reconstruction(logits: Tensor, images: Tensor, kind: str) -> Tensor:
    """How far decoded images are from the true ones [N]: a sum over all numbers of an image.

    Args:
        logits: [N, C, R, R]; a sigmoid makes images of them.
        images: [N, C, R, R] in [0, 1].
        kind: `squares`, or `bernoulli` for the cross-entropy in nats.
    """
    if kind == "squares":
        return (logits.sigmoid() - images).square().sum(dim=(1, 2, 3))
    return functional.binary_cross_entropy_with_logits(logits, images, reduction="none").sum(dim=(1, 2, 3))
