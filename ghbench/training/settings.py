"""Options of a recipe as `name=value` texts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from ghbench.errors import UsageError


def parse_settings(cls: type[Any], settings: Sequence[str], *, taken: Sequence[str] = ()) -> dict[str, Any]:
    """Values for a dataclass of numbers, texts and booleans from `name=value` texts.

    Args:
        cls: The dataclass; the type of each value is that of the field's default.
        settings: The texts.
        taken: Fields that are set elsewhere.

    Raises:
        UsageError: No such field, or a value of another type.
    """
    defaults = {field.name: field.default for field in dataclasses.fields(cls) if field.name not in taken}
    values: dict[str, Any] = {}
    for setting in settings:
        name, separator, text = setting.partition("=")
        if not separator or name not in defaults:
            raise UsageError(f"{setting!r} sets nothing", fix=f"NAME=VALUE with a name of {', '.join(defaults)}")
        kind: Any = type(defaults[name])
        try:
            values[name] = {"true": True, "false": False}[text.lower()] if kind is bool else kind(text)
        except (KeyError, ValueError):
            raise UsageError(f"{setting!r}: expected {kind.__name__}", fix=f"{name}={defaults[name]}") from None
    return values
