"""The figure of rooms is drawn from the code as it is, and a house with stairs in the wrong places is refused."""

import importlib.util
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
spec = importlib.util.spec_from_file_location("draw_rooms", ROOT / "docs" / "draw_rooms.py")
draw_rooms = importlib.util.module_from_spec(spec)


@pytest.fixture(scope="module", autouse=True)
def load_script():
    import sys

    sys.modules["draw_rooms"] = draw_rooms  # where dataclasses look for it
    spec.loader.exec_module(draw_rooms)
    yield
    del sys.modules["draw_rooms"]


def arrows(*pairs):
    return {pair: [(f"{pair[0]}.one", f"{pair[1]}.two")] for pair in pairs}


def test_the_committed_figure_is_what_the_command_draws(tmp_path, monkeypatch):
    pytest.importorskip("matplotlib", reason="the figure is drawn by matplotlib")
    pytest.importorskip("grimp", reason="imports are found by grimp, which import-linter brings")
    committed = draw_rooms.FIGURE.read_bytes()
    monkeypatch.setattr(draw_rooms, "FIGURE", tmp_path / "rooms.svg")
    assert draw_rooms.main() == 0
    assert draw_rooms.FIGURE.read_bytes() == committed, "fix: make rooms"


def test_an_import_of_a_higher_room_is_named():
    house = draw_rooms.house(arrows(("a", "b"), ("c", "a")), ["a", "b", "c"])
    assert house.upward() == [("c", "a")]
    (line,) = draw_rooms.complaints(house)
    assert "c.one -> a.two" in line


def test_a_circle_on_one_floor_is_named():
    house = draw_rooms.house(arrows(("a", "b"), ("b", "c"), ("c", "a"), ("top", "a")), ["top", "a : b : c"])
    assert house.upward() == []
    assert set(house.circle()) == {"a", "b", "c"}
    text = "\n".join(draw_rooms.complaints(house))
    assert all(name in text for name in ("a.one -> b.two", "b.one -> c.two", "c.one -> a.two"))


def test_the_command_fails_where_the_house_is_wrong(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(draw_rooms, "imports_between_rooms", lambda: arrows(("ghbench.errors", "ghbench.cli")))
    monkeypatch.setattr(draw_rooms, "FIGURE", tmp_path / "rooms.svg")
    assert draw_rooms.main() == 1
    assert "ghbench.errors.one -> ghbench.cli.two" in capsys.readouterr().err
    assert not draw_rooms.FIGURE.exists()


def test_arrows_that_follow_from_others_are_left_out():
    given = arrows(("a", "b"), ("b", "c"), ("a", "c"), ("a", "d"))
    assert draw_rooms.transitive_reduction(given) == [("a", "b"), ("a", "d"), ("b", "c")]


def test_a_room_that_no_floor_names_stands_on_the_lowest_that_fits():
    house = draw_rooms.house(arrows(("a", "x"), ("x", "b"), ("y", "x")), ["a", "b", "c"])
    assert [sorted(floor) for floor in house.floors] == [["a"], ["b", "x", "y"], ["c"]]
    assert house.upward() == []


def test_the_page_on_architecture_knows_every_room():
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    first_cells = [row.split("|")[1] for row in page.splitlines() if row.startswith("| `")]
    named = {word.removeprefix("ghbench/").strip("/") for cell in first_cells for word in re.findall(r"`(.*?)`", cell)}
    rooms = {path.name for path in (ROOT / "ghbench").iterdir() if path.is_dir() or path.suffix == ".py"}
    assert {*rooms, "tasks", "baselines", "leaderboards"} - {"__main__.py", "py.typed", "__pycache__"} <= named
