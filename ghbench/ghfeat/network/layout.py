"""Which codes an encoder predicts: their space, their levels, and the pyramid map that each level is read from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from ghbench.errors import DataError, UsageError

if TYPE_CHECKING:  # the extractor's spec is made from a layout, without torch
    from torch import Tensor

    from ghbench.generators.levels import GeneratorLevel
    from ghbench.generators.protocol import Generator

Space = Literal["adain", "canonical", "w", "w_plus"]
"""StyleGAN1's scales and biases (the paper's Y space), canonical style codes, one w for all layers, one w a layer."""

Depth = Literal["deep", "middle", "shallow", "all"]
"""The pyramid map that a level is read from; `all` is the mean of the three."""


@dataclass(frozen=True, slots=True)
class CodeLevel:
    """One level of the codes.

    Args:
        name: Place, as the generator names it; `w` for the only level of that space.
        width: Numbers of its code, never tiled or padded.
        layer: Row of W+ that its style comes from; 0 is the coarsest.
    """

    name: str
    width: int
    layer: int

    @property
    def resolution(self) -> int | None:
        """Resolution in pixels of the layer that the code styles; None for the last conversion to RGB, and for w."""
        side = self.name.partition(".")[0].removeprefix("r")
        return int(side) if side.isdecimal() else None


@dataclass(frozen=True, slots=True)
class CodeLayout:
    """The codes that an encoder predicts for one generator.

    Args:
        space: Space of the codes.
        levels: Levels in the generator's order, coarse to fine.
        rows: Rows of the generator's W+.

    Raises:
        UsageError: Unknown space, no levels, or levels that are not distinct places in W+.
    """

    space: Space
    levels: tuple[CodeLevel, ...]
    rows: int

    def __post_init__(self) -> None:
        if self.space not in get_args(Space):
            raise UsageError(f"unknown code space {self.space!r}; expected one of {', '.join(get_args(Space))}")
        names = {level.name for level in self.levels}
        fits = all(level.width >= 1 and 0 <= level.layer < self.rows for level in self.levels)
        if not self.levels or len(names) != len(self.levels) or not fits:
            raise UsageError(f"levels of codes must be distinct, not empty, and within the {self.rows} rows of W+")

    @property
    def width(self) -> int:
        """Numbers of all codes in total."""
        return sum(level.width for level in self.levels)

    @property
    def aliases(self) -> dict[str, tuple[str, ...]]:
        """Levels by the paper's number: 1 is the finest layer, `rows` the coarsest.

        A number stands for one row of W+. Where the generator also styles a conversion to RGB, the row has two levels.
        """
        if self.space == "w":
            return {}
        found: dict[str, tuple[str, ...]] = {}
        for level in self.levels:
            number = str(self.rows - level.layer)
            found[number] = (*found.get(number, ()), level.name)
        return found

    def depth(self, level: CodeLevel, reading: str = "row") -> Depth:
        """The pyramid map that predicts a level: the coarser the level, the deeper the map.

        By `resolution`, levels of 4 px read the deepest map, those of 8 px the middle one, all others the shallowest:
        the map of their own resolution, or the nearest one. By `row`, it is the paper's split, which shifts a level by
        one on generators without a constant: their first row styles a convolution that the paper's generator lacks.

        The paper's split at 256 px (14 rows): rows 0 to 3 (4 and 8 px) read the deepest map, rows 4 to 7 (16 and 32 px)
        the middle one, all finer rows the shallowest. Small generators, of at most 8 rows, split at 2 and 4, so that
        every map is used. The one code of space `w` belongs to no row and reads the mean of all maps.
        """
        if self.space == "w":
            return "all"
        if reading == "resolution":
            side = level.resolution
            return "shallow" if side is None or side > 8 else "middle" if side == 8 else "deep"
        step = 4 if self.rows > 8 else 2
        return "deep" if level.layer < step else "middle" if level.layer < 2 * step else "shallow"

    def codes(self, generator: Generator, ws: Tensor) -> dict[str, Tensor]:
        """The true codes of W+ [N, rows, w_dim] in this space, by level [N, width]."""
        if self.space == "w":
            return {self.levels[0].name: ws[:, 0]}
        if self.space == "w_plus":
            return {level.name: ws[:, level.layer] for level in self.levels}
        found = generator.style_codes(ws)
        return {level.name: found[level.name] for level in self.levels}

    def to_json(self) -> dict[str, Any]:
        """The layout as JSON values."""
        return asdict(self) | {"levels": [[level.name, level.width, level.layer] for level in self.levels]}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> CodeLayout:
        """The inverse of `to_json`.

        Raises:
            DataError: An invalid description.
        """
        try:
            levels = tuple(CodeLevel(str(name), int(width), int(layer)) for name, width, layer in value["levels"])
            return cls(space=value["space"], levels=levels, rows=int(value["rows"]))
        except (KeyError, TypeError, ValueError, OverflowError, UsageError) as error:
            raise DataError(f"invalid description of codes: {error}", fix="get the weights again") from error


def layout_of(generator: Generator, space: Space | None = None) -> CodeLayout:
    """The layout of a generator's codes.

    Args:
        generator: The generator.
        space: Space of the codes; None for the generator's style codes.

    Returns:
        The layout. Levels of `w_plus` have the name of the first convolution of their row.

    Raises:
        UsageError: The space is unknown, or the generator has no such codes.
    """
    from ghbench.generators.stylegan1 import StyleGAN1

    adain = isinstance(generator, StyleGAN1)
    space = space or ("adain" if adain else "canonical")
    if space in {"adain", "canonical"} and (space == "adain") != adain:
        raise UsageError(
            f"{type(generator).__name__} has no {space} codes",
            fix=f"space={'adain' if adain else 'canonical'}, w_plus or w",
        )
    levels = generator.levels
    rows = max(level.layer for level in levels) + 1
    w_dim = generator.w_mean.numel()
    if space == "w":
        return CodeLayout("w", (CodeLevel("w", w_dim, 0),), rows)
    if space == "w_plus":
        return CodeLayout("w_plus", tuple(CodeLevel(_row_name(levels, row), w_dim, row) for row in range(rows)), rows)
    return CodeLayout(space, tuple(CodeLevel(level.name, level.code_width, level.layer) for level in levels), rows)


def adain_layout(channels: Mapping[int, int]) -> CodeLayout:
    """The layout of a StyleGAN1 generator's codes, without the generator.

    Args:
        channels: Channels by resolution: 4, 8, 16, ...
    """
    levels: list[CodeLevel] = []
    for resolution in sorted(channels):
        for part in ("const" if resolution == 4 else "up", "conv"):
            levels.append(CodeLevel(f"r{resolution}.{part}", 2 * channels[resolution], len(levels)))
    return CodeLayout("adain", tuple(levels), len(levels))


def _row_name(levels: tuple[GeneratorLevel, ...], row: int) -> str:
    names = [level.name for level in levels if level.layer == row]
    return next((name for name in names if not name.endswith("rgb")), names[0])
