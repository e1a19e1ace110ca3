"""MkDocs hook: what pages link to outside of `docs/` joins the site, Markdown as pages, all else as listings.

Links stay as they are in the files, so that they also work where the repository is browsed.
"""
# ruff: noqa: INP001 - a script beside the pages, no package

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
FRONT = ROOT / "README.md"
FURTHER = ("CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
"""In the navigation, whether or not a page links to them."""
OUTSIDE = "repository"
"""Folder of the site that holds what comes from outside."""
LINK = re.compile(r"(?<=\]\()([^)\s#]+)(?=[)#])")
TABLES = ("leaderboards", "benchmarks")
"""Folders whose pages are wide tables; their intervals are kept on one line."""
INTERVAL = re.compile(r"(?<=\d) \[([^\[\],]+), ([^\[\],]+)\]")
UNSEARCHED = "---\nsearch: {exclude: true}\n---\n"
WIDE = "---\nhide: [navigation, toc]\n---\n"
LANGUAGES = {".py": "python", ".toml": "toml", ".sh": "bash"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the front page, and all that pages link to, and these in turn."""
    todo = [(file.src_uri, file.content_string) for file in files.documentation_pages()]
    known = {file.src_uri for file in files}
    for path in (FRONT, *(ROOT / name for name in FURTHER)):
        todo.append(_add(path, files, config))
        known.add(todo[-1][0])
    while todo:
        uri, text = todo.pop()
        for link in LINK.findall(text):
            path = linked(link, uri)
            if path is not None and not path.is_relative_to(DOCS) and uri_of(path) not in known:
                todo.append(_add(path, files, config))
                known.add(todo[-1][0])
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links at where their targets lie in the site."""
    del config, files
    uri = page.file.src_uri

    def moved(match: re.Match[str]) -> str:
        path = linked(match[0], uri)
        return match[0] if path is None else posixpath.relpath(uri_of(path), posixpath.dirname(uri) or ".")

    return LINK.sub(moved, markdown)


def linked(link: str, uri: str) -> Path | None:
    """The file or folder that a page's relative link names; None for anything else."""
    if re.match(r"[a-z]+:|/", link):
        return None
    path = (source(uri).parent / link).resolve()
    return path if path.exists() and path.is_relative_to(ROOT) else None


def source(uri: str) -> Path:
    """The file of the repository that a page of the site is made from."""
    if uri == "index.md":
        return FRONT
    path = ROOT / posixpath.relpath(uri, OUTSIDE) if uri.startswith(f"{OUTSIDE}/") else DOCS / uri
    return path if path.exists() else path.with_suffix("")


def uri_of(path: Path) -> str:
    """Where a file or folder of the repository lies in the site's sources."""
    if path == FRONT:
        return "index.md"
    if path.is_relative_to(DOCS):
        return path.relative_to(DOCS).as_posix()
    name = f"{OUTSIDE}/{path.relative_to(ROOT).as_posix()}"
    return name if path.suffix == ".md" else f"{name}.md"


def _add(path: Path, files: Files, config: MkDocsConfig) -> tuple[str, str]:
    text = _page(path)
    files.append(File.generated(config, uri_of(path), content=text))
    return uri_of(path), text


def _page(path: Path) -> str:
    name = path.relative_to(ROOT).as_posix()
    if path.is_dir():
        held = sorted(entry.name for entry in path.iterdir() if not entry.name.startswith(("_", ".")))
        return f"# {name}\n\n" + "".join(f"* `{entry}`\n" for entry in held)
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        titled = text if text.startswith("# ") else f"# {name.removesuffix('.md')}\n\n{text}"
        return f"{WIDE}{INTERVAL.sub(_on_one_line, titled)}" if name.startswith(TABLES) else titled
    return f"{UNSEARCHED}# {name}\n\n````{LANGUAGES.get(path.suffix, 'text')}\n{text}\n````\n"


def _on_one_line(interval: re.Match[str]) -> str:
    return f"\N{NO-BREAK SPACE}[{interval[1]},\N{NO-BREAK SPACE}{interval[2]}]"
