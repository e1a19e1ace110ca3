"""Harmonisation with a known answer: composites, methods without a network, and the task on tiny pictures."""

import json

import numpy as np
import pytest
from ghbench_tasks.pictures.composites import Composites, composite, region
from ghbench_tasks.pictures.harmonization import harmonization
from ghbench_tasks.pictures.harmonizers import blurred_seam, poisson, reinhard, seam_step

from ghbench.data.renders import Renders
from ghbench.dataset import Dataset
from ghbench.errors import UsageError
from ghbench.extraction import ExtractionOptions
from ghbench.registry import build
from ghbench.running import runner
from ghbench.store import FeatureStore
from ghbench.task import Task
from ghbench.testing import pictures

TINY = {"generator": "tiny", "size": 32, "count": 8, "judge": "thumbnail:size=8"}
SIDE = 48
INSIDE = region(0, SIDE)


@pytest.fixture
def options(tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path / "cache"))
    extraction = ExtractionOptions(workers=0, device="cpu")
    return runner.RunOptions(store=FeatureStore(tmp_path / "s"), results=tmp_path / "r", extraction=extraction)


def flat(inside, outside):
    return np.broadcast_to(np.where(INSIDE, inside, outside), (3, SIDE, SIDE)).astype(np.uint8)


@pytest.mark.parametrize("row", [0, 1, 2, 3])
def test_only_the_region_changes_and_the_row_decides_how(row):
    picture = pictures((SIDE, SIDE), count=1)[0]
    changed, inside = composite(picture, row), region(row, SIDE)
    np.testing.assert_array_equal(changed[:, ~inside], picture[:, ~inside])
    assert np.abs(changed[:, inside].astype(int) - picture[:, inside]).mean() > 3
    np.testing.assert_array_equal(composite(picture, row), changed)
    assert not inside[[0, -1]].any()
    assert 0.04 < inside.mean() < 0.2


def test_composites_are_a_dataset_with_the_card_of_their_pictures(monkeypatch, tmp_path):
    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path))
    clean = Renders("tiny", count=3, size=32)
    dataset = Composites(clean, clean.pixels, clean.pixels().shape[-1])
    assert isinstance(dataset, Dataset)
    assert (dataset.card(), dataset.ids) == (clean.card(), clean.ids)
    assert not set(dataset.image_digests()) & set(clean.image_digests())


def test_colour_transfer_gives_a_region_the_look_of_its_surroundings():
    rng = np.random.default_rng(0)
    picture = rng.integers(90, 110, (3, SIDE, SIDE))
    picture[:, INSIDE] += 80
    made = reinhard(picture.astype(np.uint8), INSIDE).astype(float)
    np.testing.assert_allclose(made[:, INSIDE].mean(axis=1), made[:, ~INSIDE].mean(axis=1), atol=1.5)
    np.testing.assert_array_equal(made[:, ~INSIDE], picture[:, ~INSIDE])


def test_gradients_alone_undo_an_offset():
    pytest.importorskip("cv2")
    ramp = np.broadcast_to(np.linspace(60, 120, SIDE), (3, SIDE, SIDE))
    pasted = (ramp + 90 * INSIDE).astype(np.uint8)
    made = poisson(pasted, INSIDE)
    assert np.abs(made.astype(float) - ramp).max() < 12
    np.testing.assert_array_equal(made[:, ~INSIDE], pasted[:, ~INSIDE])


def test_a_blurred_seam_is_softer_and_the_rest_is_as_before():
    pasted = flat(200, 100)
    made = blurred_seam(pasted, INSIDE)
    assert seam_step(made, INSIDE) < 0.6 * seam_step(pasted, INSIDE)
    assert made[0, 0, 0] == 100
    assert (made == 200).any()


def test_the_step_across_the_edge_is_the_difference_of_its_sides():
    assert seam_step(flat(200, 100), INSIDE) == pytest.approx(100 / 127.5)
    assert seam_step(flat(100, 100), INSIDE) == 0


def test_an_extractor_that_keeps_all_gives_the_paste_back(options):
    task = harmonization(**TINY)
    found = {metric.metric: metric.value for metric in runner.run("pixels:size=32", task, options).metrics}
    for metric in ("mse", "fmse", "bmse", "seam-ratio", "content"):
        assert found[metric] == found[f"{metric}[paste]"] == found[f"{metric}[blend]"]
    assert found["bmse"] == found["mse[floor]"] == 0
    assert found["seam-ratio[floor]"] == pytest.approx(1)
    assert found["content[floor]"] == pytest.approx(1)
    area = np.mean([region(row, 32).mean() for row in range(8)])
    assert 0 < found["mse"] < found["fmse"] * 2 * area
    assert found["seam-ratio[blur]"] < found["seam-ratio[paste]"]


def test_blending_puts_the_background_back(options):
    task = harmonization(**TINY)
    result = runner.run("pixels:size=8", task, options)
    assert result.metric("bmse[blend]").value == 0 < result.metric("bmse").value
    assert result.metric("fmse[blend]").value == pytest.approx(result.metric("fmse").value)
    assert result.metric("mse").ci_method.startswith("95 % percentile bootstrap over pictures")
    assert runner.run("pixels:size=8", task, options, limit=3).counts.records == 3


def test_it_describes_itself_and_is_found_by_name():
    task = harmonization(**TINY)
    assert isinstance(task, Task)
    assert task.name == "harmonization:count=8,generator=tiny,judge=thumbnail:size=8,size=32"
    assert build("task", task.name).protocol() == json.loads(json.dumps(task.protocol()))


@pytest.mark.parametrize(
    "given", [{"on": "orl"}, {"count": 0}, {"on": "imagefolder"}, {"on": "imagefolder", "psi": 0.5}]
)
def test_options_that_do_not_fit_are_refused(given):
    with pytest.raises(UsageError):
        harmonization(**given)
