"""What photographs have and renders have not: grey, blur, low resolution, noise, JPEG, other exposure, loose crops.

An encoder trained on clean colour renders answers real photographs with an average face. So the input is degraded at
random while the target stays the clean picture; only greyness is kept in the target: fine levels can express it.
"""

from __future__ import annotations

import io
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True, slots=True)
class Degradation:
    """How often and how far.

    Args:
        grey: Share of pictures without colour, in input and target.
        share: Share of pictures that each of the other degradations touches.
        smallest: Smallest side, as a share of the picture's, through which low-resolution pictures go.
        noise: Largest deviation of Gaussian noise, on [-1, 1].
        gain: Largest change of contrast, as a factor's logarithm.
        shift: Largest change of brightness, on [-1, 1].
        gamma: Largest logarithm of the exponent.
        quality: Lowest quality of JPEG.
        turn: Largest rotation in radians.
        zoom: Largest logarithm of the scale.
        move: Largest translation, as a share of the side.
        border: Widest band at an edge that is lost, as a share of the side.
    """

    grey: float = 0.2
    share: float = 0.4
    smallest: float = 0.25
    noise: float = 0.15
    gain: float = 0.35
    shift: float = 0.25
    gamma: float = 0.35
    quality: int = 25
    turn: float = 0.08
    zoom: float = 0.06
    move: float = 0.03
    border: float = 0.25


NONE = Degradation(grey=0.0, share=0.0)


def without_colour(images: Tensor, chosen: Tensor) -> Tensor:
    """Pictures [N, 3, R, R] where the chosen ones (bool [N]) have their luma (ITU-R BT.601) in all three channels."""
    weights = torch.tensor(LUMA, device=images.device)[:, None, None]
    luma = (images * weights).sum(dim=1, keepdim=True).expand_as(images)
    return torch.where(chosen[:, None, None, None], luma, images)


@torch.no_grad()
def degrade(images: Tensor, degradation: Degradation) -> Tensor:
    """Degrade pictures as a camera, a file format and a careless crop would; chance is PyTorch's.

    Args:
        images: float [N, 3, R, R] in [-1, 1]. Grey pictures stay grey.
        degradation: How often and how far.

    Returns:
        [N, 3, R, R] in [-1, 1].
    """
    if not degradation.share:
        return images
    count, device = len(images), images.device

    def touched() -> Tensor:
        return (torch.rand(count, device=device) < degradation.share)[:, None, None, None]

    def uniform(reach: float) -> Tensor:
        return (torch.rand(count, 1, 1, 1, device=device) * 2 - 1) * reach

    made = _moved(images, touched(), degradation)
    made = _border(made, touched(), degradation)
    lit = ((made.clamp(-1, 1) + 1) / 2).pow(uniform(degradation.gamma).exp()) * 2 - 1
    lit = lit * uniform(degradation.gain).exp() + uniform(degradation.shift)
    made = torch.where(touched(), lit, made)
    made = torch.where(touched(), _coarse(made, degradation.smallest), made)
    grain = torch.randn_like(made[:, :1]) if bool(torch.rand(()) < 0.5) else torch.randn_like(made)
    is_grey = (made[:, :1] == made).all(dim=1).flatten(1).all(dim=1)[:, None, None, None]
    grain = torch.where(is_grey, grain[:, :1].expand_as(made), grain.expand_as(made))
    strength = torch.rand(count, 1, 1, 1, device=device) * degradation.noise
    made = torch.where(touched(), made + strength * grain, made).clamp(-1, 1)
    return _compressed(made, touched().flatten(), degradation.quality)


def _moved(images: Tensor, touched: Tensor, degradation: Degradation) -> Tensor:
    """Turn, scale and shift about the centre; what comes in from outside mirrors the picture."""
    count, device = len(images), images.device
    draw = (torch.rand(4, count, device=device) * 2 - 1) * touched.flatten()
    angle, scale = draw[0] * degradation.turn, (draw[1] * degradation.zoom).exp()
    cosine, sine = angle.cos() * scale, angle.sin() * scale
    shift = draw[2:] * degradation.move * 2
    matrix = torch.stack([cosine, -sine, shift[0], sine, cosine, shift[1]], dim=1).reshape(count, 2, 3)
    places = functional.affine_grid(matrix, list(images.shape), align_corners=False)
    return functional.grid_sample(images, places, padding_mode="reflection", align_corners=False)


def _border(images: Tensor, touched: Tensor, degradation: Degradation) -> Tensor:
    """Lose a band at each edge: black, or the edge's own pixels repeated, as alignment beyond a picture leaves it."""
    count, _, height, width = images.shape
    bands = (torch.rand(4, count, 1, 1, 1, device=images.device) ** 2) * degradation.border * touched
    down = torch.linspace(0, 1, height, device=images.device)[None, None, :, None]
    along = torch.linspace(0, 1, width, device=images.device)[None, None, None, :]
    inside = (down >= bands[0]) & (down <= 1 - bands[1]) & (along >= bands[2]) & (along <= 1 - bands[3])
    rows = down.clamp(min=0).expand(count, 1, height, 1).clamp(bands[0], 1 - bands[1])
    columns = along.expand(count, 1, 1, width).clamp(bands[2], 1 - bands[3])
    places = torch.stack([columns.expand(-1, 1, height, -1), rows.expand(-1, 1, -1, width)], dim=-1)[:, 0] * 2 - 1
    repeated = functional.grid_sample(images, places, mode="nearest", align_corners=True)
    black = (torch.rand(count, 1, 1, 1, device=images.device) < 0.5).expand_as(inside)
    return torch.where(inside, images, torch.where(black, torch.full_like(images, -1.0), repeated))


def _coarse(images: Tensor, smallest: float) -> Tensor:
    """Down to a random side and up again, all pictures of the batch to one of four sides by chance."""
    side = images.shape[-1]
    sides = [max(4, round(side * smallest ** float(power))) for power in torch.rand(4)]
    which = torch.randint(4, (len(images), 1, 1, 1), device=images.device)
    made = images
    for number, small in enumerate(sides):
        low = functional.interpolate(images, size=(small, small), mode="bilinear", antialias=True)
        high = functional.interpolate(low, size=(side, side), mode="bicubic")
        made = torch.where(which == number, high, made)
    return made


def _compressed(images: Tensor, touched: Tensor, lowest: int) -> Tensor:
    """Through JPEG at a random quality."""
    qualities = torch.randint(lowest, 96, (len(images),)).tolist()
    made = images.clone()
    for row in torch.nonzero(touched).flatten().tolist():
        pixels = ((images[row].cpu() + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, format="JPEG", quality=qualities[row])
        decoded = np.asarray(Image.open(stream), dtype=np.float32).copy()
        made[row] = torch.from_numpy(decoded).permute(2, 0, 1).to(made) / 127.5 - 1
    return made
