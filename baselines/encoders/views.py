"""Random views of images, as SimCLR makes them, in torch."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ghbench.changes.scene import to_grey

APPLIED, RATIO = 0.8, 4 / 3
"""Share of views whose colours change; largest ratio of a crop's sides."""


@dataclass(frozen=True, slots=True)
class Views:
    """How views differ; see `SimClrOptions`."""

    crop: float
    jitter: float
    grey: float
    mirror: bool


@torch.no_grad()
def view(images: Tensor, how: Views) -> Tensor:
    """Crop, resize, perhaps mirror, and change colours at random, with PyTorch's random generator.

    Args:
        images: float [N, 3, R, R] in [-1, 1].
        how: Strengths.

    Returns:
        Views [N, 3, R, R] in [-1, 1].
    """
    count, device = len(images), images.device
    area = how.crop + (1 - how.crop) * torch.rand(count, device=device)
    stretch = ((torch.rand(count, device=device) * 2 - 1) * math.log(RATIO) / 2).exp()
    size = torch.stack([area.sqrt() * stretch, area.sqrt() / stretch]).clamp_max(1)
    place = (torch.rand(2, count, device=device) * 2 - 1) * (1 - size)
    side = torch.where(torch.rand(count, device=device) < (0.5 if how.mirror else 0.0), -1.0, 1.0)
    none = torch.zeros(count, device=device)
    matrix = torch.stack([size[0] * side, none, place[0], none, size[1], place[1]], dim=1).reshape(count, 2, 3)
    grid = functional.affine_grid(matrix, list(images.shape), align_corners=False)
    made = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    changed = torch.rand(count, device=device) < APPLIED
    made = torch.where(changed[:, None, None, None], _recoloured(made, how.jitter), made)
    return to_grey(made, torch.rand(count, device=device) < how.grey).clamp(-1, 1)


def _recoloured(images: Tensor, jitter: float) -> Tensor:
    """Brightness, contrast, saturation by factors of 1 +- jitter, hue by jitter / 4 of a turn."""

    def factor() -> Tensor:
        return 1 + (torch.rand(len(images), 1, 1, 1, device=images.device) * 2 - 1) * jitter

    lit = (images + 1) / 2 * factor()
    middle = lit.mean(dim=(1, 2, 3), keepdim=True)
    lit = middle + (lit - middle) * factor()
    grey = lit.mean(dim=1, keepdim=True)
    colours = (lit - grey) * factor()
    # The hue turns about the grey axis (Rodrigues' formula); grey images stay grey.
    angle = (factor() - 1) / 4 * 2 * math.pi
    sideways = (colours.roll(1, dims=1) - colours.roll(-1, dims=1)) / math.sqrt(3)
    return (grey + colours * angle.cos() + sideways * angle.sin()) * 2 - 1
