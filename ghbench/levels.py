"""Choosing levels: `all`, one name, a list `r8.conv+r16.conv`, or a range `r16-r64`."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from ghbench.errors import UsageError
from ghbench.extractor import ExtractorSpec


def select_levels(spec: ExtractorSpec, expression: str | None) -> tuple[str, ...]:
    """Names of the chosen levels, in the extractor's order.

    A name also stands for all levels below it: `r16` means `r16.up` and `r16.conv` where there is no level `r16`. An
    extractor's aliases are names too; since they may count from the other end, a range of two of them runs either way.

    Args:
        spec: The extractor's spec.
        expression: What the user wrote after `level=`, None for the extractor's default levels.

    Returns:
        Names of levels.

    Raises:
        UsageError: No level has that name; the message names the levels and the nearest match.
    """
    names = [level.name for level in spec.levels]
    if expression is None:
        return spec.default_levels
    if expression == "all":
        return tuple(names)
    if expression in names:  # though it may hold a sign that means something between names
        return (expression,)
    chosen: set[int] = set()
    for part in expression.split("+"):
        chosen.update(_rows_of(part, names, spec))
    return tuple(names[row] for row in sorted(chosen))


def _rows_of(part: str, names: list[str], spec: ExtractorSpec) -> Collection[int]:
    own = _rows_named(part, names, spec)
    if own:
        return own
    for position in [index for index, character in enumerate(part) if character == "-"]:
        ends = (part[:position], part[position + 1 :])
        first, last = (_rows_named(end, names, spec) for end in ends)
        if first and last:
            if first[0] > last[-1] and all(end in spec.aliases for end in ends):
                first, last = last, first
            if first[0] > last[-1]:
                raise UsageError(f"level range {part!r} of {spec.name!r} runs backwards; levels: {', '.join(names)}")
            return range(first[0], last[-1] + 1)
    near = difflib.get_close_matches(part, names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "."
    known = f"{', '.join(names)}" + (f"; also {', '.join(spec.aliases)}" if spec.aliases else "")
    raise UsageError(f"extractor {spec.name!r} has no level {part!r}{hint} Levels: {known}")


def _rows_named(name: str, names: list[str], spec: ExtractorSpec) -> list[int]:
    if name in names:
        return [names.index(name)]
    if name in spec.aliases:
        return sorted(names.index(level) for level in spec.aliases[name])
    return [row for row, level in enumerate(names) if level.startswith(f"{name}.")]
