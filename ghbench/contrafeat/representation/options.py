"""Options of a representation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from ghbench.contrafeat.representation.network import EncoderKind, RepresentationConfig
from ghbench.errors import UsageError

Likelihood = Literal["squares", "bernoulli"]


@dataclass(frozen=True, slots=True)
class RepresentationOptions:
    """How a representation is trained.

    Args:
        codes: Numbers of the code; for pairs, as many as there are ways in which they differ, or more.
        beta: Weight of the divergence.
        gamma: Weight of FactorVAE's total correlation; 0 for none.
        likelihood: What a decoded image is judged by: `squares` after a sigmoid, or `bernoulli`.
        batch: Images, or pairs, a step.
        rate: Learning rate of Adam.
        encoder: `plain`, four convolutions, or `ghfeat`, GH-Feat's compact encoder.
        width: Multiplier of GH-Feat's channels.
    """

    codes: int = 10
    beta: float = 1.0
    gamma: float = 0.0
    likelihood: Likelihood = "squares"
    batch: int = 16
    rate: float = 4e-4
    encoder: EncoderKind = "plain"
    width: float = 0.5

    def __post_init__(self) -> None:
        weights = 0 <= self.beta < math.inf and 0 <= self.gamma < math.inf
        if self.batch < 2 or not weights or not 0 < self.rate < math.inf:
            raise UsageError(
                f"batch={self.batch}, beta={self.beta}, gamma={self.gamma}, rate={self.rate}; "
                "expected two images, weights of at least 0 and a positive rate"
            )
        if self.likelihood not in get_args(Likelihood):
            raise UsageError(f"likelihood={self.likelihood}; expected {', '.join(get_args(Likelihood))}")
        RepresentationConfig(self.codes, encoder=self.encoder, width=self.width)
