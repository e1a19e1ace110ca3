"""Shell completion with names of plugins: read from entry points, so that nothing heavy is imported."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ghbench.registry import Kind


def complete_extractors(incomplete: str) -> list[str]:
    """Names of extractors that begin like this."""
    return _names("extractor", incomplete)


def complete_tasks(incomplete: str) -> list[str]:
    """Names of tasks that begin like this."""
    return _names("task", incomplete)


def _names(kind: Kind, incomplete: str) -> list[str]:
    from ghbench.registry import plugins

    found = {name for plugin in plugins(kind) for name in (plugin.name, plugin.qualified_name)}
    # Names with their package only once it is being typed.
    return sorted(name for name in found if name.startswith(incomplete) and ("/" in incomplete or "/" not in name))
