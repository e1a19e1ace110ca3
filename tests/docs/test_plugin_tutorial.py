"""The tutorial of plugins, word for word: its blocks are one file, whose plugins every command of the page takes."""

import re
import sys
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ghbench.cli import app
from ghbench.dataset import Dataset
from ghbench.registry import KINDS, load_attribute
from ghbench.spec_string import parse

PAGE = (Path(__file__).parents[2] / "docs" / "plugins.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```", PAGE, flags=re.DOTALL | re.MULTILINE)
FILE = "my_plugins.py"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    for variable in ("GHBENCH_HOME", "GHBENCH_CACHE"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    monkeypatch.chdir(tmp_path)
    modules = set(sys.modules)
    Path(FILE).write_text("\n\n".join(text for language, text in BLOCKS if language == "python"), encoding="utf-8")
    yield tmp_path
    for name in set(sys.modules) - modules:
        if name.startswith("ghbench_user_"):
            del sys.modules[name]


def test_every_command_works_in_its_order(folder):
    lines = [line for language, text in BLOCKS if not language for line in text.splitlines()]
    printed = {}
    for line in lines:
        assert line.startswith("ghbench ")
        done = CliRunner().invoke(app, line.split()[1:])
        assert done.exit_code == 0, f"{line}\n{done.output}\n{done.exception}"
        printed[line] = done.output
    table = next(text for line, text in printed.items() if line.startswith("ghbench run"))
    ranks = dict(re.findall(r"^ *(\d) +(\S+)", table, flags=re.MULTILINE))
    assert ranks["1"].endswith("Energies")
    assert ranks["2"] == "pixels:size=8"
    assert {path.name for path in folder.glob("*.*")} == {FILE, "stripes.npz", "unlearned.png", "moved.png"}


def test_the_package_names_what_the_file_holds(folder):
    (text,) = [text for language, text in BLOCKS if language == "toml"]
    groups = tomllib.loads(text)["project"]["entry-points"]
    assert {group.removeprefix("ghbench.").removesuffix("s") for group in groups} == set(KINDS) - {"recipe"}
    for target in [target for plugins in groups.values() for target in plugins.values()]:
        assert callable(load_attribute(parse(f"./{target.replace(':', '.py:')}")))
    assert isinstance(load_attribute(parse(f"./{FILE}:Stripes"))(), Dataset)
