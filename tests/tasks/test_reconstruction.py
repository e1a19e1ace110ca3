"""Reconstruction of small renders and folders: what is compared, which rows of reference stand beside it."""

import json
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from ghbench_tasks.pictures import constants
from ghbench_tasks.pictures.constants import nearest
from ghbench_tasks.pictures.decoding import decoded
from ghbench_tasks.pictures.judges import FaceJudge
from ghbench_tasks.pictures.reconstruction import FIRST, reconstruction
from ghbench_tasks.pictures.source import image_source, images_of
from PIL import Image

from ghbench.data.array_images import ArrayImages
from ghbench.data.framed import Framed
from ghbench.data.renders import Renders
from ghbench.data.subset import first_rows
from ghbench.dataset import Target
from ghbench.errors import MissingError, ProtocolError, UsageError
from ghbench.extraction import ExtractionOptions
from ghbench.ghfeat.editing.inversion import Inversions
from ghbench.imaging.alignment import Prepared
from ghbench.metrics.image import mse
from ghbench.metrics.ratios import item_records, merged, set_record
from ghbench.progress import silent
from ghbench.registry import build
from ghbench.results import files
from ghbench.running import runner
from ghbench.store import FeatureStore
from ghbench.tables import table_of_results
from ghbench.task import Task
from ghbench.testing import check_task, pictures

RENDERS = "renders:generator=tiny,count={}"
JUDGE = "thumbnail:size=8"


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Networks this small only wait for each other's threads."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


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
    """Six images of two people, each in a split for training and one for testing."""
    for row, image in enumerate(pictures((20, 20), count=6)):
        place = tmp_path / "images" / ("train", "test")[row % 2] / "abb"[row // 2]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.transpose(1, 2, 0)).save(place / f"{row}.png")
    return tmp_path / "images"


def tiny(count=12, **given):
    return reconstruction(RENDERS.format(count), **{"judge": JUDGE, "training": 5, **given})


def values(result):
    return {metric.metric: metric.value for metric in result.metrics}


def errors(first, second):
    return mse(first / 127.5 - 1, np.broadcast_to(second, first.shape) / 127.5 - 1)


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({}, "reconstruction"),
        ({"dataset": "renders:psi=1,count=500"}, "reconstruction"),
        ({"dataset": "orl", "size": 128, "align": "ffhq"}, "reconstruction:dataset=orl"),
        (
            {"dataset": "renders:psi=0.7", "size": 64, "training": 9},
            "reconstruction:dataset=renders,dataset.psi=0.7,size=64,training=9",
        ),
        (
            {"dataset": RENDERS.format(12), "judge": JUDGE},
            "reconstruction:dataset=renders,dataset.count=12,dataset.generator=tiny,judge=thumbnail,judge.size=8",
        ),
    ],
)
def test_tasks_bear_their_canonical_name_and_describe_themselves_without_images(given, name):
    task = reconstruction(**given)
    assert isinstance(task, Task)
    assert task.name == name
    again = build("task", name)
    assert (again.name, again.protocol()) == (name, task.protocol())
    assert json.loads(json.dumps(task.protocol())) == task.protocol()


def test_it_keeps_the_contract(options, folder):
    check_task(tiny())
    check_task(reconstruction(f"imagefolder:path={folder}", size=16, judge=JUDGE))


def test_pixels_at_the_targets_size_come_back_whole(options):
    result = runner.run("pixels:size=32", tiny(), options)
    found = values(result)
    assert (found["mse"], found["ssim"], found["perceptual"]) == (0, pytest.approx(1), 0)
    assert found["psnr"] is None, "infinite"
    assert "code-r2" not in found, "it predicts no codes"


def test_psnr_is_that_of_the_mean_error_so_that_one_exact_image_does_not_make_it_infinite(options):
    result = runner.run("pixels:size=8", tiny(), options)
    records = files.load_records(files.path_of(result, options.results), result)
    errors = records[records["metric"] == "mse"]["above"]
    assert values(result)["psnr"] == pytest.approx(10 * np.log10(4 / errors.mean()))
    task, units = tiny(), tiny().units(records)
    exact = records.assign(above=np.where(records["row"] == 0, 0.0, records["above"]))
    found = {score.metric: score.value for score in task.score(exact)}
    assert np.isfinite(found["psnr"])
    draws = task.score_replicates(exact, np.ones((1, units.count)), ["psnr"])
    assert draws["psnr", None] == pytest.approx(found["psnr"])


