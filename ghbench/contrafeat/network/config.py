"""A navigator's architecture as one frozen value, which is stored in its file."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, get_args

from ghbench.errors import DataError, UsageError

AttentionType = Literal["none", "fixed", "fixedT", "fixedCM", "ada1w", "adaALLw"]
DirectionType = Literal["fixed", "fixedE", "fixedES", "ada1w", "adaALLw", "adaALLwE", "pca", "sefa"]
"""Names are those of the author's program; see `attention` and `directions` for what they mean."""

IN_SUBSPACE = ("fixedE", "fixedES", "adaALLwE")
"""Directions that are combinations of principal components of w."""
GIVEN = ("pca", "sefa")
"""Directions that are not learned."""
SMOOTHED = ("fixed", "ada1w", "adaALLw")
"""Attention that is smoothed along the rows."""
LARGEST = 4096


@dataclass(frozen=True, slots=True)
class NavigatorConfig:
    """A navigator's architecture.

    Args:
        directions: Number of directions K.
        rows: Rows of W+ L.
        w_dim: Dimensions of w D.
        attention: Type of attention.
        attended: Rows that attention chooses from, the coarsest; the others get nothing but what smoothing leaks. 0 for
            all.
        temperature: Of the softmax of `fixedT`.
        smoothing: Side of the Gaussian that smooths attention along the rows, odd; 0 for none.
        sigma: Its standard deviation in rows.
        source: Type of directions.
        components: Principal components of w that span the subspace of `fixedE` and `adaALLwE`.
        blocks: For `fixedES`: pairs of a number of directions and of the next consecutive components that span them.
        copies: For `pca` and `sefa`: how often each given direction occurs, so that attention can split it.
        hidden: Width of the hidden layers of adaptive types.
        attention_layers: Their number in adaptive attention.
        direction_layers: Their number in adaptive directions.

    Raises:
        UsageError: An invalid value.
    """

    directions: int
    rows: int
    w_dim: int
    attention: AttentionType = "fixed"
    attended: int = 0
    temperature: float = 1.0
    smoothing: int = 3
    sigma: float = 1.0
    source: DirectionType = "fixedE"
    components: int = 100
    blocks: tuple[tuple[int, int], ...] = ()
    copies: int = 1
    hidden: int = 128
    attention_layers: int = 1
    direction_layers: int = 1

    def __post_init__(self) -> None:
        for name, known in (("attention", AttentionType), ("source", DirectionType)):
            if getattr(self, name) not in get_args(known):
                raise UsageError(f"navigator with {name}={getattr(self, name)}; expected {', '.join(get_args(known))}")
        sizes = (self.directions, self.rows, self.w_dim, self.copies, self.hidden)
        layers = (self.attention_layers, self.direction_layers)
        if min(sizes) < 1 or max(sizes) > LARGEST or min(layers) < 0 or max(layers) > 16:
            raise UsageError("a navigator needs directions, rows and widths between 1 and 4096, and up to 16 layers")
        if self.attended < 0 or self.attended > self.rows:
            raise UsageError(f"attended={self.attended}; expected 0 to {self.rows}")
        odd = self.smoothing % 2 == 1 and 0 < self.smoothing // 2 + 1 <= self.choices
        if self.smoothing and self.attention in SMOOTHED and not odd:
            raise UsageError(
                f"smoothing={self.smoothing}; expected 0, or an odd number below {2 * self.choices}", fix="smoothing=0"
            )
        if not (0 < self.sigma < math.inf and 0 < self.temperature < math.inf):
            raise UsageError("sigma and temperature must be positive")
        self._check_source()

    def _check_source(self) -> None:
        if any(min(block) < 1 for block in self.blocks):
            raise UsageError(f"the blocks {self.blocks}; expected directions and components of 1 or more")
        if self.source in GIVEN and self.directions // self.copies > self.w_dim:
            raise UsageError(
                f"{self.directions // self.copies} directions of {self.source} in w of {self.w_dim} numbers",
                fix=f"directions={self.w_dim * self.copies}",
            )
        if self.source in IN_SUBSPACE and not 1 <= self.spanning <= self.w_dim:
            raise UsageError(f"{self.spanning} principal components; expected 1 to {self.w_dim}")
        if self.source == "fixedES" and sum(count for count, _ in self.blocks) != self.directions:
            raise UsageError(f"the blocks {self.blocks} have other than {self.directions} directions in all")
        if self.source in GIVEN and self.directions % self.copies:
            raise UsageError(f"{self.directions} directions are no multiple of copies={self.copies}")

    @property
    def choices(self) -> int:
        """Rows that attention chooses from."""
        return self.attended or self.rows

    @property
    def spanning(self) -> int:
        """Principal components in use."""
        return sum(width for _, width in self.blocks) if self.source == "fixedES" else self.components

    def to_json(self) -> dict[str, Any]:
        """The configuration as JSON values."""
        return {**asdict(self), "blocks": [list(block) for block in self.blocks]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> NavigatorConfig:
        """The inverse of `to_json`.

        Raises:
            DataError: An invalid description.
        """
        # Comparisons alone would let NaN through, which is in every range.
        whole = [field.name for field in fields(cls) if field.type == "int"]
        try:
            if odd := [name for name in whole if type(value.get(name, 1)) is not int]:
                raise TypeError(f"{odd[0]}={value[odd[0]]} is no whole number")
            blocks = tuple((int(count), int(width)) for count, width in value.get("blocks", ()))
            return cls(**{**value, "blocks": blocks})
        except (TypeError, ValueError, UsageError) as error:
            raise DataError(f"invalid description of a navigator: {error}", fix="get the weights again") from error
