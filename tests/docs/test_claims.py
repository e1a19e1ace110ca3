"""What the claim pages say stands in the files that they link: each number with its interval, line by line."""

import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PAGES = ("claims-ghfeat.md", "claims-contrafeat.md")
NUMBER = re.compile(r"(?<![\w.])[+-]?\d*\.\d+ (?:\[[^\]]+\]|± \.\d+)")
LINK = re.compile(r"\]\((\.\./[^)]+)\)")


def lines(page):
    return (DOCS / page).read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("page", PAGES)
def test_every_number_stands_in_a_file_that_its_line_links(page):
    found = 0
    for line in lines(page):
        texts = [(DOCS / link).read_text(encoding="utf-8") for link in LINK.findall(line)]
        for number in NUMBER.findall(line):
            found += 1
            assert any(number in text for text in texts), (
                f"{page}: {number} is in none of the files of its line: {line}"
            )
    assert found >= 20


@pytest.mark.parametrize("page", PAGES)
def test_the_overview_has_every_claim_and_every_claim_a_verdict(page):
    text = "\n".join(lines(page))
    overview, *sections = re.split(r"^## ", text, flags=re.MULTILINE)
    for section in sections:
        title = section.partition("\n")[0]
        anchor = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        assert f"](#{anchor})" in overview
        assert re.search(r"\*\*(Partly s|Hardly s|S)upported|\*\*Contradicted|untested", section, re.IGNORECASE)
