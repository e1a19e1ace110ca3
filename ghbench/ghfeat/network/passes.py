"""Further passes: a corrector sees images and their reconstructions and predicts what to add to the codes.

Source: Alaluf et al., "ReStyle", ICCV 2021, section 3. There one network makes all passes; here GH-Feat makes the
first one.
"""

from __future__ import annotations

from collections.abc import Mapping
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
