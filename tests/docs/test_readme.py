"""The README keeps its promises: its Python runs, and its table is the published one."""

import re
from pathlib import Path

from ghbench.tables import collect, published_folder, rank_table
from ghbench.tables.render import cell, explanation

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_python_example_runs_and_prints_the_table(orl, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("GHBENCH_HOME", str(tmp_path))
    (example,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})
    printed = capsys.readouterr().out
    assert len(orl) == 400
    for row in ("my-encoder", "pixels", "random-trunk", "random-trunk:seed=1", "random-trunk:seed=2"):
        assert row in printed


def test_the_table_shows_the_published_numbers():
    """Every row of the README's table agrees with the published result, rank among the three included."""
    shown = re.search(r"<!-- table: make run -->(.*?)<!-- end of table -->", README, flags=re.DOTALL)
    assert shown is not None
    entries, _ = collect("orl", published_folder(), published=False)
    names = {"dlib-face", "mobilenet-v2", "pixels", "random-trunk", "random-trunk:seed=1", "random-trunk:seed=2"}
    table = rank_table("orl", [entry for entry in entries if entry.result.subject.spec_string in names])
    assert {row.system for row in table.rows} == names
    assert " ".join(explanation(table)) in " ".join(shown[1].split())
    for row in table.rows:
        (line,) = [line for line in shown[1].splitlines() if line.split()[:2] == [str(row.rank), row.system]]
        for metric in ("accuracy", "auc", "eer"):
            assert cell(row.metric(metric)) in line


def test_the_page_on_reading_shows_the_published_numbers():
    page = (Path(__file__).parents[2] / "docs" / "reading-the-numbers.md").read_text(encoding="utf-8")
    entries, _ = collect("orl", published_folder(), published=False)
    rows = {row.system: row for row in rank_table("orl", entries).rows}
    shown = re.findall(r"^\| (\d+) \| `(\S+)` \| ([\d,]+) \| (.+?) \| (.+?) \|", page, flags=re.MULTILINE)
    assert len(shown) == 4
    for rank, system, numbers, accuracy, auc in shown:
        row = rows[system]
        assert (rank, numbers) == (str(row.rank), f"{row.numbers:,}")
        assert (accuracy, auc) == (cell(row.metric("accuracy")), cell(row.metric("auc")))
