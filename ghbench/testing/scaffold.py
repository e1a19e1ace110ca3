"""Writes a package with an extractor of its own: one that runs, is tested, and waits for the user's network."""

from __future__ import annotations

import importlib.util
import keyword
import re
from importlib import resources
from pathlib import Path
from string import Template

from ghbench.atomic import write_text
from ghbench.errors import UsageError
from ghbench.registry import plugins

TEMPLATE = "template"
FILES = {
    "pyproject.toml.txt": "pyproject.toml", "README.md.txt": "README.md",
    "extractor.py.txt": "src/{module}/extractor.py", "test_extractor.py.txt": "tests/test_extractor.py",
}  # fmt: skip


def new_plugin(name: str, folder: Path) -> list[Path]:
    """Write the package.

    Args:
        name: Name of the package and of its extractor: `my-extractor`.
        folder: Where its folder is made.

    Returns:
        Paths of the files.

    Raises:
        UsageError: The name is none for a package, is taken by a registered extractor, or the folder is there.
    """
    module = name.replace("-", "_")
    if not re.fullmatch(r"[a-z][a-z0-9]*(-[a-z0-9]+)*", name) or keyword.iskeyword(module):
        raise UsageError(f"no package can be called {name!r}", fix="small letters, digits and hyphens: my-extractor")
    taken = name in {plugin.name for plugin in plugins("extractor")}
    if taken or importlib.util.find_spec(module) is not None:
        raise UsageError(
            f"{'an extractor' if taken else 'a package'} called {name!r} exists", fix="choose another name"
        )
    root = folder / name
    if root.exists():
        raise UsageError(f"{root} exists", fix="choose another name or folder")
    class_name = "".join(part.title() for part in name.split("-")).removesuffix("Extractor") + "Extractor"
    words = {"name": name, "module": module, "class_name": class_name}
    written = [root / "src" / module / "__init__.py"]
    texts = {written[0]: f'"""{words["class_name"]}, an extractor for ghbench."""\n'}
    templates = resources.files(__package__) / TEMPLATE
    for source, target in FILES.items():
        path = root / target.format(module=module)
        texts[path] = Template((templates / source).read_text(encoding="utf-8")).substitute(words)
        written.append(path)
    for path, text in texts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text)
    return written
