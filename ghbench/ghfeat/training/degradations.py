"""Random degradations that make renders look like photographs: grey, blur, noise, JPEG, exposure, loose crops.

An encoder trained on clean colour renders maps real photographs to an average face. So the input is degraded at random
while the target stays clean; only grey images have grey targets too: fine levels can express that.
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
    """Probability and strength of each degradation.

    Args:
        grey: Share of images made grey, in input and target.
        share: Share of images that each other degradation is applied to, except reflection.
        smallest: Smallest side to which images are downsampled, as a share of their side.
        noise: Largest standard deviation of Gaussian noise, on [-1, 1].
        gain: Largest change of contrast, as the logarithm of a factor.
        shift: Largest change of brightness, on [-1, 1].
        gamma: Largest logarithm of the gamma exponent.
        quality: Lowest JPEG quality.
        turn: Largest rotation in radians.
        zoom: Largest logarithm of the scale.
        move: Largest translation, as a share of the side.
        border: Widest band lost at an edge, as a share of the side.
        reflected: Share of images reduced to a part that is surrounded by its blurred reflection.
        outside: Widest band of that reflection, as a share of the side.
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
    reflected: float = 0.0
    outside: float = 0.3


FADE = 0.3
"""Share of the side over which FFHQ's alignment fades a reflection to the median colour."""
BLUR = 0.02
"""Standard deviation of its blur, as a share of the side."""


def to_grey(images: Tensor, chosen: Tensor) -> Tensor:
    """Images [N, 3, R, R], the chosen ones (bool [N]) with their luma (ITU-R BT.601) in all three channels."""
    weights = torch.tensor(LUMA, device=images.device)[:, None, None]
    luma = (images * weights).sum(dim=1, keepdim=True).expand_as(images)
    return torch.where(chosen[:, None, None, None], luma, images)


@torch.no_grad()
def degrade(images: Tensor, degradation: Degradation) -> Tensor:
    """Degrade images as a camera, a file format and a careless crop would, with PyTorch's random generator.

    Args:
        images: float [N, 3, R, R] in [-1, 1]. Grey images stay grey.
        degradation: Probability and strength of each degradation.

    Returns:
        [N, 3, R, R] in [-1, 1].
    """
    if degradation.reflected:
        images = _surround(images, degradation)
    if not degradation.share:
        return images
    count, device = len(images), images.device

    def selection() -> Tensor:
        return (torch.rand(count, device=device) < degradation.share)[:, None, None, None]

    def uniform(reach: float) -> Tensor:
        return (torch.rand(count, 1, 1, 1, device=device) * 2 - 1) * reach

    made = _move(images, selection(), degradation)
    made = _border(made, selection(), degradation)
    lit = ((made.clamp(-1, 1) + 1) / 2).pow(uniform(degradation.gamma).exp()) * 2 - 1
    lit = lit * uniform(degradation.gain).exp() + uniform(degradation.shift)
    made = torch.where(selection(), lit, made)
    made = torch.where(selection(), _coarsen(made, degradation.smallest), made)
    grain = torch.randn_like(made[:, :1]) if bool(torch.rand(()) < 0.5) else torch.randn_like(made)
    is_grey = (made[:, :1] == made).all(dim=1).flatten(1).all(dim=1)[:, None, None, None]
    grain = torch.where(is_grey, grain[:, :1].expand_as(made), grain.expand_as(made))
    strength = torch.rand(count, 1, 1, 1, device=device) * degradation.noise
    made = torch.where(selection(), made + strength * grain, made).clamp(-1, 1)
    return _compress(made, selection().flatten(), degradation.quality)


def _move(images: Tensor, touched: Tensor, degradation: Degradation) -> Tensor:
    """Rotate, scale and shift about the centre; reflect the image where it ends."""
    count, device = len(images), images.device
    draw = (torch.rand(4, count, device=device) * 2 - 1) * touched.flatten()
    angle, scale = draw[0] * degradation.turn, (draw[1] * degradation.zoom).exp()
    cosine, sine = angle.cos() * scale, angle.sin() * scale
    shift = draw[2:] * degradation.move * 2
    matrix = torch.stack([cosine, -sine, shift[0], sine, cosine, shift[1]], dim=1).reshape(count, 2, 3)
    places = functional.affine_grid(matrix, list(images.shape), align_corners=False)
    return functional.grid_sample(images, places, padding_mode="reflection", align_corners=False)


