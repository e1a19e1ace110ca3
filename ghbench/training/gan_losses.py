"""Losses of adversarial training."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional


def generator_loss(fake_logits: Tensor) -> Tensor:
    """Non-saturating loss of the generator, mean softplus(-D(G(z))) (Goodfellow et al. 2014, section 3)."""
    return functional.softplus(-fake_logits.float()).mean()


def discriminator_loss(fake_logits: Tensor, real_logits: Tensor) -> Tensor:
    """Logistic loss of the discriminator, mean softplus(D(G(z))) + mean softplus(-D(x))."""
    return functional.softplus(fake_logits.float()).mean() + functional.softplus(-real_logits.float()).mean()


def r1_penalty(real_logits: Tensor, images: Tensor) -> Tensor:
    """Squared gradient of D on real images (Mescheder et al. 2018, equation 9, without its factor gamma / 2).

    Args:
        real_logits: D(x), [N, 1].
        images: x, [N, C, R, R], with gradients required.

    Returns:
        Scalar, mean over images of the sum over pixels; differentiable.
    """
    (gradient,) = torch.autograd.grad(real_logits.sum(), images, create_graph=True)
    return gradient.float().square().sum(dim=(1, 2, 3)).mean()


def path_lengths(images: Tensor, ws: Tensor, noise: Tensor) -> Tensor:
    """Length of the Jacobian-vector product J^T y of the synthesis (Karras et al. 2020, section 3.2).

    Args:
        images: G(ws), [N, C, R, R].
        ws: W+ [N, rows, w_dim], with gradients required.
        noise: y, standard normal, of the images' shape.

    Returns:
        [N]: root of the mean over rows of the squared length; differentiable.
    """
    side = images.shape[-1]
    (gradient,) = torch.autograd.grad((images * noise).sum() / side, ws, create_graph=True)
    return gradient.square().sum(dim=2).mean(dim=1).sqrt()