def test_the_reference_rows_run_and_rank_beside_a_system(options):
    task = tiny()
    results = runner.run_pairs(["pixels:size=32"], [task], options, references=True)
    table = table_of_results(task, results, options.results)
    rows = {row.system: row for row in table.rows}
    assert set(rows) == {"pixels:size=32", *(reference.name for reference in task.references)}
    assert {rows[name].what for name in ("pixels:size=8", "nearest-training")} == {
        "8x8 thumbnail",
        "nearest training image",
    }
    assert next(row.what for row in table.rows if row.system.startswith("eigenfaces")) == "PCA of 29 numbers"
    mse_of = {name: row.metric("mse").value for name, row in rows.items()}
    assert 0 == mse_of["pixels:size=32"] < mse_of["pixels:size=16"] < mse_of["pixels:size=8"] < mse_of["mean-image"]
    assert rows["pixels:size=8"].standing == rows["mean-image"].standing == "floor"


def test_constants_are_what_they_are_called(options):
    task, found = tiny(), {}
    for name in ("mean-image", "nearest-training", "g-mean-w"):
        found[name] = values(runner.run(name, task, options))["mse"]
    targets = Renders("tiny", count=12, size=32).pixels()
    others = Renders("tiny", count=5, first=0, size=32).pixels()
    each = np.stack([errors(targets, one) for one in others])
    assert found["nearest-training"] == pytest.approx(each.min(axis=0).mean())
    assert found["mean-image"] == pytest.approx(errors(targets, np.round(others.mean(axis=0))).mean())
    mean_w = Renders("tiny", count=1, psi=0.0, size=32).pixels()
    assert found["g-mean-w"] == pytest.approx(errors(targets, mean_w).mean())
    spec = task.constant("nearest-training").spec()
    assert (spec.training.datasets, spec.name) == (("renders-train",), "nearest-training")
    assert task.constant("pixels:size=8") is None


def test_another_person_is_never_the_same_one():
    class Labelled:
        def __init__(self, people):
            self.targets = {"label": Target("label", np.array(people), "class", "abcd")}

    source = image_source("orl")
    for people in ([0, 1, 2, 3], [3, 0, 0, 1, 2, 1], [0, 1]):
        source.__dict__["dataset"] = data = Labelled(people)
        answer = constants._random_person(source).answer
        images = np.arange(len(people), dtype=np.uint8).reshape(-1, 1, 1, 1)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(constants, "Subset", lambda whole, rows, data=data: data)
            context = type("Context", (), {"rng": lambda self, *stream: np.random.default_rng(stream)})()
            shown = answer(images, range(len(people)), context).ravel()
        assert sorted(shown) == list(range(len(people)))
        assert all(people[one] != people[other] for one, other in enumerate(shown))


def test_inversion_is_computed_when_its_row_runs_and_compared_on_its_images_alone(options, monkeypatch):
    monkeypatch.setattr("ghbench_tasks.pictures.constants.headed_generator", lambda _source: "tiny")
    monkeypatch.setattr("ghbench_tasks.pictures.reconstruction.inverting_generator", lambda _source: "tiny")
    for module in ("constants", "reconstruction"):
        monkeypatch.setattr(sys.modules[f"ghbench_tasks.pictures.{module}"], "INVERTED", 4)
    monkeypatch.setattr(constants, "INVERSION_STEPS", 3)
    # Of the tiny generator, which the task inverts nothing of by itself.
    monkeypatch.setattr(constants, "inverting_generator", lambda _source: "tiny")
    task, told = tiny(6), []
    watched = replace(options.extraction, progress=lambda *report: told.append(report))
    result = runner.run("inversion", task, replace(options, extraction=watched))
    shown = constants.inversions("tiny").read(Renders("tiny", count=4, size=32).pixels())
    targets = Renders("tiny", count=6, size=32).pixels()
    assert values(result) == {FIRST: pytest.approx(errors(targets[:4], shown).mean())}
    assert (result.counts.units, result.status) == (6, "complete")
    assert (0, 4, "inversion by optimisation, about 10 minutes on two cores") in told
    monkeypatch.setattr(Inversions, "make", lambda *_, **__: pytest.fail("made again"))
    monkeypatch.setattr(Inversions, "missing", lambda *_: [])
    pixels = runner.run("pixels:size=8", task, options)
    records = files.load_records(files.path_of(pixels, options.results), pixels)
    own = records[records["metric"] == "mse"]["above"]
    assert values(pixels)[FIRST] == pytest.approx(own[:4].mean())
    assert values(pixels)["mse"] == pytest.approx(own.mean())


def test_of_few_images_there_is_no_kernel_distance_and_the_result_says_why(options):
    result = runner.run("pixels:size=8", tiny(), options)
    assert "kid" not in values(result)
    assert "no kid: 6 and 6 images; it needs 100 in both sets" in result.warnings


