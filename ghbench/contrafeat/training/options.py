"""Options of the recipe."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Literal, get_args

from ghbench.contrafeat.network.config import GIVEN, AttentionType, DirectionType, NavigatorConfig
from ghbench.contrafeat.training.changes import Agreement
from ghbench.contrafeat.training.losses import Weights
from ghbench.errors import UsageError

Variant = Literal["binary", "prototype", "latentclr", "recognition"]
_CONTRAST = ("binary", "prototype")
SERVES: Mapping[str, Sequence[str]] = {
    "temperature": ("fixedT",), "blocks": ("fixedES",), "copies": GIVEN,
    **dict.fromkeys(("likeness", "mirrored", "limited"), ("prototype",)),
    **dict.fromkeys(("united", "joined", "size", "on_self"), ("binary",)),
    **dict.fromkeys(
        ("masked", "jointly", "norms", "weigh_squares", "absolute", "divided", "positive", "negative"), _CONTRAST,
    ),
}  # fmt: skip
"""What options are for: variants, types of directions or of attention; with others they would do nothing."""


@dataclass(frozen=True, slots=True)
class ContrafeatOptions:
    """How a navigator is trained.

    Args:
        variant: `binary` contrasts pairs of samples, `prototype` samples with learned images; `latentclr` and
            `recognition` are rivals: all directions of the generator's own features, and directions that a network has
            to recognise.
        directions: Number of directions.
        attention: See `ghbench.contrafeat.network.attention`.
        attended: Rows that attention chooses from; 0 for all that the generator has.
        temperature: Of `fixedT`.
        smoothing: Rows of the Gaussian that smooths attention.
        source: See `ghbench.contrafeat.network.directions`.
        components: Principal components of w that span the directions.
        blocks: For `fixedES`: `10x20+20x40` for 10 directions in 20 components and 20 in the next 40.
        copies: For `pca` and `sefa`: copies of each direction.
        batch: Samples a step; even for `binary`.
        rate: Learning rate of Adam (betas 0 and .99).
        scale: Largest step along a direction, uniform on both sides.
        diversity: Weight of the diversity of directions.
        likeness: Weight of the likeness of prototypes.
        parts: Segments of W+ from independent z.
        sensor: Network whose features are contrasted: see `ghbench.contrafeat.training.sensors.sensor_of`.
        enlarged: Factor by which images are enlarged for it.
        masked: Whether places count by how much changes there.
        jointly: Whether all layers share one scale of change.
        norms: Whether masks are norms, not scaled.
        united: Whether masks are added instead of multiplied.
        weigh_squares: Whether squares are weighed, instead of weighed cosines squared.
        absolute: Whether cosines count absolutely instead of squared.
        divided: Whether sums over places are divided by that of the mask.
        joined: Whether layers are joined to one first; `binary` only.
        positive: Weight of the agreement of equal directions.
        negative: Weight of the agreement of different ones.
        size: Weight of the size of changes; `binary` only.
        on_self: Whether the different direction starts from the query's own sample; `binary` only.
        mirrored: Whether prototypes are mirrored and inverted in half of the steps.
        limited: Whether prototypes are limited to [-1, 1] by a hyperbolic tangent.
    """

    variant: Variant = "binary"
    directions: int = 30
    attention: AttentionType = "fixed"
    attended: int = 0
    temperature: float = 1.0
    smoothing: int = 3
    source: DirectionType = "fixedE"
    components: int = 100
    blocks: str = ""
    copies: int = 1
    batch: int = 12
    rate: float = 0.05
    scale: float = 1.0
    diversity: float = 0.1
    likeness: float = 0.0
    parts: int = 2
    sensor: str = "mobilenet-v2"
    enlarged: int = 2
    masked: bool = True
    jointly: bool = False
    norms: bool = False
    united: bool = False
    weigh_squares: bool = False
    absolute: bool = False
    divided: bool = True
    joined: bool = False
    positive: float = 1.0
    negative: float = 1.0
    size: float = 0.0
    on_self: bool = False
    mirrored: bool = True
    limited: bool = True

    def __post_init__(self) -> None:
        if self.variant not in get_args(Variant):
            raise UsageError(f"variant={self.variant}; expected {', '.join(get_args(Variant))}")
        if self.batch < 2 or self.batch % self.split:
            even = "an even number of" if self.split == 2 else "a number of"
            raise UsageError(f"batch={self.batch}; expected {even} samples, 2 or more")
        if self.directions < 2 or self.parts < 1 or self.enlarged < 1:
            raise UsageError("expected at least two directions, parts and enlarged of 1 or more")
        for name in ("rate", "scale"):
            if not 0 < getattr(self, name) < math.inf:
                raise UsageError(f"{name}={getattr(self, name)}; expected a positive number")
        usual = {one.name: one.default for one in fields(self)}
        for name, served in SERVES.items():
            if getattr(self, name) != usual[name] and not {self.variant, self.source, self.attention} & set(served):
                raise UsageError(f"{name} does nothing here; it is for {', '.join(served)}")

    @property
    def split(self) -> int:
        """Samples that go together."""
        return 2 if self.variant == "binary" else 1

    @property
    def agreement(self) -> Agreement:
        """How changes are compared."""
        return Agreement(
            self.masked, self.jointly, self.norms, self.united, self.weigh_squares, self.absolute, self.divided,
            self.joined,
        )  # fmt: skip

    @property
    def weights(self) -> Weights:
        """Weights of the contrast."""
        return Weights(self.positive, self.negative, self.size)

    def config(self, rows: int, w_dim: int) -> NavigatorConfig:
        """Architecture of the navigator for a generator.

        Raises:
            UsageError: An option does not fit.
        """
        try:
            parts = [block.split("x") for block in self.blocks.split("+") if block]
            blocks = tuple((int(count), int(width)) for count, width in parts)
        except ValueError:
            raise UsageError(f"blocks={self.blocks}; expected pairs such as 10x20+20x40") from None
        return NavigatorConfig(
            self.directions, rows, w_dim, attention=self.attention, attended=self.attended,
            temperature=self.temperature, smoothing=self.smoothing, source=self.source,
            components=min(self.components, w_dim), blocks=blocks, copies=self.copies,
        )  # fmt: skip
