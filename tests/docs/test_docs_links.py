"""The pages keep their promises: links lead somewhere, and the commands they show exist."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from ghbench.cli import app

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [
        ROOT / "README.md",
        ROOT / "leaderboards" / "README.md",
        ROOT / "CONTRIBUTING.md",
        ROOT / "SECURITY.md",
        *(ROOT / "docs").rglob("*.md"),
    ]
)
LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^```\w*\n(.*?)^```", re.DOTALL | re.MULTILINE)
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


def anchors(page):
    titles = HEADING.findall(FENCE.sub("", page.read_text()))
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for title in titles}


def shown_commands(page):
    for block in FENCE.findall(page.read_text()):
        for line in block.replace("\\\n", " ").splitlines():
            start = re.match(r"\s*(?:\$ )?(?:[A-Z_]+=\S+ )*ghbench ", line)
            if start:
                words = shlex.split(line[start.end() :], comments=True)
                stops = [place for place, word in enumerate(words) if word in {"|", ">", "&&", ";"}]
                yield words[: stops[0]] if stops else words


COMMANDS = [
    pytest.param(words, id=f"{page.name}: {' '.join(words)}"[:110]) for page in PAGES for words in shown_commands(page)
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_resolves(page):
    for target in LINK.findall(page.read_text()):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{page.name} links to {target}, which does not exist"
        if anchor and linked.suffix == ".md":
            assert anchor in anchors(linked), f"{page.name} links to {target}; {linked.name} has no such heading"


@pytest.mark.parametrize("words", COMMANDS)
def test_every_shown_command_parses(words):
    """Parsed by the real command line, with nothing run: verb, options, arguments and their values must fit."""
    command, name = typer.main.get_command(app), "ghbench"
    rest = list(words)
    while hasattr(command, "commands"):
        if command.invoke_without_command and name != "ghbench" and not set(rest[:1]) & set(command.commands):
            break
        assert set(rest[:1]) & set(command.commands), f"{name} has no verb {rest[:1]}"
        name, command = f"{name} {rest[0]}", command.commands[rest[0]]
        rest = rest[1:]
    context = command.make_context(name, rest)
    assert context.command is command


def test_the_pages_show_every_verb():
    shown = {words[0] for page in PAGES for words in shown_commands(page)}
    assert shown >= set(typer.main.get_command(app).commands)
