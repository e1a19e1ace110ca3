"""Further passes: the encoder also sees its own reconstruction, and what it sees differently is added to the codes.

Source: the feedback of Alaluf et al., "ReStyle", ICCV 2021, section 3, without a network of its own: the correction is
the difference of the encoder's answers to the image and to its reconstruction, as in a fixed-point iteration.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from ghbench.ghfeat.network.encoder import Encoder

STEP = 0.5
"""Share of the difference that is added; of 1/4, 1/2 and 1 the best one for three passes on 64 monitoring seeds."""


def predicted(
    encoder: Encoder, images: Tensor, draw: Callable[[dict[str, Tensor]], Tensor], passes: int = 1
) -> dict[str, Tensor]:
    """Standardised codes after some passes: u_1 = E(x), then u_(k+1) = u_k + STEP * (E(x) - E(G(u_k))).

    Args:
        encoder: The encoder E.
        images: x, [N, 3, R, R] in [-1, 1].
        draw: G, from codes by level to images [N, 3, R, R], which are clipped here.
        passes: How many; the first one is the paper's GH-Feat.

    Returns:
        By level [N, width].
    """
    seen = encoder.standardised_codes(images)
    units = dict(seen)
    for _ in range(passes - 1):
        again = encoder.standardised_codes(draw(encoder.codes_of(units)).to(images.dtype).clamp(-1, 1))
        units = {name: unit + STEP * (seen[name] - again[name]) for name, unit in units.items()}
    return units
