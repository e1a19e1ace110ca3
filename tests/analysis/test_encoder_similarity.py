"""Comparing two encoders: features come from the store, people are left out together, tables and heat maps."""

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from ghbench.analysis import compare_encoders
from ghbench.cli import app
from ghbench.errors import UsageError
from ghbench.extraction import engine


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def folder(tmp_path):
    """Thirty images, one of them twice."""
    rng, place = np.random.default_rng(0), tmp_path / "images"
    place.mkdir()
    for number in range(30):
        Image.fromarray(rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)).save(place / f"{number:02d}.png")
    (place / "30.png").write_bytes((place / "07.png").read_bytes())
    return str(place)


def test_levels_are_compared_and_repeated_images_left_out(folder):
    found = compare_encoders("thumbnail:size=4", "pixels:size=8", folder, neighbours=5)
    assert (found.images, found.unit) == (30, "30 images in 30 groups")
    assert found.notes == ("1 repeated images left out",)
    assert [row.measure for row in found.rows] == ["cka", "rsa-spearman", "mutual-knn"]
    for row in found.rows:
        assert row.low < row.value < row.high
        assert row.null_high < row.value
    knn = found.rows[-1]
    assert knn.null == pytest.approx(5 / 29, abs=0.03)


def test_the_same_features_are_alike_in_every_way(folder):
    for row in compare_encoders("pixels:size=8", "pixels:size=8", folder, ["cka", "mutual-knn"]).rows:
        assert row.value == pytest.approx(1)


def test_nothing_is_encoded_twice(folder, monkeypatch):
    first = compare_encoders("thumbnail:size=4", "pixels:size=8", folder, ["cka"])
    monkeypatch.setattr(engine, "ShardEncoder", None)
    assert compare_encoders("thumbnail:size=4", "pixels:size=8", folder, ["cka"]) == first


def test_people_are_left_out_together(lfw_tree):
    found = compare_encoders("thumbnail:size=4", "pixels:size=8", f"lfw:root={lfw_tree}", ["cka"])
    assert found.unit == "4 people in 4 groups"


def test_what_means_nothing_is_refused(folder):
    for arguments in (("pixels:policy=vote", "pixels", folder), ("pixels", "pixels", folder, ["cca"])):
        with pytest.raises(UsageError):
            compare_encoders(*arguments)


def test_the_verb_prints_csv_and_json_and_draws_a_heat_map(folder, tmp_path):
    pytest.importorskip("matplotlib", reason="the heat map is drawn by matplotlib")
    base = [
        "similarity",
        "thumbnail:size=4",
        "pixels:size=8",
        "--data",
        folder,
        "--measure",
        "cka,mutual-knn",
        "-k",
        "5",
    ]
    images = [tmp_path / name for name in ("one.svg", "two.svg")]
    for image in images:
        printed = CliRunner().invoke(app, [*base, "--format", "csv", "--out", str(image)])
        assert printed.exit_code == 0, printed.output
    assert images[0].read_bytes() == images[1].read_bytes()
    rows = list(csv.DictReader(io.StringIO(printed.stdout)))
    content = json.loads(CliRunner().invoke(app, [*base, "--format", "json"]).stdout)
    assert [float(row["value"]) for row in rows] == [row["value"] for row in content["rows"]]
    assert "mutual-knn" in CliRunner().invoke(app, base).stdout
    refused = CliRunner().invoke(app, [*base, "--out", str(tmp_path / "map.pdf")])
    assert isinstance(refused.exception, UsageError)
