"""The levels of a generator: one for each place where a style enters, named by that place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GeneratorLevel:
    """One place where a style enters.

    Args:
        name: `r4.conv`, `r8.up`, `r8.conv`, ..., `r4.rgb`, ... and `rgb` for the last conversion to colours.
        resolution: Side of its output in pixels.
        channels: Channels of its output.
        code_width: Numbers of its style code.
        layer: Row of W+ that its style comes from, 0 is the coarsest.
        number: The layer as GH-Feat counts it: 1 is the finest, rows of W+ is the coarsest.
        scale_free: Whether a positive factor on its code leaves the picture as it is (demodulated layers).
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
        KeyError: There is none; the message lists the names.
    """
    by_name = {level.name: level for level in levels}
    if name not in by_name:
        raise KeyError(f"no level {name!r}; levels: {', '.join(by_name)}")
    return by_name[name]
