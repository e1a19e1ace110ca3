"""MkDocs hook: all published results, as the site that `ghbench leaderboard build --published` makes of them."""
# ruff: noqa: INP001 - a script beside the pages, no package

from __future__ import annotations

import tempfile
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from ghbench.site import build_site
from ghbench.tables.select import Choice

FOLDER, SHOWN_ON = "results", "leaderboards.md"


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the files of the site; nothing is fetched or drawn for it."""
    with tempfile.TemporaryDirectory() as folder:
        site = build_site(Path(folder) / "site", Choice(published=True)).parent
        for path in sorted(site.rglob("[!.]*")):
            if path.is_file():
                uri = f"{FOLDER}/{path.relative_to(site).as_posix()}"
                files.append(File.generated(config, uri, content=path.read_bytes()))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead there from the page about it; in the repository the site is not there."""
    del config, files
    if page.file.src_uri != SHOWN_ON:
        return markdown
    title, _, text = markdown.partition("\n")
    return f"{title}\n\n**[All published results]({FOLDER}/index.html)** are part of this documentation.\n{text}"
