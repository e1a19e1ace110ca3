"""Options of the recipe, and the two presets: the paper's, and one for small machines."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

from ghbench.errors import UsageError
from ghbench.ghfeat.network.config import Gathering
from ghbench.ghfeat.training.decoders import Decoder
from ghbench.metrics.learned_metric import Kind

Architecture = Literal["paper", "compact"]
Decay = Literal["paper", "cosine"]


@dataclass(frozen=True, slots=True)
class GhfeatOptions:
    """How an encoder is trained.

    Args:
        encoder: Architecture: `paper` or `compact`.
        depth: Layers of the trunk; 0 for the architecture's own.
        width: Multiplier of the trunk's channels.
        alignment: Whether to use a Spatial Alignment Module.
        gathering: How heads make a vector of their map: `flatten` or `attention`.
        space: Codes: `canonical`, `adain`, `w_plus` or `w`; empty for the generator's style codes.
        statistics: Whether heads predict relative to mean and standard deviation of the generator's codes.
        batch: Images per step.
        rate: Learning rate of Adam (betas .9 and .99).
        decay: `paper`: by 0.8 every eighth of the run if a discriminator is trained, else every quarter, since the
            official program counts a step for each network; `cosine`: to 0.
        pixel: Weight of the squared pixel difference.
        perceptual: Weight of the squared feature difference.
        perceptual_share: If positive, the weight is set so that the term starts as this share of the pixel term,
            measured on renders against the image of the mean w.
        perceptual_network: See `ghbench.ghfeat.training.perceptual.perceptual_network`.
        perceptual_side: Side to which images are averaged for it, a divisor of theirs; half the side is a quarter of
            the work. 0 for their own side.
        adversarial: Weight of the adversarial term; 0 trains no discriminator.
        r1_gamma: Gamma of R1; the penalty's weight is half of it.
        code: Weight of the squared error of standardised codes, which are known for renders only; not in the paper.
        code_components: Principal components of the generator's standardised codes in which that error is measured; 0
            for all numbers of all levels.
        psi_low: Lowest truncation of renders.
        psi_high: Highest truncation of renders; above 1 they are stranger than the generator's own.
        mixed: Share of renders whose style is mixed from two or three w.
        perturbed: Share of renders one of whose rows of W+ comes from yet another w.
        mirror: Whether real images are mirrored at random.
        changed: Share of images whose light, and of images whose position, changes in input and target alike.
        grey: Share of images made grey in input and target.
        degraded: Share of images that each degradation of the input is applied to.
        reflected: Share of images reduced to a part that is surrounded by its blurred reflection, as alignment pads.
        real: Share of real images in a batch; the others are renders.
        settled: Last share of the run in which the trunk's norms keep their statistics.
        decoder: What draws the images that are judged: the `generator`; or, as controls of what it teaches, the same
            with `shuffled` or `random` weights, or a plain network that is `learned` beside the encoder.
        metric: In which the trained codes are compared, learned from renders at the end: `whitened`, `within`,
            `centred` or, empty, as they are.
    """

    encoder: Architecture = "compact"
    depth: int = 0
    width: float = 1.0
    alignment: bool = True
    gathering: Gathering = "flatten"
    space: str = ""
    statistics: bool = True
    batch: int = 32
    rate: float = 1e-3
    decay: Decay = "cosine"
    pixel: float = 1.0
    perceptual: float = 0.0
    perceptual_share: float = 0.0
    perceptual_network: str = "mobilenet-v2"
    perceptual_side: int = 0
    adversarial: float = 0.0
    r1_gamma: float = 10.0
    code: float = 0.3
    code_components: int = 0
    psi_low: float = 0.5
    psi_high: float = 1.15
    mixed: float = 0.33
    perturbed: float = 0.1
    mirror: bool = True
    changed: float = 0.25
    grey: float = 0.15
    degraded: float = 0.15
    reflected: float = 0.15
    real: float = 0.0
    settled: float = 0.4
    decoder: Decoder = "generator"
    metric: Kind | Literal[""] = "whitened"

    def __post_init__(self) -> None:
        shares = ("mixed", "perturbed", "changed", "grey", "degraded", "reflected", "real", "settled")
        if any(not 0 <= getattr(self, name) <= 1 for name in shares):
            raise UsageError(f"{', '.join(shares)} must be between 0 and 1")
        self._check_numbers()
        if self.encoder not in {"paper", "compact"} or self.decay not in {"paper", "cosine"}:
            raise UsageError("encoder must be `paper` or `compact`, decay `paper` or `cosine`")
        if not (self.pixel or self.perceptual or self.perceptual_share or self.adversarial or self.code):
            raise UsageError("all terms of the loss have weight 0, so nothing would be learned", fix="-o pixel=1")
        if self.code_components < 0:
            raise UsageError("code_components must not be negative")
        if self.decoder not in get_args(Decoder):
            raise UsageError(f"decoder={self.decoder}; expected {', '.join(get_args(Decoder))}")
        if self.decoder != "generator" and self.code:
            raise UsageError(f"to a {self.decoder} decoder the generator's codes mean nothing", fix="-o code=0")
        if self.metric and (self.metric not in get_args(Kind) or not self.statistics):
            raise UsageError(
                f"metric={self.metric} must be one of {', '.join(get_args(Kind))}, or empty; it needs statistics=true",
                fix="-o metric=",
            )

    def _check_numbers(self) -> None:
        weights = ("pixel", "perceptual", "adversarial", "r1_gamma", "code")
        if any(not 0 <= getattr(self, name) < math.inf for name in weights):
            raise UsageError(f"{', '.join(weights)} must be at least 0 and finite")
        if self.batch < 1 or not 0 < self.rate < math.inf:
            raise UsageError(f"batch={self.batch}, rate={self.rate}; expected at least one image and a positive rate")
        if not 0 <= self.psi_low <= self.psi_high < math.inf:
            raise UsageError(f"psi_low={self.psi_low}, psi_high={self.psi_high}; expected 0 <= psi_low <= psi_high")


PRESETS: dict[str, dict[str, Any]] = {
    "compact": {},
    "paper": {
        "encoder": "paper", "statistics": False, "batch": 96, "rate": 1e-4, "decay": "paper",
        "perceptual": 5e-5, "perceptual_share": 0.0, "perceptual_network": "vgg16:weights=./vgg16_features.pth",
        "adversarial": 0.08, "r1_gamma": 10.0, "code": 0.0, "changed": 0.0, "grey": 0.0, "degraded": 0.0,
        "reflected": 0.0, "real": 1.0, "settled": 0.0, "metric": "",
    },
}  # fmt: skip
"""`paper` has the values of Xu et al. 2021 and the command-line defaults of their official program."""
