"""Options of a recipe from `name=value` strings."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from ghbench.errors import UsageError


def parse_settings(cls: type[Any], settings: Sequence[str], *, taken: Sequence[str] = ()) -> dict[str, Any]:
    """Values for a dataclass of numbers, strings and booleans from `name=value` strings.

    Args:
        cls: The dataclass; a value has the type of its field's default.
        settings: The strings.
        taken: Fields set elsewhere.

    Raises:
        UsageError: There is no such field, or the value has another type.
    """
    defaults = {field.name: field.default for field in dataclasses.fields(cls) if field.name not in taken}
    values: dict[str, Any] = {}
    for setting in settings:
        name, separator, text = setting.partition("=")
        if not separator or name not in defaults:
            raise UsageError(f"unknown option {setting!r}", fix=f"NAME=VALUE, with NAME one of {', '.join(defaults)}")
        kind: Any = type(defaults[name])
        try:
            values[name] = {"true": True, "false": False}[text.lower()] if kind is bool else kind(text)
        except (KeyError, ValueError):
            raise UsageError(f"{setting!r}: expected {kind.__name__}", fix=f"{name}={defaults[name]}") from None
    return values


def check_numbers(
    options: object,
    least: Mapping[str, float],
    *,
    positive: Sequence[str] = (),
    shares: Sequence[str] = (),
    wrong: Sequence[str] = (),
) -> None:
    """Refuse options that no training can have.

    Args:
        options: The options.
        least: Smallest value by name; each is also finite.
        positive: Names of those above 0 and finite.
        shares: Names of those that are at most 1.
        wrong: Names of further ones that are wrong.

    Raises:
        UsageError: Some are wrong; the message lists them.
    """
    found = [name for name, smallest in least.items() if not smallest <= getattr(options, name) < math.inf]
    found += [name for name in positive if not 0 < getattr(options, name) < math.inf]
    found += [name for name in shares if getattr(options, name) > 1]
    found += wrong
    if found:
        values = ", ".join(f"{name}={getattr(options, name)}" for name in found)
        raise UsageError(f"invalid options: {values}", fix="leave them out for the defaults")
