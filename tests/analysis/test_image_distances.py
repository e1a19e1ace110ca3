"""Distances between sets of images: folders, datasets and generators, their floor, intervals and warnings."""

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from ghbench.analysis import measure_distances
from ghbench.analysis.sources import load_images
from ghbench.cli import app
from ghbench.data.array_images import ArrayImages
from ghbench.data.renders import Renders
from ghbench.errors import MissingError, UsageError
from ghbench.metrics import frechet
from ghbench.metrics.precision_recall import precision_recall
from ghbench.seeds import RANGES

EXTRACTOR = "thumbnail:size=2"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path / "cache"))


def noise(seed, count=60, brightest=256):
    images = np.random.default_rng(seed).integers(0, brightest, (count, 3, 4, 4), dtype=np.uint8)
    return ArrayImages(images, f"noise-{seed}")


def rows(found):
    return {row.metric.partition("[")[0]: row for row in found.rows}


def test_numbers_are_those_of_the_metrics_on_the_features():
    one, two = noise(0, brightest=200), noise(1)
    found = measure_distances(one, two, EXTRACTOR, infinity=True)
    assert [row.metric for row in found.rows] == [
        f"{name}[thumbnail]" for name in ("fd", "kid", "precision", "recall", "density", "coverage", "fd-infinity")
    ]
    from ghbench.analysis.sources import concatenate_levels, encode

    first, second = (concatenate_levels(encode(EXTRACTOR, images)) for images in (one, two))
    by_name = rows(found)
    assert by_name["fd"].value == frechet.frechet_distance(first, second)
    assert by_name["kid"].value == frechet.kernel_distance(first, second)
    expected = precision_recall(second, first)
    assert {name: by_name[name].value for name in expected} == expected
    assert found.images == (60, 60)
    assert found.floor_images == (30, 30)
    assert by_name["kid"].low > by_name["kid"].floor  # darker noise is told from noise, halves of one are not
    assert by_name["kid"].low < by_name["kid"].value < by_name["kid"].high
    assert found.notes == ()


def test_intervals_of_the_kernel_distance_hold_zero_for_sets_of_one_kind():
    held = 0
    for seed in range(0, 40, 2):
        row = rows(measure_distances(noise(seed), noise(seed + 1), EXTRACTOR, ["kid"]))["kid"]
        held += row.low <= 0 <= row.high
    assert held >= 17


def test_the_resize_rule_and_its_filter_are_named():
    text = measure_distances(noise(0), noise(1), EXTRACTOR, ["kid"]).preprocessing
    assert "align none" in text
    assert "crop-bilinear version 1" in text
    assert "antialiased bilinear) to 2 x 2 px" in text


def test_warnings_of_rank_and_of_common_images():
    one = noise(0, count=10)
    found = measure_distances(one, noise(1, count=20), "pixels:size=4", ["fid"])
    assert any("no full rank" in note for note in found.notes)
    assert any("10 images are in both sets" in note for note in measure_distances(one, one, EXTRACTOR, ["kid"]).notes)


def test_a_generator_draws_as_many_images_from_the_seeds_of_its_purpose():
    judged, reference = load_images("stylegan2-fashion32", "test", 50), load_images("tiny", "metric-fitting")
    assert isinstance(judged, Renders)
    assert (judged.first, judged.count, judged.size) == (RANGES["test"].start, 50, 32)
    assert (reference.first, reference.count) == (RANGES["metric-fitting"].start, 1_000)
    assert not set(judged.identities()) & set(reference.identities())


def test_a_split_is_named_by_its_mark(tmp_path):
    for split, count in (("train", 3), ("test", 2)):
        (tmp_path / "all" / split).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (4, 4), (number, 0, 0)).save(tmp_path / "all" / split / f"{number}.png")
    name = f"imagefolder:path={tmp_path / 'all'}"
    assert len(load_images(name)) == 5
    assert list(load_images(f"{name}#test").ids) == ["test/0.png", "test/1.png"]
    with pytest.raises(UsageError, match="it has train, test"):
        load_images(f"{name}#val")
    with pytest.raises(MissingError, match="expected a folder"):
        load_images(str(tmp_path / "none"))


def test_the_verb_compares_a_generator_with_a_folder(tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for number, image in enumerate(noise(0, 16).images):
        Image.fromarray(image.transpose(1, 2, 0)).save(folder / f"{number}.png")
    base = ["distance", "tiny", str(folder), "-e", EXTRACTOR, "--metric", "fid,prdc"]
    done = CliRunner().invoke(app, base)
    assert done.exit_code == 0, done.output
    assert "tiny (16 images)" in done.stdout
    content = json.loads(CliRunner().invoke(app, [*base, "--format", "json"]).stdout)
    table = list(csv.DictReader(io.StringIO(CliRunner().invoke(app, [*base, "--format", "csv"]).stdout)))
    assert [float(row["value"]) for row in table] == [row["value"] for row in content["rows"]]
    assert content["images"] == [16, 16]
    with pytest.raises(UsageError, match="choose among"):
        measure_distances("tiny", str(folder), EXTRACTOR, ["inception-score"])