def _border(images: Tensor, touched: Tensor, degradation: Degradation) -> Tensor:
    """Replace a band at each edge by black or by repeated edge pixels, as alignment pads beyond an image."""
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


def _surround(images: Tensor, degradation: Degradation) -> Tensor:
    """Crop some images and pad the crop with its reflection, much as FFHQ's alignment pads beyond an image.

    The reflection is blurred and fades, over `FADE` of the side, to one colour: the mean here, the median in FFHQ's
    alignment, which also pads only where the image ends, and after any noise.
    """
    device, made = images.device, images.clone()
    chosen = torch.nonzero(torch.rand(len(images), device=device) < degradation.reflected).flatten()
    if not len(chosen):
        return images
    count, (height, width) = len(chosen), images.shape[2:]
    bands = torch.rand(4, count, 1, 1, device=device) * degradation.outside
    down, above = _reflection(torch.linspace(0, 1, height, device=device)[None, :, None], bands[0], 1 - bands[1])
    along, beside = _reflection(torch.linspace(0, 1, width, device=device)[None, None, :], bands[2], 1 - bands[3])
    places = torch.stack([along.expand(-1, height, -1), down.expand(-1, -1, width)], dim=-1) * 2 - 1
    reflected = functional.grid_sample(images[chosen], places, align_corners=True)
    colour = reflected.mean(dim=(2, 3), keepdim=True)
    depth = torch.maximum(above, beside)[:, None] / FADE
    blurred = torch.lerp(reflected, _blur(reflected, BLUR * height).to(reflected), (depth * 3 + 1).clamp(0, 1))
    made[chosen] = torch.lerp(blurred, colour, depth.clamp(0, 1))
    return made


def _reflection(place: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Source of each place in [0, 1] when [low, high] is reflected at its ends, and its distance outside."""
    length = high - low
    folded = torch.remainder(place - low, 2 * length)
    return low + torch.minimum(folded, 2 * length - folded), torch.maximum(low - place, place - high)


def _blur(images: Tensor, sigma: float) -> Tensor:
    """Gaussian blur of [N, 3, H, W], with repeated edges."""
    reach = max(1, round(3 * sigma))
    taps = torch.arange(-reach, reach + 1, device=images.device)
    weights = torch.exp(-0.5 * (taps / sigma) ** 2)
    weights = (weights / weights.sum()).expand(3, 1, -1)
    made = functional.pad(images, (reach, reach, reach, reach), mode="replicate")
    made = functional.conv2d(made, weights[:, :, None, :], groups=3)
    return functional.conv2d(made, weights[:, :, :, None], groups=3)


def _coarsen(images: Tensor, smallest: float) -> Tensor:
    """Downsample each image to one of four random sides, and upsample it again."""
    side = images.shape[-1]
    sides = [max(4, round(side * smallest ** float(power))) for power in torch.rand(4)]
    which = torch.randint(4, (len(images), 1, 1, 1), device=images.device)
    made = images
    for number, small in enumerate(sides):
        low = functional.interpolate(images, size=(small, small), mode="bilinear", antialias=True)
        high = functional.interpolate(low, size=(side, side), mode="bicubic")
        made = torch.where(which == number, high, made)
    return made


def _compress(images: Tensor, touched: Tensor, lowest: int) -> Tensor:
    """Compress the touched images with JPEG at a random quality."""
    qualities = torch.randint(lowest, 96, (len(images),)).tolist()
    made = images.clone()
    for row in torch.nonzero(touched).flatten().tolist():
        pixels = ((images[row].cpu() + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, format="JPEG", quality=qualities[row])
        decoded = np.asarray(Image.open(stream), dtype=np.float32).copy()
        made[row] = torch.from_numpy(decoded).permute(2, 0, 1).to(made) / 127.5 - 1
    return made