def test_of_enough_images_the_kernel_distance_has_its_error_and_its_floor(options, monkeypatch):
    noise = np.random.default_rng(0).integers(0, 256, (240, 3, 32, 32), dtype=np.uint8)
    monkeypatch.setattr(Renders, "draw", lambda *_: None)
    monkeypatch.setattr(Renders, "pixels", lambda self, rows: noise[list(rows)])
    result = runner.run("pixels:size=4", tiny(240), options)
    kid = result.metric("kid")
    assert kid.standard_error > 0
    assert kid.interval is None
    assert any(note.startswith("kid between the two halves of the images themselves") for note in result.warnings)


def test_a_limit_draws_and_decodes_no_more_than_it_names(options, monkeypatch):
    drawn = []
    monkeypatch.setattr(Renders, "draw", lambda self, rows, progress: drawn.extend(rows))
    monkeypatch.setattr(Renders, "pixels", lambda self, rows=None: np.full((len(rows), 3, 32, 32), rows[0], np.uint8))
    result = runner.run("pixels:size=8", tiny(500), replace(options, limit=3))
    assert set(drawn) == {0, 1, 2}
    assert (result.counts.units, result.status) == (3, "partial")


def test_decoding_goes_in_the_contexts_batches_and_reports_from_the_start(options):
    class Context:
        batch_size, told = 2, []

        def progress(self, *report):
            self.told.append(report)

        def on_device(self, subject):
            return subject

    subject, context = build("extractor", "pixels:size=16"), Context()
    features = {"pixels": np.zeros((5, 3 * 16**2), np.float32)}
    inputs = type("Inputs", (), {"context": context, "subject": subject, "spec": subject.spec(), "levels": ("pixels",)})
    assert decoded(inputs, features, 32).shape == (5, 3, 32, 32)
    assert [report[:2] for report in context.told] == [(0, 5), (2, 5), (4, 5), (5, 5)]


def test_a_judge_that_shaped_the_extractor_is_refused(options):
    with pytest.raises(ProtocolError, match="cannot also judge"):
        runner.run("pixels:size=8", tiny(judge="pixels:size=8"), options)


def test_what_cannot_be_decoded_is_refused(options):
    with pytest.raises(UsageError, match="needs the ability Decoder"):
        runner.run("random-projection", tiny(), options)
    with pytest.raises(UsageError, match="by policy 'vote'"):
        runner.run("pixels:size=8,policy=vote", tiny(), options)


def test_what_is_missing_here_is_lacking_with_a_fix_and_found_again_later(options, monkeypatch):
    task = tiny()
    task.__dict__["_judge"] = judge = build("task", task.name)._judge
    missing = MissingError("weights are not here", fix="ghbench assets fetch w")
    monkeypatch.setattr(judge, "encoder", type("Absent", (), {"extract": lambda self, images: _raise(missing)})())
    result = runner.run("pixels:size=8", task, options)
    assert result.status == "incomplete"
    assert [(one.what, one.fix) for one in result.missing] == [("perceptual, kid", "ghbench assets fetch w")]
    assert "perceptual" not in values(result)
    monkeypatch.undo()
    monkeypatch.setenv("GHBENCH_CACHE", str(options.results.parent / "cache"))
    assert "perceptual" in values(runner.run("pixels:size=8", tiny(), options))


def _raise(error):
    raise error


def test_any_dataset_is_seen_in_one_frame_on_its_split_for_tests(options, folder):
    task = reconstruction(f"imagefolder:path={folder}", size=16, judge=JUDGE)
    assert [reference.name for reference in task.references] == [
        "pixels:size=8",
        "pixels:size=16",
        "mean-image",
        "nearest-training",
    ]
    result = runner.run("nearest-training", task, options)
    assert (result.counts.unit, result.counts.units) == ("images", 3)
    whole = task.source.dataset
    test, train = (np.stack([whole.framed(row).image for row in whole.splits[name]]) for name in ("test", "train"))
    each = np.stack([errors(test, one) for one in train])
    assert values(result)["mse"] == pytest.approx(each.min(axis=0).mean())
    with pytest.raises(UsageError, match="'none'"):
        runner.run("pixels:size=16", task, options, align="tight")


def test_without_training_images_the_mean_is_that_of_the_evaluated_ones(options, folder):
    task = reconstruction(f"imagefolder:path={folder}", size=16, judge=JUDGE, training=0)
    assert "nearest-training" not in {reference.name for reference in task.references}
    targets, _ = images_of(first_rows(task.source.dataset, 6), silent)
    targets = targets[task.source.dataset.splits["test"]]
    expected = errors(targets, np.round(targets.mean(axis=0))).mean()
    assert values(runner.run("mean-image", task, options))["mse"] == pytest.approx(expected)


