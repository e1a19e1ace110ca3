"""Stronger changes after which a picture still shows the same: light from one side, something in front, a warp."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

BRIGHTER, COVERED, WARPED, COARSE = 1.2, 0.45, 0.05, 4


@torch.no_grad()
def side_light(images: Tensor) -> Tensor:
    """Images [N, 3, H, W] in [-1, 1], lit from a random side: up to `BRIGHTER` in the logarithm from edge to edge."""
    count, _, height, width = images.shape
    angle = torch.rand(count, 1, 1, 1, device=images.device) * 2 * torch.pi
    down = torch.linspace(-1, 1, height, device=images.device)[None, None, :, None]
    along = torch.linspace(-1, 1, width, device=images.device)[None, None, None, :]
    slope = (0.5 + 0.5 * torch.rand_like(angle)) * BRIGHTER / 2
    lit = ((images + 1) / 2) * (slope * (angle.cos() * along + angle.sin() * down)).exp()
    return (lit * 2 - 1).clamp(-1, 1)


@torch.no_grad()
def occlude(images: Tensor) -> Tensor:
    """Images with a rectangle of one colour, up to `COVERED` of the side wide and high, anywhere."""
    count, _, height, width = images.shape
    size = (0.5 + 0.5 * torch.rand(2, count, 1, 1, 1, device=images.device)) * COVERED
    corner = torch.rand(2, count, 1, 1, 1, device=images.device) * (1 - size)
    down = ((torch.arange(height, device=images.device) + 0.5) / height)[None, None, :, None]
    along = ((torch.arange(width, device=images.device) + 0.5) / width)[None, None, None, :]
    inside = (down > corner[0]) & (down < corner[0] + size[0]) & (along > corner[1]) & (along < corner[1] + size[1])
    return torch.where(inside, torch.rand(count, 3, 1, 1, device=images.device) * 2 - 1, images)


@torch.no_grad()
def warp(images: Tensor) -> Tensor:
    """Images bent smoothly: every place moves by up to `WARPED` of the side, by splines over a coarse grid."""
    count = len(images)
    field = (torch.rand(count, 2, COARSE, COARSE, device=images.device) * 2 - 1) * 2 * WARPED
    field = functional.interpolate(field, images.shape[2:], mode="bicubic", align_corners=True)
    still = torch.eye(2, 3, device=images.device).expand(count, -1, -1)
    places = functional.affine_grid(still, list(images.shape), align_corners=False) + field.permute(0, 2, 3, 1)
    return functional.grid_sample(images, places, padding_mode="border", align_corners=False)
