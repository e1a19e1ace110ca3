"""A broken contract, as an assertion that says which sentence of the contract was broken."""

from __future__ import annotations


class ConformanceError(AssertionError):
    """A plugin does not do what its contract promises."""


def demand(condition: object, sentence: str) -> None:
    """Raise `sentence` unless the condition holds.

    Raises:
        ConformanceError: It does not hold.
    """
    if not condition:
        raise ConformanceError(sentence)
