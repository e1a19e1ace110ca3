"""Reconstruction on pictures of the tiny generator and of folders: what is compared, with what beside it."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from ghbench_tasks.pictures import references as picture_references
from ghbench_tasks.pictures.reconstruction import ReconstructionTask, reconstruction
from ghbench_tasks.pictures.references import nearest
from ghbench_tasks.pictures.sources import PictureSource
from PIL import Image

from ghbench.data.imagefolder import ImageFolder
from ghbench.errors import ProtocolError, UsageError
from ghbench.extraction import ExtractionOptions
from ghbench.ghfeat.editing.inversion import Inversion, Inversions
from ghbench.metrics.image import mse, psnr
from ghbench.registry import build
from ghbench.results import files, statistics
from ghbench.running import runner
from ghbench.store import FeatureStore
from ghbench.tables import table_of_results
from ghbench.task import Task
from ghbench.testing import pictures

TINY = {"generator": "tiny", "size": 32, "count": 12, "training": 5, "judge": "thumbnail:size=8"}


@pytest.fixture
def options(tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path / "cache"))
    return runner.RunOptions(
        store=FeatureStore(tmp_path / "store"),
        results=tmp_path / "results",
        extraction=ExtractionOptions(workers=0, device="cpu"),
    )


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "pictures").mkdir()
    for row, picture in enumerate(pictures((20, 20), count=6)):
        Image.fromarray(picture.transpose(1, 2, 0)).save(tmp_path / "pictures" / f"{row}.png")
    return tmp_path / "pictures"


def values(result):
    return {metric.metric: metric.value for metric in result.metrics}


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({}, "reconstruction"),
        ({"on": "orl"}, "reconstruction:on=orl"),
        ({"psi": 0.7, "mixed": 1.0, "size": 64}, "reconstruction:mixed=1,psi=0.7,size=64"),
        (TINY, "reconstruction:count=12,generator=tiny,judge=thumbnail:size=8,size=32,training=5"),
    ],
)
def test_tasks_bear_their_canonical_name_and_describe_themselves_without_pictures(given, name):
    task = reconstruction(**given)
    assert isinstance(task, Task)
    assert task.name == name
    again = build("task", name)
    assert (again.name, again.protocol()) == (name, task.protocol())
    assert json.loads(json.dumps(task.protocol())) == task.protocol()


def test_pixels_at_the_targets_size_come_back_whole(options):
    result = runner.run("pixels:size=32", reconstruction(**TINY), options)
    found = values(result)
    assert (found["mse"], found["ssim"], found["perceptual[thumbnail]"]) == (0, pytest.approx(1), 0)
    assert found["psnr"] is None, "infinite"
    assert result.metric("mse").ci == (0, 0)
    assert result.metric("mse").ci_method.startswith("95 % percentile bootstrap over pictures")


def test_a_thumbnail_loses_more_the_smaller_it_is_and_less_than_a_constant(options):
    task = reconstruction(**TINY)
    small, large = (values(runner.run(f"pixels:size={size}", task, options)) for size in (8, 16))
    assert 0 < large["mse"] < small["mse"] < small["mse[mean-image]"]
    assert large["ssim"] > small["ssim"] > small["ssim[mean-image]"]
    assert large["psnr"] > small["psnr"]


def test_the_rows_of_reference_run_and_rank(options):
    task = reconstruction(**TINY)
    results = [runner.run(reference, task, options) for reference in task.references]
    assert [result.extractor.spec_string for result in results] == list(task.references)
    assert task.references[2].startswith("eigenfaces:colour=true,components=29,fit=renders,fit.count=30,fit.first=0")
    table = table_of_results(task, results, options.results)
    assert table.rows[0].system == "pixels:size=16"
    assert [row.standing for row in table.rows].count("untrained") == 2
    assert table.notes == ()


def test_references_stand_beside_each_result_and_are_what_they_are_called(options):
    task = reconstruction(**TINY)
    result = runner.run("pixels:size=16", task, options)
    found = values(result)
    seen, training = (
        build("dataset", f"renders:generator=tiny,size=32,{which}") for which in ("count=12", "count=5,first=0")
    )
    targets, others = (dataset.pixels() / 127.5 - 1 for dataset in (seen, training))
    each = np.stack([mse(targets, np.broadcast_to(one, targets.shape)) for one in others])
    assert found["mse[nearest-training]"] == pytest.approx(each.min(axis=0).mean())
    mean = np.broadcast_to(np.round((others.mean(axis=0) + 1) * 127.5) / 127.5 - 1, targets.shape)
    assert found["mse[mean-image]"] == pytest.approx(mse(targets, mean).mean(), rel=1e-6)
    assert found["psnr[mean-image]"] == pytest.approx(psnr(targets, mean).mean(), rel=1e-6)
    assert "mse[g-mean-w]" in found
    assert "mse[head]" not in found
    assert "head left out: the generator has no head of this size" in result.warnings


def test_inversion_stands_beside_results_once_it_was_computed(options, monkeypatch):
    monkeypatch.setattr(picture_references, "inverting_generator", lambda _source: "tiny")
    monkeypatch.setattr(picture_references, "INVERTED", 4)
    before = runner.run("pixels:size=8", reconstruction(**TINY), options)
    assert any(note.startswith("inversion left out: not computed yet") for note in before.warnings)
    targets = build("dataset", "renders:generator=tiny,size=32,count=12").pixels()
    monkeypatch.setattr(picture_references, "INVERSION_STEPS", 3)
    Inversions(Inversion("tiny", steps=3, precision="bfloat16")).make(targets[:4])
    result = runner.run("pixels:size=8", reconstruction(**TINY), replace(options, overwrite=True))
    records = files.load_records(files.path_of(result, options.results), result)
    found = values(result)
    shown = Inversions(Inversion("tiny", steps=3, precision="bfloat16")).read(targets[:4])
    expected = mse(targets[:4] / 127.5 - 1, shown / 127.5 - 1).mean()
    assert found["mse[inversion]"] == pytest.approx(expected)
    assert found["mse.as-inverted"] == pytest.approx(records["mse"][:4].mean())
    assert found["mse"] == pytest.approx(records["mse"].mean())
    low, high = result.metric("mse.as-inverted").ci
    assert low < found["mse.as-inverted"] < high
    assert {"psnr.as-inverted", "ssim.as-inverted", "psnr[inversion]", "ssim[inversion]"} <= set(found)


def test_of_few_pictures_there_is_no_kernel_distance_and_the_result_says_why(options):
    result = runner.run("pixels:size=8", reconstruction(**TINY), options)
    assert not any(name.startswith("kid") for name in values(result))
    assert any(
        note.startswith("kid[thumbnail] left out: 6 and 6 images; it needs 100 in both sets")
        for note in result.warnings
    )
    assert "code-r2 left out: pixels predicts no codes" in result.warnings


def test_of_enough_pictures_the_kernel_distance_has_its_error_and_its_floor(options):
    task = reconstruction(**{**TINY, "count": 240})
    found = runner.run("pixels:size=4", task, options)
    kid, floor = found.metric("kid[thumbnail]"), found.metric("kid[thumbnail].floor")
    assert kid.standard_error > 0
    assert kid.ci is None
    assert abs(floor.value) < 4 * floor.standard_error


def test_a_judge_that_shaped_the_extractor_is_refused(options):
    with pytest.raises(ProtocolError, match="cannot also judge"):
        runner.run("pixels:size=8", reconstruction(**{**TINY, "judge": "pixels:size=8"}), options)


def test_what_cannot_be_decoded_is_refused(options):
    with pytest.raises(UsageError, match="needs the ability Decoder"):
        runner.run("random-projection", reconstruction(**TINY), options)
    with pytest.raises(UsageError, match="not decoded by policy 'vote'"):
        runner.run("pixels:size=8,policy=vote", reconstruction(**TINY), options)


def test_all_extractors_see_the_frame_that_the_task_sets(options, folder):
    task = reconstruction(on="imagefolder", path=folder, size=16, judge="thumbnail:size=8", align="tight")
    pytest.importorskip("dlib")
    assert runner.run("pixels:size=16", task, options).align["name"] == "tight"
    with pytest.raises(UsageError, match="aligns its pictures by 'tight'"):
        runner.run("pixels:size=16", task, options, align="none")


def test_a_folder_has_its_own_mean_and_nothing_else_beside_it(options, folder):
    result = runner.run(
        "pixels:size=16", reconstruction(on="imagefolder", path=folder, size=16, judge="thumbnail:size=8"), options
    )
    beside = {name for name in values(result) if name.startswith("mse[")}
    assert beside == {"mse[mean-image]"}
    assert {note.partition(" left out")[0] for note in result.warnings} >= {"nearest-training", "g-mean-w", "head"}


def test_replicates_are_what_score_gives_for_the_weights_of_each_draw(options):
    task = reconstruction(**TINY)
    runner.run("pixels:size=8", task, options)
    records = pd.read_parquet(next(options.results.rglob("*.parquet")))
    # Two pictures a person, one without a face.
    records["unit"] = records["row"] // 2 + 3
    records["same-person[dlib-face]"] = [np.nan, *[1.0, 0.0] * 5, 1.0]
    records["code-error:r8"], records["code-spread:r8"] = records["mse"], 2.0
    units = task.units(records)
    assert units.count == 6
    counts = statistics.multiplicities(units.count, draws=7)
    draws = task.score_replicates(records, counts)
    for row, count in enumerate(counts):
        for score in task.score(records, units.weights(count)):
            assert draws[score.metric, None][row] == pytest.approx(score.value)
    plain = {score.metric: score.value for score in task.score(records)}
    assert plain["same-person[dlib-face]"] == pytest.approx(6 / 11)
    assert plain["code-r2[r8]"] == pytest.approx(1 - records["mse"].mean() / 2)
    assert set(task.score_replicates(records, counts, ["mse"])) == {("mse", None)}


def test_people_are_what_is_resampled_where_pictures_say_who_they_show(options, tmp_path):
    for row, picture in enumerate(pictures((20, 20), count=6)):
        (tmp_path / "people" / "abb"[row // 2]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture.transpose(1, 2, 0)).save(tmp_path / "people" / "abb"[row // 2] / f"{row}.png")
    source = PictureSource("people", 16, "none", lambda: ImageFolder(tmp_path / "people"), faces=False, by_person=True)
    result = runner.run("pixels:size=8", ReconstructionTask("people", source, "thumbnail:size=8"), options)
    assert (result.counts.unit, result.counts.units, result.counts.records) == ("people", 2, 6)
    assert "over people" in result.metric("mse").ci_method


def test_the_nearest_picture_is_that_of_the_smallest_error():
    training = pictures((8, 8), count=9)
    noisy = np.clip(training[[4, 0, 7]].astype(int) + 3, 0, 255).astype(np.uint8)
    assert nearest(noisy, training).tolist() == [4, 0, 7]
    grey = np.repeat(training[:, :1], 3, axis=1)
    assert nearest(grey[[2, 2]], grey).tolist() == [2, 2]


@pytest.mark.parametrize(
    "given",
    [
        {"on": "faces"},
        {"on": "orl", "psi": 0.7},
        {"on": "imagefolder"},
        {"on": "fashion-mnist", "size": 64},
        {"size": 8},
        {"count": 0},
        {"align": "ffhq"},
    ],
)
def test_options_that_do_not_fit_are_refused(given):
    with pytest.raises(UsageError):
        reconstruction(**given)


def test_fashion_is_flagged_not_refused_because_its_training_split_is_there_to_learn_from():
    task = reconstruction(on="fashion-mnist")
    assert isinstance(task, ReconstructionTask)
    assert (task.protocol()["training_overlap"], task.protocol()["size"]) == ("flag", 32)
    assert reconstruction(on="orl").protocol()["training_overlap"] == "refuse"
