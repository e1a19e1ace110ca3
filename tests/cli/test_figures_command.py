"""`ghbench figures` draws what the records of a task show."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from ghbench.cli.figures import _level_curves
from ghbench.cli.main import app
from ghbench.running import runner

pytest.importorskip("matplotlib", reason="needs the extra report")


@pytest.mark.parametrize(("task", "expected"), [("knn", "confusion"), ("retrieval", None)])
def test_a_task_gets_the_figures_that_its_records_allow(
    folder_of_classes, options, tmp_path, monkeypatch, task, expected
):
    monkeypatch.setenv("GHBENCH_HOME", str(tmp_path))
    root = folder_of_classes(("train", "test"), per_class=10)
    name = f"{task}:dataset=imagefolder,dataset.path={root}"
    for extractor in ("pixels:size=4", "thumbnail"):
        runner.run(extractor, name, options, results=tmp_path / "results")
    made = CliRunner().invoke(app, ["figures", "--task", name, "--own", "--out", str(tmp_path / "figures")])
    assert made.exit_code == 0, made.output
    names = sorted(path.stem.rpartition("-")[2] for path in (tmp_path / "figures").iterdir())
    assert names == sorted({"intervals", *([expected] if expected else [])})
    one = next((tmp_path / "figures").iterdir())
    one.write_bytes(b"somebody's")
    again = CliRunner().invoke(app, ["figures", "--task", name, "--own", "--out", str(tmp_path / "figures")])
    assert "did not make it" in str(again.exception)
    assert one.read_bytes() == b"somebody's"


def test_levels_of_results_that_differ_in_an_option_have_a_figure_each():
    def row(number, system):
        metrics = [
            SimpleNamespace(metric="auc", level=level, value=0.5, interval=(0.4, 0.6)) for level in ("a", "b", "c")
        ]
        entry = SimpleNamespace(path=number, result=SimpleNamespace(metrics=metrics))
        return SimpleNamespace(level="a", system=system, entry=entry)

    systems = ("net @ a", "net @ a --align tight", "net @ b #1234abcd")
    table = SimpleNamespace(
        main=SimpleNamespace(name="auc"), levels=[row(place, system) for place, system in enumerate(systems)]
    )
    names = [curve.name for curve in _level_curves(table).values()]
    assert names == ["net", "net --align tight", "net #1234abcd"]


def test_interventions_have_profiles(options, tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_HOME", str(tmp_path))
    name = "interventions:dataset=resampled,dataset.count=5,dataset.generator=tiny"
    for extractor in ("pixels:size=4", "thumbnail"):
        runner.run(extractor, name, options, results=tmp_path / "results")
    made = CliRunner().invoke(app, ["figures", "--task", name, "--own", "--out", str(tmp_path / "figures")])
    assert made.exit_code == 0, made.output
    assert {path.stem.rpartition("-")[2] for path in (tmp_path / "figures").iterdir()} == {"profiles"}
