"""Harmonisation with a known answer: composites, methods without a network, and the task on tiny pictures."""

import json
import pickle

import numpy as np
import pytest
from ghbench_tasks.pictures.composites import Composites, composite, region
from ghbench_tasks.pictures.decoding import at_size
from ghbench_tasks.pictures.harmonization import harmonization
from ghbench_tasks.pictures.harmonizers import blurred_seam, poisson, reinhard, seam_step, surroundings
from PIL import Image

from ghbench.data.framed import Framed
from ghbench.data.renders import Renders
from ghbench.dataset import Dataset, Drawn, content_digest
from ghbench.errors import UsageError
from ghbench.extraction import ExtractionOptions
from ghbench.imaging import resize_step
from ghbench.registry import build
from ghbench.results import files
from ghbench.running import runner
from ghbench.store import FeatureStore
from ghbench.tables import table_of_results
from ghbench.task import Task
from ghbench.testing import check_task, pictures

DATA, JUDGE = "renders:generator=tiny,count=8", "thumbnail:size=8"
SIDE = 48
INSIDE = region(0, SIDE)


@pytest.fixture
def options(tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path / "cache"))
    extraction = ExtractionOptions(workers=0, device="cpu")
    return runner.RunOptions(store=FeatureStore(tmp_path / "s"), results=tmp_path / "r", extraction=extraction)


def scores(result):
    return {metric.metric: metric.value for metric in result.metrics}


def flat(inside, outside):
    return np.broadcast_to(np.where(INSIDE, inside, outside), (3, SIDE, SIDE)).astype(np.uint8)


@pytest.mark.parametrize("row", [0, 1, 2, 3])
def test_only_the_region_changes_and_the_row_decides_how(row):
    image = pictures((SIDE, SIDE), count=1)[0]
    changed, inside = composite(image, row), region(row, SIDE)
    np.testing.assert_array_equal(changed[:, ~inside], image[:, ~inside])
    assert np.abs(changed[:, inside].astype(int) - image[:, inside]).mean() > 3
    np.testing.assert_array_equal(composite(image, row), changed)
    assert not inside[[0, -1]].any()
    assert 0.04 < inside.mean() < 0.2


def test_composites_are_a_dataset_that_knows_its_rows_without_drawing(monkeypatch):
    monkeypatch.setattr(Renders, "draw", lambda *_: pytest.fail("drawn"))
    clean = Framed(Renders("tiny", count=3, size=32), 32, "none")
    dataset = Composites(clean)
    assert isinstance(dataset, Dataset)
    assert isinstance(dataset, Drawn)
    assert (dataset.card(), dataset.ids) == (clean.card(), clean.ids)
    assert len({*dataset.identities(), *clean.identities(), *clean.whole.identities()}) == 9
    again = pickle.loads(pickle.dumps(dataset))
    assert content_digest(again) == content_digest(dataset)
    monkeypatch.setattr(Renders, "pixels", lambda self, rows: np.full((len(rows), 3, 32, 32), 90, np.uint8))
    np.testing.assert_array_equal(again.image(1).transpose(2, 0, 1), composite(clean.framed(1).image, 1))


def test_composites_of_photographs_are_photographs_still(tmp_path):
    Image.fromarray(pictures((SIDE, SIDE), count=1)[0].transpose(1, 2, 0)).save(tmp_path / "one.png")
    photographs = build("dataset", f"imagefolder:path={tmp_path}")
    assert Composites(Framed(photographs, SIDE, "none")).recipe_digest is None
    assert Composites(Framed(Renders("tiny", count=3, size=32), 32, "none")).recipe_digest is not None


