"""`ghbench doctor` lists what killed processes left, and not the user's own files."""

from __future__ import annotations

import numpy as np
import pytest

from ghbench.cli import doctor
from ghbench.cli.licences import licences
from ghbench.data.array_images import ArrayImages
from ghbench.errors import MissingError
from ghbench.extractor import ExtractorSpec, Level, Preprocessing, TrainingRecord
from ghbench.running.fast_paths import compare_fast_paths


def test_leftovers_of_killed_processes_are_listed(tmp_path, monkeypatch, capsys):
    for name in ("home", "cache"):
        monkeypatch.setenv(f"GHBENCH_{name.upper()}", str(tmp_path / name))
    monkeypatch.delenv("GHBENCH_DATA", raising=False)
    left = [
        tmp_path / "home/results/orl/.pixels-32b827f9.json.77-0123abcd.tmp",
        tmp_path / "home/imported/.mine.making/a.npy",
        tmp_path / "cache/features/.pixels-orl.ab12.removed/a/shard-00000.npy",
        tmp_path / "cache/assets/.making/orl-faces/container/x.zip",
    ]
    others = [tmp_path / "home/datasets/.a.jpg.77-0123abcd.tmp", tmp_path / "home/results/orl/pixels-32b827f9.json"]
    for path in (*left, *others):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    doctor._leftovers()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(left)
    for path in left:
        assert any(str(path).startswith(line.split()[1].rstrip(":")) for line in lines)


class Extractor:
    """Mean colours; `drift` adds to them what depends on the batch, too little for the checks of a run."""

    drift = 0.0

    def spec(self):
        return ExtractorSpec(
            name="means", version="1", levels=(Level("colour", 3), Level("none", 2)), default_levels=("colour",),
            preprocessing=Preprocessing(size=(8, 8)), weights_digest="0" * 64, training=TrainingRecord(),
            licence="ours",
        )  # fmt: skip

    def extract(self, images):
        colours = images.astype(np.float64).mean(axis=(2, 3)) - 127 + [0.0, 0.0, self.drift * np.log(len(images))]
        return {"colour": colours.astype(np.float32), "none": np.zeros((len(images), 2), np.float32)}


def test_fast_ways_are_compared_with_single_images():
    pixels = np.random.default_rng(0).integers(0, 256, (10, 3, 8, 8), dtype=np.uint8)
    found = {one.way: one for one in compare_fast_paths(Extractor(), ArrayImages(pixels, "noise"))}
    assert set(found) == {"batches of 8", "batches of 32", "stored as float16", "stored as int8"}
    assert all(one.same and one.used for one in found.values())
    assert found["batches of 8"].cosine == pytest.approx(1, abs=1e-12)
    assert found["batches of 8"].error == 0
    assert 1e-4 < found["stored as int8"].error < 1 / 250
    drifting = Extractor()
    drifting.drift = 0.07
    assert not any(one.same for one in compare_fast_paths(drifting, ArrayImages(pixels, "noise")) if "batch" in one.way)


def test_the_reference_of_a_rearranged_network_is_the_network_as_it_is_defined():
    class Folded(Extractor):
        def plain(self):
            return Extractor()

    pixels = np.random.default_rng(0).integers(0, 256, (10, 3, 8, 8), dtype=np.uint8)
    way = "batch norms folded, channels last"
    folded = Folded()
    assert compare_fast_paths(folded, ArrayImages(pixels, "noise"))[0].way == way
    folded.extract = lambda images: {
        level: values * [1, 0.5, 1][: values.shape[1]] for level, values in Extractor().extract(images).items()
    }
    spoiled = compare_fast_paths(folded, ArrayImages(pixels, "noise"))
    assert not spoiled[0].same, "single images too, where nothing else differs"


def test_precision_asks_for_real_faces_and_exits_with_the_verdict(orl, monkeypatch, capsys):
    with pytest.raises(SystemExit) as left:
        doctor.doctor(precision="thumbnail", images=4)
    assert left.value.code == 0
    assert capsys.readouterr().out.splitlines()[0].split()[0] == "WAY"

    def missing(*_):
        raise MissingError("no faces", fix="ghbench assets fetch orl-faces")

    monkeypatch.setattr("ghbench.registry.build", missing)
    with pytest.raises(MissingError):
        doctor.doctor(precision="thumbnail", images=4)


def test_licences_are_those_that_packages_state():
    found = licences()
    assert {"numpy", "torch", "requests", "urllib3"} <= {name.lower() for name in found}
    assert "BSD" in found["numpy"][1]
    assert "Apache" in found["requests"][1]
