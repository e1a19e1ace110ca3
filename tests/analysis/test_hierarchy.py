"""Levels on one scale: chance and perfection, centres of mass, and whether levels matter differently to tasks."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from ghbench.analysis.hierarchy import centre_of_mass, hierarchy, interaction, normalised, places_of
from ghbench.cli.main import app
from ghbench.errors import MissingError, UsageError
from ghbench.results import scoring
from ghbench.running import runner
from ghbench.tables import collect, published_folder


def test_scores_run_from_chance_to_perfect():
    assert normalised(np.array([0.1, 0.55, 1.0]), 0.1, higher_is_better=True) == pytest.approx([0, 0.5, 1])
    assert normalised(np.array([8.0, 4.0, 0.0]), 8.0, higher_is_better=False) == pytest.approx([0, 0.5, 1])


def test_places_are_resolutions_where_levels_name_them():
    places, in_pixels = places_of(["r4.const", "r8.up", "r32"])
    assert in_pixels
    assert places.tolist() == [2, 3, 5]
    places, in_pixels = places_of(["stage1", "stage2"])
    assert not in_pixels
    assert places.tolist() == [0, 1]


def test_the_centre_of_mass_counts_what_is_above_chance():
    scores = np.array([[0.5, 0.5, 0], [0, -1, 1], [-1, -1, -1]])
    found = centre_of_mass(scores, np.array([2.0, 4.0, 6.0]))
    assert found[:2] == pytest.approx([3, 6])
    assert np.isnan(found[2])


def test_levels_that_matter_differently_are_told_from_those_that_do_not():
    draw = np.random.default_rng(0)
    noise = 0.02 * draw.normal(size=(2, 400, 3))
    common = np.array([0.2, 0.5, 0.8])
    alike = np.stack([common, common - 0.1]) + 0.02 * draw.normal(size=(2, 3))
    opposed = np.stack([common, common[::-1]])
    _, p_alike = interaction(alike, alike[:, None] + noise)
    found, p_opposed = interaction(opposed, opposed[:, None] + noise)
    assert p_alike > 0.05
    assert p_opposed < 0.01
    # Each task is .3, 0, -.3 away from its mean, and the levels' means are equal.
    assert found == pytest.approx(np.mean([0.09, 0, 0.09]), abs=0.001)
    assert np.isnan(interaction(alike[:1], alike[:1, None] + noise[:1])[1])


def test_under_no_interaction_small_p_values_are_rare():
    draw, small = np.random.default_rng(1), 0
    common = np.array([0.3, 0.6, 0.4, 0.5])
    for _ in range(200):
        scores = common + 0.05 * draw.normal(size=(3, 4))
        _, p_value = interaction(scores, scores[:, None] + 0.05 * draw.normal(size=(3, 200, 4)))
        small += p_value < 0.05
    assert small < 25


def test_levels_of_a_network_on_two_tasks(folder_of_classes, options, tmp_path):
    root = folder_of_classes(("",), per_class=12)
    tasks = [f"{kind}:dataset=imagefolder,dataset.path={root}" for kind in ("retrieval", "luminance")]
    found = hierarchy("random-trunk", tasks, options)
    assert len(found.levels) >= 3
    assert [one.metric for one in found.tasks] == ["map", "luminance"]
    for one in found.tasks:
        assert (one.low <= one.scores + 1e-6).all()
        assert (one.scores <= 1).all()
        assert np.isfinite(one.thumbnail)
    assert 0 < found.p_value <= 1


def test_published_levels_are_told_without_computing_anything(monkeypatch):
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("something was run")

    monkeypatch.setattr(runner, "run", refuse)
    found = hierarchy("ghfeat:level=r4.conv+rgb", ["pose"], published=True)
    assert found.levels == ("r4.conv", "rgb")
    assert (found.in_pixels, found.places.tolist()) == (False, [0, 9])  # their numbers in the extractor
    one = found.tasks[0]
    assert ((one.low < one.scores) & (one.scores < one.high)).all()
    assert 0 < one.thumbnail < one.scores.min()
    with pytest.raises(MissingError, match="no result of mobilenet-v2 level by level on orl"):
        hierarchy("mobilenet-v2", ["orl"], published=True)


def test_brackets_are_those_of_the_table():
    found = hierarchy("ghfeat", ["luminance"], published=True).tasks[0]  # chance explains nothing: the scale is its own
    entries, _ = collect("luminance", published_folder(), published=False)
    (each,) = [entry.result for entry in entries if entry.result.subject.spec_string == "ghfeat:level=all,policy=each"]
    ends = np.array([one.interval for one in each.metrics if one.metric == "luminance"])
    np.testing.assert_allclose(np.stack([found.low, found.high], axis=1), ends)


def test_equal_units_are_drawn_alike_and_others_are_not(monkeypatch):
    seeds = []
    drawn = scoring.main_draws
    monkeypatch.setattr(scoring, "main_draws", lambda *given: (seeds.append(given[3]), drawn(*given))[1])
    hierarchy("ghfeat", ["landmarks", "pose", "luminance"], published=True)
    assert seeds[0] == seeds[1] != seeds[2]


def test_what_cannot_be_compared_is_refused(options):
    with pytest.raises(UsageError, match="named twice"):
        hierarchy("random-trunk", ["luminance", "luminance"], options)
    with pytest.raises(UsageError, match="expected at least two"):
        hierarchy("pixels", ["luminance"], options)
    with pytest.raises(UsageError, match="does not say what chance is"):
        hierarchy("random-trunk", ["reconstruction"], options)
    with pytest.raises(UsageError, match="no task"):
        hierarchy("random-trunk", [], options)
    with pytest.raises(UsageError, match="policy=fuse means nothing"):
        hierarchy("random-trunk:policy=fuse", ["luminance"], options)


def test_the_verb_prints_and_draws(folder_of_classes, tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path / "cache"))
    root = folder_of_classes(("",), per_class=10)
    task = f"retrieval:dataset=imagefolder,dataset.path={root}"
    common = ["levels", "random-trunk", "-t", task, "--results", str(tmp_path / "r"), "--workers", "0"]
    shown = CliRunner().invoke(app, [*common, "-o", str(tmp_path / "map.svg")])
    assert shown.exit_code == 0, shown.output
    assert "centre of mass" in shown.output
    assert (tmp_path / "map.svg").stat().st_size > 1000
    found = json.loads(CliRunner().invoke(app, [*common, "--format", "json"]).stdout)
    assert found["tasks"][0]["metric"] == "map"
    assert "16" not in CliRunner().invoke(app, [*common, "--format", "csv"]).stdout.splitlines()[0]
