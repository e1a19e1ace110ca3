"""A broken contract, as an assertion that says which sentence of the contract was broken."""

from __future__ import annotations

import pickle
import re


class ConformanceError(AssertionError):
    """A plugin does not do what its contract promises."""


def demand(condition: object, sentence: str) -> None:
    """Raise `sentence` unless the condition holds.

    Raises:
        ConformanceError: It does not hold.
    """
    if not condition:
        raise ConformanceError(sentence)


def demand_texts(where: str, described: object, names: tuple[str, ...]) -> None:
    """Raise unless what describes a plugin has a text in each of its fields of these names."""
    for name in names:
        value = getattr(described, name)
        demand(isinstance(value, str) and value, f"{where}.{name} is {value!r}, expected a text that is not empty")


def is_digest(value: object) -> bool:
    """Whether it is a sha256 in hexadecimal."""
    return isinstance(value, str) and re.fullmatch(r"[0-9a-f]{64}", value) is not None


def pickled(value: object, what: str) -> object:
    """What comes back after pickling; raises where nothing does, for worker processes could not have it."""
    try:
        return pickle.loads(pickle.dumps(value))  # noqa: S301 - our own bytes
    except Exception as error:  # classes raise what they like
        raise ConformanceError(f"{what} cannot be pickled for worker processes: {error}") from error
