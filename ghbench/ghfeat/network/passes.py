"""Further passes: a corrector sees images and their reconstructions and predicts what to add to the codes.

Source: Alaluf et al., "ReStyle", ICCV 2021, section 3. There one network makes all passes; here GH-Feat makes the
first one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import Tensor

from ghbench.ghfeat.network.config import EncoderConfig
from ghbench.ghfeat.network.encoder import Encoder

Units = Mapping[str, Tensor]
"""Standardised codes by level [N, width]."""


def corrector_config(config: EncoderConfig, width: float) -> EncoderConfig:
    """The configuration of an encoder's corrector: it reads 6 channels, has half the pyramid, and linear heads.

    A rectifier before the last layer would die: corrections start as noise, which a head unlearns by closing it.
    """
    slim = max(config.pyramid_width // 2, 1)
    return replace(config, inputs=6, width=width, pyramid_width=slim, output="affine", rectified=False)


def predicted(
    encoder: Encoder,
    corrector: Encoder | None,
    images: Tensor,
    draw: Callable[[dict[str, Tensor]], Tensor],
    passes: int = 1,
) -> dict[str, Tensor]:
    """Standardised codes after some passes: the encoder's, to which the corrector adds from the second pass on.

    Args:
        encoder: The encoder.
        corrector: Its corrector; None is enough for one pass.
        images: [N, 3, R, R] in [-1, 1].
        draw: From codes by level to images [N, 3, R, R].
        passes: How many.
    """
    units = encoder.standardised_codes(images)
    for _ in range(passes - 1):
        assert corrector is not None
        units = corrected(corrector, images, draw(encoder.codes_of(units)), units)
    return units


def corrected(corrector: Encoder, images: Tensor, reconstructions: Tensor, units: Units) -> dict[str, Tensor]:
    """Standardised codes after a further pass.

    Args:
        corrector: Encoder of 6 channels.
        images: [N, 3, R, R] in [-1, 1].
        reconstructions: What the codes draw, [N, 3, R, R]; clipped here.
        units: Standardised codes so far.
    """
    pair = torch.cat([images, reconstructions.to(images.dtype).clamp(-1, 1)], dim=1)
    return {name: units[name] + change for name, change in corrector.standardised_codes(pair).items()}
