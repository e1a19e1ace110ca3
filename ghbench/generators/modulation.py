"""The modulated convolutions of StyleGAN2 (Karras et al. 2020, section 2.2), fast in plain PyTorch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from ghbench.generators.layers import EPSILON


def demodulation(weight: Tensor, style: Tensor, scale: float) -> Tensor:
    """Factors that give each output channel of a modulated convolution unit expected standard deviation.

    Source: Karras et al. 2020, section 2.2, equation 3. Computed in float32, even under autocast.

    Args:
        weight: [O, I, k, k].
        style: [N, I].
        scale: Factor on the weight.

    Returns:
        [N, O], float32.
    """
    with torch.autocast(style.device.type, enabled=False):
        energy = weight.float().square().sum(dim=(2, 3)) * (scale * scale)
        return torch.rsqrt(functional.linear(style.float().square(), energy) + EPSILON)


def modulated_conv2d(
    images: Tensor,
    weight: Tensor,
    style: Tensor,
    factors: Tensor,
    bias: Tensor,
    convolve: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    """Convolution whose input and output channels are scaled for each image, plus a bias.

    Scaling the channels is equivalent to scaling the weight for each image (Karras et al. 2020, equations 1 to 3),
    which needs one group an image and took 1.2 to 4.1 times as long (eight images, float32, two CPU cores, the layers
    of a 256 px generator, forward and backward). For a single image the weight is scaled if it is the smaller one, but
    not if it is frozen and gradients are on: the gradient of the style would then need that of the weight, which costs
    as much as another convolution.

    Args:
        images: [N, I, H, W].
        weight: [O, I, k, k].
        style: [N, I], factors on the input channels.
        factors: [N, O], factors on the output channels.
        bias: [O].
        convolve: The convolution, linear, of images and weight to [N, O, H', W'].

    Returns:
        [N, O, H', W'] in the precision of the convolution; it may be overwritten.
    """
    frozen = torch.is_grad_enabled() and not weight.requires_grad
    if len(images) == 1 and 2 * images.numel() > weight.numel() and not frozen:
        scaled = weight * torch.outer(factors[0], style[0]).to(weight.dtype)[:, :, None, None]
        output = convolve(images, scaled)
        return output.add_(bias.to(output.dtype)[:, None, None])
    output = convolve(images * style.to(images.dtype)[:, :, None, None], weight)
    return torch.addcmul(bias.to(output.dtype)[:, None, None], output, factors.to(output.dtype)[:, :, None, None])


def modulated_colours(images: Tensor, weight: Tensor, style: Tensor) -> Tensor:
    """Modulated 1x1 convolution to a few channels, not demodulated.

    The weight is small, so it is scaled instead of the maps, which are then read only once.

    Args:
        images: [N, I, H, W].
        weight: [O, I, 1, 1], O small.
        style: [N, I].

    Returns:
        [N, O, H, W], in the precision of matrix products.
    """
    count, _, height, width = images.shape
    weights = (weight[:, :, 0, 0] * style[:, None]).to(images.dtype)
    # Pixels by channels is a view of channels-last maps, and keeps their gradient channels last.
    pixels = images.permute(0, 2, 3, 1).reshape(count, height * width, -1)
    return torch.bmm(pixels, weights.transpose(1, 2)).transpose(1, 2).reshape(count, -1, height, width)
