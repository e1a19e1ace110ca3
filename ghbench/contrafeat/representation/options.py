"""Options of a representation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from ghbench.contrafeat.representation.network import EncoderKind
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
    batch: int = 64
    rate: float = 1e-3
    encoder: EncoderKind = "plain"
    width: float = 0.5

    def __post_init__(self) -> None:
        if self.codes < 1 or self.batch < 2 or min(self.beta, self.gamma) < 0 or self.rate <= 0:
            raise UsageError(
                f"codes={self.codes}, batch={self.batch}, beta={self.beta}, gamma={self.gamma}, rate={self.rate}; "
                "expected a number of the code, two images, weights of at least 0 and a positive rate"
            )
        for name, known in (("likelihood", Likelihood), ("encoder", EncoderKind)):
            if getattr(self, name) not in get_args(known):
                raise UsageError(f"{name}={getattr(self, name)}; expected {', '.join(get_args(known))}")