def test_colour_transfer_gives_a_region_the_look_of_its_surroundings():
    rng = np.random.default_rng(0)
    image, near = rng.integers(90, 110, (3, SIDE, SIDE)), surroundings(INSIDE)
    image[:, INSIDE] += 80
    image[:, ~INSIDE & ~near] = 10  # far away, and no guide
    made = reinhard(image.astype(np.uint8), INSIDE).astype(float)
    np.testing.assert_allclose(made[:, INSIDE].mean(axis=1), made[:, near].mean(axis=1), atol=1.5)
    np.testing.assert_array_equal(made[:, ~INSIDE], image[:, ~INSIDE])
    assert not (near & INSIDE).any()
    assert 0.5 < near.sum() / (1.25 * INSIDE.sum()) < 1.5, "a ring of half a radius has 1.25 times the area"


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
    task = harmonization(DATA, judge=JUDGE)
    pixels, paste = (scores(runner.run(name, task, options)) for name in ("pixels:size=32", "paste"))
    for metric in ("mse", "fmse", "bmse", "seam-ratio", "content"):
        assert pixels[metric] == pytest.approx(paste[metric])
    assert pixels["bmse"] == pixels["fmse[clean]"] == 0
    assert "fmse[clean]" not in paste
    area = np.mean([region(row, 32).mean() for row in range(8)])
    assert 0 < pixels["mse"] < pixels["fmse"] * 2 * area


def test_the_answer_is_judged_inside_and_its_seam_against_the_given_image(options):
    task = harmonization(DATA, judge=JUDGE)
    result = runner.run("pixels:size=8", task, options)
    records = files.load_records(files.path_of(result, options.results), result)
    subject, clean = build("extractor", "pixels:size=8"), Renders("tiny", count=8, size=32).pixels()
    step = resize_step("crop-bilinear")
    expected = {"fmse": [], "bmse": [], "seam": []}
    for row, image in enumerate(clean):
        given, inside = composite(image, row), region(row, 32)
        small = step.apply(np.ascontiguousarray(given.transpose(1, 2, 0)), (8, 8)).transpose(2, 0, 1)
        answer = at_size(subject.decode(subject.extract(small[None])), 32)[0]
        squared = np.square((answer.astype(float) - image) / 127.5).mean(axis=0)
        expected["fmse"].append(squared[inside].mean())
        expected["bmse"].append(squared[~inside].mean())
        expected["seam"].append(seam_step(np.where(inside, answer, given), inside))
    found = scores(result)
    assert found["fmse"] == pytest.approx(np.mean(expected["fmse"]))
    assert found["bmse"] == pytest.approx(np.mean(expected["bmse"]))
    true = sum(seam_step(image, region(row, 32)) for row, image in enumerate(clean))
    assert found["seam-ratio"] == pytest.approx(sum(expected["seam"]) / true)
    assert (task.units(records).kind, task.units(records).count) == ("images", 8)


def test_methods_without_a_network_are_rows_and_blurring_softens_the_seam(options):
    pytest.importorskip("cv2")
    task = harmonization(DATA, judge=JUDGE)
    results = runner.run_pairs(["pixels:size=8"], [task], options, references=True)
    table = table_of_results(task, results, options.results)
    rows = {row.system: {metric.metric: metric.value for metric in row.metrics} for row in table.rows}
    assert set(rows) == {"pixels:size=8", "pixels:size=16", "paste", "reinhard", "poisson", "blur"}
    assert table.main.name == "fmse"
    assert rows["poisson"]["fmse"] < rows["paste"]["fmse"]
    assert rows["blur"]["seam-ratio"] < rows["paste"]["seam-ratio"]
    assert rows["paste"]["bmse"] == rows["poisson"]["bmse"] == 0
    assert runner.run("paste", task, options, limit=3).counts.units == 3


def test_it_keeps_the_contract_and_is_found_by_name(options):
    task = harmonization(DATA, judge=JUDGE)
    assert isinstance(task, Task)
    assert task.name == (
        "harmonization:dataset=renders,dataset.count=8,dataset.generator=tiny,judge=thumbnail,judge.size=8"
    )
    assert build("task", task.name).protocol() == json.loads(json.dumps(task.protocol()))
    assert harmonization().name == "harmonization"
    check_task(task)


@pytest.mark.parametrize("given", [{"dataset": "nothing"}, {"dataset": "imagefolder"}, {"size": 4}])
def test_options_that_do_not_fit_are_refused(given):
    with pytest.raises(UsageError):
        harmonization(**given)
