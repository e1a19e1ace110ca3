"""Changes of the scene: light, colour cast, greyness, position and size. A good reconstruction follows them.

What shows another scene has another target: an encoder that is asked for the unchanged image learns to undo them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ghbench.changes.jpeg import LUMA

CLIPPED = 0.1
"""Images of which a larger share turns black or white at a change of light keep their own: no generator draws them."""


@dataclass(frozen=True, slots=True)
class SceneChange:
    """Share of the images that each change is made in, and its strength.

    Args:
        share: Of change of light, cast, and position.
        grey: Of images made grey.
        gain: Largest logarithm of the contrast's factor.
        shift: Largest change of brightness, on [-1, 1].
        gamma: Largest logarithm of the gamma exponent.
        cast: Largest logarithm of a colour's factor.
        turn: Largest rotation in radians.
        zoom: Largest logarithm of the scale.
        move: Largest translation, as a share of the side.
    """

    share: float = 0.25
    grey: float = 0.15
    gain: float = 0.35
    shift: float = 0.3
    gamma: float = 0.35
    cast: float = 0.25
    turn: float = 0.1
    zoom: float = 0.08
    move: float = 0.06


@torch.no_grad()
def change_scene(images: Tensor, change: SceneChange) -> tuple[Tensor, Tensor]:
    """Change scenes at random, with PyTorch's random generator, in float32 even under autocast.

    Args:
        images: float [N, 3, R, R] in [-1, 1].
        change: Shares and strengths.

    Returns:
        Images [N, 3, R, R] in [-1, 1], and bool [N], which are changed.
    """
    if not (change.share or change.grey):
        return images, torch.zeros(len(images), dtype=torch.bool, device=images.device)
    with torch.autocast(images.device.type, enabled=False):
        lit, light = _relight(images, _chosen(images, change.share), change)
        moved = _chosen(images, change.share)
        made = place(lit, moved, turn=change.turn, zoom=change.zoom, move=change.move)
        grey = _chosen(images, change.grey)
        return to_grey(made, grey), light | moved | grey


def to_grey(images: Tensor, chosen: Tensor) -> Tensor:
    """Images [N, 3, R, R], the chosen ones (bool [N]) with their luma (ITU-R BT.601) in all three channels."""
    weights = torch.tensor(LUMA, device=images.device)[:, None, None]
    luma = (images * weights).sum(dim=1, keepdim=True).expand_as(images)
    return torch.where(chosen[:, None, None, None], luma, images)


def place(images: Tensor, chosen: Tensor, *, turn: float, zoom: float, move: float) -> Tensor:
    """Rotate, scale and shift the chosen images (bool [N]) about their centres; each is reflected where it ends."""
    count, device = len(images), images.device
    draw = (torch.rand(4, count, device=device) * 2 - 1) * chosen
    angle, scale = draw[0] * turn, (draw[1] * zoom).exp()
    cosine, sine = angle.cos() * scale, angle.sin() * scale
    shift = draw[2:] * move * 2
    matrix = torch.stack([cosine, -sine, shift[0], sine, cosine, shift[1]], dim=1).reshape(count, 2, 3)
    places = functional.affine_grid(matrix, list(images.shape), align_corners=False)
    made = functional.grid_sample(images, places, padding_mode="reflection", align_corners=False)
    return torch.where(chosen[:, None, None, None], made, images)


def _relight(images: Tensor, chosen: Tensor, change: SceneChange) -> tuple[Tensor, Tensor]:
    """Gamma, contrast, brightness and cast of the chosen images, and which of them have changed."""

    def uniform(reach: float, channels: int = 1) -> Tensor:
        return (torch.rand(len(images), channels, 1, 1, device=images.device) * 2 - 1) * reach

    lit = ((images.clamp(-1, 1) + 1) / 2).pow(uniform(change.gamma).exp()) * uniform(change.cast, 3).exp() * 2 - 1
    lit = lit * uniform(change.gain).exp() + uniform(change.shift)
    spoiled = ((lit.abs() > 1) & (images.abs() < 1)).float().mean(dim=(1, 2, 3)) > CLIPPED
    kept = chosen & ~spoiled
    return torch.where(kept[:, None, None, None], lit.clamp(-1, 1), images), kept


def _chosen(images: Tensor, share: float) -> Tensor:
    return torch.rand(len(images), device=images.device) < share
