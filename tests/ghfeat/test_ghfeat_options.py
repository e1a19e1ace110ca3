"""What travels with an encoder or is done after its first pass: its metric, further passes, refinement."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_encoders import ABOUT, RECORD, tiny_encoder

from ghbench.data.renders import Renders
from ghbench.errors import DataError, UsageError
from ghbench.extraction import ExtractionOptions
from ghbench.extractor import LearnedMetric, OwnMetric
from ghbench.ghfeat.extractor import Ghfeat
from ghbench.ghfeat.files.weights import save_encoder
from ghbench.ghfeat.training.metric import own_metric
from ghbench.running import runner
from ghbench.running.options import RunOptions
from ghbench.store import FeatureStore

pytestmark = pytest.mark.usefixtures("few_pictures")


@pytest.fixture
def images():
    return Renders("tiny", count=4, size=32).pixels()


def saved(path, *, metric=None):
    about = ABOUT if metric is None else {**ABOUT, "metric": {"kind": metric.kind, "generator": metric.generator}}
    save_encoder(path, tiny_encoder(), licence="Apache-2.0", record=RECORD, about=about, half=True, metric=metric)
    return Ghfeat(str(path))


def test_the_metric_is_learned_for_all_levels_and_each_and_travels_with_the_weights(tmp_path):
    metric, chosen = own_metric(tiny_encoder(), "tiny", "whitened")
    names = [level.name for level in tiny_encoder().config.layout.levels]
    assert list(metric.metrics) == ["+".join(names), *names]
    assert chosen["chosen"]["rgb"]["components"] >= 1
    spec = saved(tmp_path / "e.safetensors", metric=metric).spec()
    assert spec.metric is not None
    assert (spec.metric.kind, spec.metric.generator) == ("whitened", "tiny")
    for name, one in metric.metrics.items():
        np.testing.assert_array_equal(spec.metric.metrics[name].matrix, one.matrix)
    assert spec.weights_digest != saved(tmp_path / "plain.safetensors").spec().weights_digest


def test_codes_are_compared_in_their_metric_unless_raw_is_asked_for(tmp_path, lfw_tree):
    metric, _ = own_metric(tiny_encoder(), "tiny", "whitened")
    path = tmp_path / "e.safetensors"
    saved(path, metric=metric)
    options = RunOptions(
        align="none", store=FeatureStore(tmp_path / "s"), results=tmp_path / "r",
        extraction=ExtractionOptions(workers=0),
    )  # fmt: skip
    task = f"lfw:root={lfw_tree}"
    found = {
        name: runner.run(f"ghfeat:weights={path}{extra}", task, options)
        for name, extra in {"own": "", "raw": ",similarity=raw", "within": ",similarity=within"}.items()
    }
    assert [result.features.similarity for result in found.values()] == [
        "cosine, whitened by tiny", "cosine", "cosine, within by tiny"
    ]  # fmt: skip
    assert len({result.digest for result in found.values()}) == 3
    each = runner.run(f"ghfeat:weights={path},policy=vote", task, options)
    assert each.metrics[0].value is not None


def test_a_metric_of_another_width_is_refused(tmp_path):
    level = tiny_encoder().config.layout.levels[0]
    odd = LearnedMetric(np.zeros(level.width + 1, np.float32), np.ones((level.width + 1, 2), np.float16))
    extractor = saved(tmp_path / "e.safetensors", metric=OwnMetric("whitened", "tiny", {level.name: odd}))
    with pytest.raises(DataError, match="metric"):
        extractor.spec()


def test_further_passes_change_the_codes_of_each_image_alone(tmp_path, images):
    extractor = saved(tmp_path / "e.safetensors")
    several = Ghfeat(str(tmp_path / "e.safetensors"), passes=3)
    one, three = extractor.extract(images), several.extract(images)
    assert any((three[level] != code).any() for level, code in one.items())
    for level, code in several.extract(images[1:2]).items():
        np.testing.assert_allclose(code, three[level][1:2], atol=1e-4)


def test_refined_features_draw_closer_images(tmp_path, images):
    path = tmp_path / "e.safetensors"
    saved(path)
    plain, refined = (Ghfeat(str(path), refine=steps) for steps in (0, 10))
    errors = [np.square(ex.decode(ex.extract(images)) / 127.5 - images / 127.5).mean() for ex in (plain, refined)]
    assert errors[1] < errors[0]


@pytest.mark.parametrize("options", [{"passes": 0}, {"refine": -1}])
def test_impossible_options_are_refused(options):
    with pytest.raises(UsageError, match="expected"):
        Ghfeat(**options)


def test_what_is_done_beyond_one_pass_is_another_version():
    versions = [Ghfeat(**options).spec().version for options in ({}, {"passes": 3}, {"refine": 25})]
    assert len(set(versions)) == 3


def test_a_file_cannot_name_code_as_the_teacher_of_its_metric(tmp_path):
    width = tiny_encoder().config.layout.levels[0].width
    name = tiny_encoder().config.layout.levels[0].name
    one = LearnedMetric(np.zeros(width, np.float32), np.ones((width, 2), np.float16))
    spec = saved(tmp_path / "e.safetensors", metric=OwnMetric("whitened", "./evil.py:Net", {name: one})).spec()
    assert spec.metric is not None
    assert spec.metric.generator == ""
    with pytest.raises(DataError, match="kind"):
        saved(tmp_path / "k.safetensors", metric=OwnMetric("fuzzy", "tiny", {name: one})).spec()