def test_a_frame_pads_and_resizes_and_is_known_by_the_image_in_it():
    whole = ArrayImages(np.full((2, 1, 28, 28), 200, np.uint8) - np.arange(2, dtype=np.uint8).reshape(2, 1, 1, 1), "a")
    framed = Framed(whole, 32, "none", padding=2)
    image = framed.image(0)
    assert image.shape == (32, 32, 3)
    assert (image[:2].max(), image[2:30, 2:30].min()) == (0, 200)
    assert framed.image_digests() == whole.image_digests()
    others = [Framed(whole, 32, "none"), Framed(whole, 16, "none", padding=2)]
    assert len({one.identities()[0] for one in (framed, *others)}) == 3
    assert len(set(framed.identities())) == 2


def test_what_was_aligned_is_kept_and_images_without_a_face_are_counted(options, monkeypatch):
    asked = []

    def found(image, preprocessing, align):
        asked.append(align)
        return Prepared(np.full((3, 16, 16), image[0, 0, 0]), np.eye(2, 3), bool(image[0, 0, 0] == 7))

    monkeypatch.setattr("ghbench.data.framed.prepare", found)
    source = image_source("orl", size=16)
    whole = ArrayImages(np.arange(6, 9, dtype=np.uint8).reshape(3, 1, 1, 1) + np.zeros((1, 1, 4, 4), np.uint8), "faces")
    source.__dict__["dataset"] = Framed(whole, 16, "tight")
    for _ in range(2):
        images, notes = images_of(source.dataset, silent, source)
        assert images[:, 0, 0, 0].tolist() == [6, 7, 8]
        assert notes == ("no face was found in 1 of 3 images; a fixed box stood in for it",)
    assert asked == ["tight"] * 3
    broken = next((options.results.parent / "cache" / "frames").iterdir())
    broken.write_bytes(broken.read_bytes()[:40])
    assert images_of(source.dataset, silent, source)[0][:, 0, 0, 0].tolist() == [6, 7, 8]
    assert len(asked) == 4


def test_known_datasets_have_their_frame_and_their_unit():
    fashion, orl, default = reconstruction("fashion-mnist"), reconstruction("orl"), reconstruction()
    assert (fashion.protocol()["training_overlap"], fashion.protocol()["size"]) == ("flag", 32)
    assert (orl.protocol()["training_overlap"], orl.protocol()["frame"]["align"]) == ("refuse", "ffhq")
    assert (fashion.unit, orl.unit) == ("images", "people")
    names = {task: {reference.name for reference in task.references} for task in (fashion, orl, default)}
    assert "random-person" in names[orl] - names[fashion]
    assert {metric.name for metric in orl.metrics} - {metric.name for metric in fashion.metrics} == {"same-person"}
    assert {"head", "inversion", "nearest-training"} <= names[default]
    assert "inversion" not in {reference.name for reference in reconstruction("renders:psi=0.7").references}
    assert [reference.what for reference in default.references if "PCA" in reference.what] == [
        f"PCA of {number} numbers" for number in ("64", "256", "512", "5,120")
    ]


def test_the_face_judge_counts_no_face_as_another_person():
    judge = FaceJudge(32)
    features = {
        "targets": np.array([[0.0, 1], [0.0, 1], [0.0, 1], [0.0, 0]]),
        "outputs": np.array([[0.5, 1], [0.7, 1], [0.0, 0], [0.0, 1]]),
    }
    context = type("Context", (), {"features": lambda self, judge, name: {"face": features[name]}})()
    np.testing.assert_array_equal(judge.same_person(context, "targets", "outputs"), [1, 0, 0, np.nan])


def test_the_nearest_image_is_that_of_the_smallest_error():
    training = pictures((8, 8), count=9)
    noisy = np.clip(training[[4, 0, 7]].astype(int) + 3, 0, 255).astype(np.uint8)
    assert nearest(noisy, training).tolist() == [4, 0, 7]
    grey = np.repeat(training[:, :1], 3, axis=1)
    assert nearest(grey[[2, 2]], grey).tolist() == [2, 2]


@pytest.mark.parametrize(
    "given",
    [
        {"dataset": "faces"},
        {"dataset": "orl:psi=0.7"},
        {"dataset": "imagefolder"},
        {"size": 8},
        {"training": -1},
        {"dataset": "orl", "training": 500},
        {"align": "upside-down"},
        {"judge": "nobody"},
    ],
)
def test_options_that_do_not_fit_are_refused(given):
    with pytest.raises(UsageError):
        reconstruction(**given).protocol()


def test_the_images_with_the_highest_error_are_told():
    rows = {"row": [4, 7, 9], "unit": [0, 1, 2]}
    tables = [item_records("mse", [0.1, 0.5, 0.2], **rows), item_records("ssim", [0.9, 0.1, 0.5], **rows)]
    (found,) = reconstruction("orl").errors(merged([*tables, set_record("kid", 0.1)]))
    assert (found.title, found.role, found.images.tolist()) == ("highest mse", "images", [[4], [7], [9]])
    assert found.error.tolist() == np.float32([0.1, 0.5, 0.2]).tolist()
