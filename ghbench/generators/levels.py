"""The levels of a generator, one for each layer that takes a style."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GeneratorLevel:
    """A layer that takes a style.

    Args:
        name: `r4.conv`, `r8.up`, `r8.conv`, ..., `r4.rgb`, ... and `rgb` for the last conversion to colours.
        resolution: Resolution of its output in pixels.
        channels: Channels of its output.
        code_width: Dimensions of its style code.
        layer: Row of W+ for its style, 0 is the coarsest.
        number: GH-Feat's number of that row: 1 is the finest, the number of rows the coarsest.
        scale_free: Whether the image is invariant to a positive factor on its code (demodulated layers).
    """

    name: str
    resolution: int
    channels: int
    code_width: int
    layer: int
    number: int
    scale_free: bool


def find_level(levels: Iterable[GeneratorLevel], name: str) -> GeneratorLevel:
    """The level of that name.

    Raises:
        KeyError: There is no such level; the message lists the names.
    """
    by_name = {level.name: level for level in levels}
    if name not in by_name:
        raise KeyError(f"no level {name!r}; levels: {', '.join(by_name)}")
    return by_name[name]
