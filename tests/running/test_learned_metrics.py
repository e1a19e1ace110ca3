"""Any extractor can be compared in a metric learned from generated pictures, and results say so."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from ghbench.errors import UsageError
from ghbench.extraction import ExtractionOptions
from ghbench.running import runner
from ghbench.running.options import RunOptions
from ghbench.running.request import load_task, subject_request
from ghbench.running.teaching import Pupil
from ghbench.store import FeatureStore
from ghbench.tables.identity import Identity, identity_of

pytestmark = pytest.mark.usefixtures("few_pictures")


@pytest.fixture
def options(tmp_path):
    return RunOptions(
        store=FeatureStore(tmp_path / "store"),
        results=tmp_path / "results",
        align="none",
        extraction=ExtractionOptions(workers=0),
    )


@pytest.fixture
def task(lfw_tree):
    return f"lfw:root={lfw_tree}"


@pytest.mark.parametrize("kind", ["centred", "whitened", "within"])
def test_a_learned_metric_changes_the_result_and_is_named_in_it(task, options, kind):
    plain = runner.run("pixels:size=8", task, options)
    learned = runner.run(f"pixels:size=8,similarity={kind},similarity.generator=tiny", task, options)
    assert learned.digest != plain.digest
    assert learned.features is not None
    assert learned.features.similarity == f"cosine, {kind} by tiny"
    assert learned.subject.spec_string == f"pixels:similarity={kind},similarity.generator=tiny,size=8"
    assert "metric from renders of tiny" in learned.subject.supervision
    assert learned.datasets["pairs"].feature_key == plain.datasets["pairs"].feature_key, "features are stored once"


def test_raw_is_what_an_extractor_without_a_metric_is_anyway(task, options):
    assert (
        runner.run("pixels:similarity=raw,size=8", task, options).digest
        == runner.run("pixels:size=8", task, options).digest
    )


@pytest.mark.parametrize(
    ("spec", "named"),
    [
        ("pixels:similarity=fuzzy", "whitened"),
        ("pixels:similarity.generator=tiny", "similarity=within"),
    ],
)
def test_impossible_metrics_are_refused(task, options, spec, named):
    with pytest.raises(UsageError) as raised:
        runner.run(spec, task, options)
    assert named in f"{raised.value.message} {raised.value.fix}"


def test_what_was_learned_is_read_back(task, options, monkeypatch, tmp_path):
    first = runner.run("pixels:size=8,similarity=within,similarity.generator=tiny", task, options)
    monkeypatch.setattr("ghbench.running.teaching.learned_from", lambda *_: pytest.fail("learned again"))
    again = replace(options, results=tmp_path / "elsewhere")
    second = runner.run("pixels:size=8,similarity=within,similarity.generator=tiny", task, again)
    assert [value.value for value in second.metrics] == [value.value for value in first.metrics]


def test_levels_have_metrics_of_their_own_where_they_are_not_joined(task, options):
    spec = "mobilenet-v2:level=stage1+stage2,similarity=whitened,similarity.generator=tiny"
    each = runner.run(f"{spec},policy=each", task, options)
    assert {value.level for value in each.metrics} >= {"stage1", "stage2"}
    assert np.isfinite([value.value for value in each.metrics if value.metric == "accuracy"]).all()
    joined = runner.run(spec, task, options)
    assert joined.features is not None
    assert json.loads(joined.model_dump_json())["features"]["levels"] == ["stage1", "stage2"]


def test_an_installed_plugin_is_compared_with_its_result_in_its_metric(task, options):
    for spec in ("pixels:size=8,similarity=within,similarity.generator=tiny", "pixels:size=8,similarity=raw"):
        found = identity_of(runner.run(spec, task, options), load_task(task))
        assert found == Identity(), spec


def test_a_task_that_fixes_its_alignment_fixes_that_of_the_pictures_too(options, monkeypatch):
    seen = []
    monkeypatch.setattr(Pupil, "learn", lambda self, *_: seen.append(self.align) or pytest.skip("seen"))
    spec = "pixels:size=8,similarity=within,similarity.generator=tiny"
    with pytest.raises(pytest.skip.Exception):
        runner.run(spec, "orl:align=tight", replace(options, align=None, limit=120))
    assert seen == ["tight"]


def test_options_of_an_extractor_s_own_stay_its_own():
    assert subject_request("imported:name=mine,similarity=l2").similarity is None
    assert subject_request("pixels:similarity=within").similarity == "within"
    with pytest.raises(UsageError, match="within"):
        subject_request("pixels:similarity=l2")
