"""Luminance: its formula on grey and coloured pictures, who reaches it, the conformance kit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from ghbench_tasks.pictures.luminance import TARGETS, luminance
from PIL import Image
from sklearn.metrics import r2_score

from ghbench.errors import DataError
from ghbench.metrics.luminance import light_of
from ghbench.running import runner
from ghbench.testing import check_task


def test_light_by_hand():
    grey = np.full((3, 8, 8), 188, np.uint8)
    assert light_of(grey) == pytest.approx([0.5029, 0], abs=1e-4), "sRGB 188 is half the light of white"
    green = np.zeros((3, 8, 8), np.uint8)
    green[1] = 255
    assert light_of(green) == pytest.approx([0.7152, 0])
    one_side = np.zeros((3, 8, 8), np.uint8)
    one_side[:, :, :4] = 255
    assert light_of(one_side) == pytest.approx([0.5, 1.0])
    frame = np.full((3, 8, 8), 255, np.uint8)
    frame[:, 2:6, 2:6] = 0
    assert light_of(frame) == pytest.approx([0, 0]), "only the central half counts"


def test_explained_variance_is_scikit_learns():
    draw = np.random.default_rng(0)
    truth, weight = draw.normal(size=(60, 2)), draw.integers(0, 3, 60).astype(float)
    answer = truth + draw.normal(size=(60, 2))
    columns = {name: truth[:, place] for place, name in enumerate(TARGETS)}
    columns |= {f"{name}-predicted": answer[:, place] for place, name in enumerate(TARGETS)}
    for place, score in enumerate(luminance().score(pd.DataFrame(columns), weight)):
        assert score.value == pytest.approx(r2_score(truth[:, place], answer[:, place], sample_weight=weight))


@pytest.fixture
def lit(tmp_path):
    """Sixty pictures of one colour each at the left and at the right."""
    draw = np.random.default_rng(0)
    for number, (left, right) in enumerate(draw.integers(60, 200, (60, 2))):
        picture = np.repeat([left, right], 16)[None, :, None] + draw.normal(0, 3, (32, 32, 3))
        path = tmp_path / "images" / "one" / f"{number:02}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(path)
    return tmp_path / "images"


def test_pixels_know_the_light(lit, options):
    result = runner.run("pixels:size=8", f"luminance:dataset=imagefolder,dataset.path={lit},size=32", options)
    assert [metric.metric for metric in result.metrics] == list(TARGETS)
    assert all(metric.value > 0.95 for metric in result.metrics)
    assert result.counts.unit == "images"


def test_the_kit_accepts_the_task(lit):
    check_task(luminance(f"imagefolder:path={lit}", size=32))


def test_fewer_units_than_folds_are_refused(lit, options):
    for path in sorted((lit / "one").iterdir())[4:]:
        path.unlink()
    with pytest.raises(DataError, match="at least 5"):
        runner.run("pixels:size=8", f"luminance:dataset=imagefolder,dataset.path={lit},size=32", options)
