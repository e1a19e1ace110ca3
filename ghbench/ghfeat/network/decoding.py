"""From codes back to images."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from ghbench.generators.protocol import Generator
from ghbench.ghfeat.network.layout import CodeLayout


def decode_codes(generator: Generator, layout: CodeLayout, codes: Mapping[str, Tensor]) -> Tensor:
    """Images of codes in any space that an encoder predicts.

    Args:
        generator: The generator that the layout describes.
        layout: Layout of the codes.
        codes: By level [N, width].

    Returns:
        [N, 3, R, R], nominally in [-1, 1], not clipped; differentiable.
    """
    if layout.space == "w":
        return generator.synthesis(codes[layout.levels[0].name])
    if layout.space == "w_plus":
        return generator.synthesis(torch.stack([codes[level.name] for level in layout.levels], dim=1))
    return generator.synthesis_from_styles(codes)
