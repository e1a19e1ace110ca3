"""`ghbench cite`: BibTeX for what a result, a task or an extractor rests on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ghbench.cli.terminal import print_document, print_json


def cite(
    names: Annotated[
        list[str],
        typer.Argument(help="Results, by file or by name, or spec strings: leaderboards/orl/....json, ghfeat."),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print BibTeX: the toolkit, and the papers of extractor, task, dataset and generator.

    ghbench cite ghfeat orl > paper.bib
    """
    from ghbench import citations
    from ghbench.results import files, own

    used: dict[citations.Name, str] = {}
    for name in names:
        found = {} if name.endswith(".json") else citations.used_by_plugin(name)
        if not found:
            result = files.load(Path(name)) if name.endswith(".json") else own.find_one(name)[1]
            found = citations.used_by_result(result)
        used |= found
    entries = citations.entries(used)
    if as_json:
        print_json([{"key": entry.key, "for": sorted(entry.uses), "bibtex": entry.bibtex} for entry in entries])
        return
    print_document(
        "\n".join(f"% {', '.join(sorted(entry.uses)) or 'the toolkit'}\n{entry.bibtex}" for entry in entries)
    )
