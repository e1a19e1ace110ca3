"""The pages for plugin authors show code that works: a task's is the contract's own, an extractor's passes the kit."""

import re
import sys
import tomllib
import types
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def python_blocks(page):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)


def test_quoted_tasks_are_the_tasks_of_the_contract():
    code = (ROOT / "tests" / "contract" / "stranger_tasks.py").read_text(encoding="utf-8")
    quoted = [block for block in python_blocks("tasks.md") if "check_task" not in block]
    assert len(quoted) >= 5
    for block in quoted:
        assert block in code


def test_the_shown_extractor_passes_the_shown_check(monkeypatch):
    module = types.ModuleType("my_features")
    monkeypatch.setitem(sys.modules, "my_features", module)
    (shown,) = [block for block in python_blocks("extractors.md") if "class ColourGrid" in block]
    (check,) = [block for block in python_blocks("extractors.md") if "check_extractor" in block]
    exec(compile(shown, "extractors.md", "exec"), module.__dict__)
    found = {}
    exec(compile(check, "extractors.md", "exec"), found)
    found["test_colour_grid_keeps_the_contract"]()


def test_the_shown_module_becomes_an_extractor(monkeypatch):
    pytest.importorskip("torch")
    runs = []
    monkeypatch.setattr("ghbench.api.evaluate", lambda module, tasks: runs.append((module, tasks)))
    monkeypatch.setattr("ghbench.api.run", lambda extractor, task: runs.append((extractor, task)))
    exec(compile("\n".join(python_blocks("extractors.md")[:2]), "extractors.md", "exec"), {})
    spec = runs[1][0].spec()
    assert (spec.name, spec.preprocessing.size, spec.preprocessing.align) == ("my-encoder", (112, 112), "tight")


def test_the_shown_asset_is_one_that_the_manifest_takes():
    from ghbench.assets.manifest import GROUP
    from ghbench.assets.model import Asset

    text = (ROOT / "docs" / "hosting-weights.md").read_text(encoding="utf-8")
    package, shown = re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)
    assert list(tomllib.loads(package)["project"]["entry-points"]) == [GROUP]
    ((name, entry),) = tomllib.loads(shown).items()
    asset = Asset(name=name, **entry)
    assert [source.kind for source in asset.sources] == ["url", "user"]
    assert asset.size == entry["members"]["model.safetensors"]["size"]
