"""One line about each plugin, read from its source: nothing is imported."""

from __future__ import annotations

import ast
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from ghbench.registry import Plugin


@dataclass(frozen=True, slots=True)
class Summary:
    """One line about a plugin, read from its source without importing it; `error` tells why that was not possible."""

    text: str
    error: str | None = None


def summary(plugin: Plugin) -> Summary:
    """First docstring line of a plugin's target, read with `ast`; nothing is imported."""
    module, _, attribute = plugin.target.partition(":")
    try:
        path = _source_file(module)
        if path is None:
            return Summary("", f"module {module} not found")
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError) as error:
        return Summary("", f"{type(error).__name__}: {error}")
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == attribute:
            return Summary((ast.get_docstring(node) or "").partition("\n")[0])
    reexported = any(isinstance(node, ast.ImportFrom | ast.Assign) for node in tree.body)
    return Summary("", None if reexported and attribute in path.read_text() else f"{module} has no {attribute}")


def _source_file(module: str) -> Path | None:
    """The file of a module, found without importing its parent packages."""
    top, *rest = module.split(".")
    found = importlib.util.find_spec(top)
    if found is None:
        return None
    if not rest:
        return Path(found.origin) if found.origin else None
    for location in found.submodule_search_locations or ():
        base = Path(location).joinpath(*rest)
        for candidate in (base.with_suffix(".py"), base / "__init__.py"):
            if candidate.is_file():
                return candidate
    return None
