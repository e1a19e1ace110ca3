"""Licences of installed packages that ghbench needs, as the packages themselves state them."""

from __future__ import annotations

import re
from importlib.metadata import Distribution, PackageNotFoundError, distribution

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_LONGEST = 60


def licences(root: str = "ghbench") -> dict[str, tuple[str, str]]:
    """Version and licence by name, of what `root` needs with all its extras, and of what that needs.

    What is not installed, or does not apply to this platform, is left out.
    """
    found: dict[str, tuple[str, str]] = {}
    waiting = _needed(distribution(root), extras=True)
    while waiting:
        name = waiting.pop()
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue
        name = package.metadata["Name"]
        if name not in found:
            found[name] = package.version, _licence(package)
            waiting += _needed(package, extras=False)
    return dict(sorted(found.items(), key=lambda item: item[0].lower()))


def _needed(package: Distribution, *, extras: bool) -> list[str]:
    listed = [text for text in package.requires or [] if extras or "extra ==" not in text]
    return [match[0] for match in map(_NAME.match, listed) if match]


def _licence(package: Distribution) -> str:
    said = package.metadata
    stated: str = (said.get_all("License-Expression") or said.get_all("License") or [""])[0].replace("UNKNOWN", "")
    if stated and "\n" not in stated and len(stated) <= _LONGEST:
        return stated
    kinds = [text.rpartition(" :: ")[2] for text in said.get_all("Classifier") or [] if text.startswith("License ::")]
    return ", ".join(kinds) or stated.strip().partition("\n")[0][:_LONGEST] or "not stated"
