"""Writes a package with a plugin of its own: one that runs, is tested, and waits for the user's code."""

from __future__ import annotations

import importlib.util
import keyword
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

from ghbench import registry
from ghbench.atomic import write_text
from ghbench.errors import UsageError

if TYPE_CHECKING:
    from ghbench.testing.plugins import PluginKind

TEMPLATE = "template"


@dataclass(frozen=True, slots=True)
class _Words:
    """What the package of a kind says of itself.

    Args:
        group: Where plugins of the kind are registered.
        advice: What to replace.
        commands: What to run next, with `$name` for the plugin.
    """

    group: registry.Kind
    advice: str
    commands: tuple[str, ...]


_LEARNED = "say in `spec` what it is, what it learned from\nand under which licence. Raise `version` whenever"
KINDS: dict[PluginKind, _Words] = {
    "extractor": _Words(
        "extractor",
        f"replace what `extract` computes, and {_LEARNED} features change.",
        ("ghbench run --extractor $name --extractor pixels --task orl", "ghbench leaderboard --task orl"),
    ),
    "navigator": _Words(
        "extractor",
        f"replace what `directions` returns, and {_LEARNED} directions change.",
        (
            "ghbench describe extractor $name",
            "ghbench edit traverse seed:0-1 --navigator $name --direction 0 --out moved.png",
        ),
    ),
    "task": _Words(
        "task",
        "replace images, records and scores, and say in `protocol` all that\ndefines the numbers. Raise `version` "
        "whenever numbers may change.",
        ("ghbench run --extractor pixels --task $name --references", "ghbench leaderboard --task $name"),
    ),
    "dataset": _Words(
        "dataset",
        "replace the images, and say in `card` where they come from and under\nwhich licence.",
        ("ghbench run --extractor pixels --task knn:dataset=$name", "ghbench leaderboard --task knn:dataset=$name"),
    ),
    "generator": _Words(
        "generator",
        f"replace what `load` builds, and {_LEARNED} images change.",
        ("ghbench describe generator $name", "ghbench generate --generator $name --seeds 0-15 --out $name.png"),
    ),
}


def new_plugin(name: str, folder: Path, kind: PluginKind = "extractor") -> list[Path]:
    """Write the package.

    Args:
        name: Name of the package and of its plugin: `my-extractor`.
        folder: Where its folder is made.
        kind: What the plugin is.

    Returns:
        Paths of the files.

    Raises:
        UsageError: The name is none for a package, is taken by a registered plugin of the kind, or the folder is there.
    """
    module, words = name.replace("-", "_"), KINDS[kind]
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name) or keyword.iskeyword(module):
        raise UsageError(f"no package can be called {name!r}", fix=f"small letters, digits and hyphens: my-{kind}")
    taken = name in {plugin.name for plugin in registry.plugins(words.group)}
    if taken or importlib.util.find_spec(module) is not None:
        article = "an" if words.group == "extractor" else "a"
        what = f"{article} {words.group}" if taken else "a package"
        raise UsageError(f"{what} called {name!r} exists", fix="choose another name")
    root = folder / name
    if root.exists():
        raise UsageError(f"{root} exists", fix="choose another name or folder")
    article = "an" if kind == "extractor" else "a"
    values = {
        "name": name, "module": module, "kind": kind, "group": f"{words.group}s", "article": article.title(),
        "class_name": "".join(part.title() for part in name.split("-")).removesuffix(kind.title()) + kind.title(),
        "advice": words.advice, "commands": "\n".join(next_steps(name, kind)),
    }  # fmt: skip
    files = {
        "pyproject.toml.txt": "pyproject.toml", "README.md.txt": "README.md",
        f"{kind}.py.txt": f"src/{module}/{kind}.py", f"test_{kind}.py.txt": f"tests/test_{kind}.py",
    }  # fmt: skip
    templates = resources.files(__package__) / TEMPLATE
    texts = {root / "src" / module / "__init__.py": f'"""{values["class_name"]}, {article} {kind} for ghbench."""\n'}
    for source, target in files.items():
        texts[root / target] = Template((templates / source).read_text(encoding="utf-8")).substitute(values)
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
    return list(texts)


def next_steps(name: str, kind: PluginKind) -> list[str]:
    """Commands that use the plugin once it is installed."""
    return [Template(command).substitute(name=name) for command in KINDS[kind].commands]
