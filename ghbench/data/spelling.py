"""One spelling of names: é as one letter and as e with an accent (Unicode's NFC and NFD) is the same name."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from ghbench.errors import DataError


def nfc(name: str) -> str:
    """A name in NFC; file systems and editors differ in how they write it."""
    return unicodedata.normalize("NFC", name)


def check_one_spelling(names: Iterable[str], where: str) -> None:
    """Refuse two names that only differ in how they are written.

    Args:
        names: Names as they are, of people or classes.
        where: Where they stand, for the message.

    Raises:
        DataError: A name stands there in two spellings.
    """
    seen: dict[str, str] = {}
    for name in names:
        first = seen.setdefault(nfc(name), name)
        if first != name:
            raise DataError(
                f"{where} has {name!r} in two spellings, {first!a} and {name!a}; expected one",
                fix="rename one of them, or put both together",
            )
