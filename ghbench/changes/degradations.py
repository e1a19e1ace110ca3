"""What spoils a picture and leaves the scene as it is: blur, noise, JPEG, few pixels, lost edges, false surroundings.

An encoder trained on clean renders maps photographs to an average face. So its input is spoiled at random, and the
target is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ghbench.changes.jpeg import compress


@dataclass(frozen=True, slots=True)
class Degradation:
    """Share of the images that each degradation is applied to, and its strength.

    Args:
        share: Of each degradation but reflection.
        reflected: Of images reduced to a part that is surrounded by its blurred reflection.
        smallest: Smallest side to which images are downsampled, as a share of their side.
        blur: Largest standard deviation of Gaussian blur, as a share of the side.
        noise: Largest standard deviation of Gaussian noise, on [-1, 1].
        quality: Lowest JPEG quality.
        border: Widest band lost at an edge, as a share of the side.
        outside: Widest band of the reflection, as a share of the side.
    """

    share: float = 0.15
    reflected: float = 0.0
    smallest: float = 0.25
    blur: float = 0.02
    noise: float = 0.15
    quality: int = 25
    border: float = 0.25
    outside: float = 0.3


FADE = 0.3
"""Share of the side over which FFHQ's alignment fades a reflection to the median colour."""
BLUR = 0.02
"""Standard deviation of its blur, as a share of the side."""


@torch.no_grad()
def degrade(images: Tensor, degradation: Degradation) -> Tensor:
    """Spoil images as a camera, a file format and a careless crop would, with PyTorch's random generator.

    Args:
        images: float [N, 3, R, R] in [-1, 1]. Grey images stay grey.
        degradation: Shares and strengths.

    Returns:
        [N, 3, R, R] in [-1, 1], float32 even under autocast.
    """
    with torch.autocast(images.device.type, enabled=False):
        return _degraded(images.float(), degradation) if degradation.share or degradation.reflected else images


def _degraded(images: Tensor, degradation: Degradation) -> Tensor:
    if degradation.reflected:
        images = _surround(images, degradation)
    if not degradation.share:
        return images
    count, device = len(images), images.device

    def selection() -> Tensor:
        return (torch.rand(count, device=device) < degradation.share)[:, None, None, None]

    made = _border(images, selection(), degradation)
    sigma = float(torch.rand(())) * degradation.blur * images.shape[-1] + 0.1
    made = torch.where(selection(), _blur(made, sigma), made)
    made = torch.where(selection(), _coarsen(made, degradation.smallest), made)
    made = torch.where(selection(), _noisy(made, degradation.noise), made).clamp(-1, 1)
    quality = torch.randint(degradation.quality, 96, (count,), device=device)
    return torch.where(selection(), compress(made, quality), made)


def _noisy(images: Tensor, strongest: float) -> Tensor:
    """Images with grain, the same in all three colours for grey images and for half of the batches."""
    grain = torch.randn_like(images[:, :1]) if bool(torch.rand(()) < 0.5) else torch.randn_like(images)
    is_grey = (images[:, :1] == images).all(dim=1).flatten(1).all(dim=1)[:, None, None, None]
    grain = torch.where(is_grey, grain[:, :1].expand_as(images), grain.expand_as(images))
    return images + torch.rand(len(images), 1, 1, 1, device=images.device) * strongest * grain


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
