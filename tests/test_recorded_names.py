"""No string in any file that ghbench reads can make it import or call anything but a registered plugin."""

import json
import struct
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from tiny_encoders import save_tiny_encoder

import ghbench
from ghbench.errors import UserError
from ghbench.generators import native
from ghbench.generators.loading import load_generator
from ghbench.generators.tiny import tiny_generator
from ghbench.ghfeat.extractor import Ghfeat
from ghbench.registry import build_recorded
from ghbench.results import scoring
from ghbench.spec_string import parse_recorded
from ghbench.store import FeatureKey, FeatureStore
from ghbench.store.imported import import_features, load_imported
from ghbench.tables import collect, compare, published_folder, rank_table
from ghbench.tables.rescore import differences
from ghbench.training.run_folder import RunFolder

CANARY = "from pathlib import Path\nPath({marker!r}).touch()\ndef touch(*_, **__): return None\n"


@pytest.fixture
def planted(tmp_path, monkeypatch):
    """Names that would execute a canary if they were taken for spec strings; the marker must never appear."""
    marker = tmp_path / "executed"
    (tmp_path / "canary_module.py").write_text(CANARY.format(marker=str(marker)))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    yield "canary_module:touch", "./canary_module.py:touch", f"{tmp_path}/canary_module.py:touch,key=1"
    assert not marker.exists(), "a name from a file was imported"


def variants(content, names):
    """The JSON value with one string after the other replaced by each name."""

    def places(value, path=()):
        if isinstance(value, str):
            yield path
        elif isinstance(value, dict | list):
            for key, part in value.items() if isinstance(value, dict) else enumerate(value):
                yield from places(part, (*path, key))

    for path in places(content):
        for name in names:
            changed = json.loads(json.dumps(content))
            inner = changed
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = name
            yield changed


def attempt(*actions):
    for action in actions:
        with suppress(UserError):
            action()


def rewritten_header(path, target, names):
    """Variants of a safetensors file whose metadata differ in one string."""
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    for about in variants(json.loads(header["__metadata__"]["ghbench"]), names):
        header["__metadata__"]["ghbench"] = json.dumps(about)
        text = json.dumps(header).encode()
        target.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + length :])
        yield target


@pytest.mark.parametrize("text", ["os:getpid", "./a.py:Net", "/x/a.py", "a.py", "~/a:b", "pixels:size=./a", "x:y=os:z"])
def test_recorded_names_are_plain(text):
    with pytest.raises(UserError):
        parse_recorded(text)
    with pytest.raises(UserError):
        build_recorded("extractor", text)


def test_recorded_names_reach_registered_plugins():
    assert build_recorded("extractor", "pixels:size=8").spec().name == "pixels"


def test_results(planted, tmp_path, monkeypatch):
    monkeypatch.setattr(scoring, "replicates", lambda *_, **__: {})  # names are looked up before anything is drawn
    task = ghbench.load_task("orl")
    folder = tmp_path / "results"
    (folder / "orl").mkdir(parents=True)
    source = next(iter(sorted((published_folder() / "orl").glob("pixels-*.json"))))
    target = folder / "orl" / source.name
    target.with_suffix(".parquet").write_bytes(source.with_suffix(".parquet").read_bytes())
    for result in variants(json.loads(source.read_text()), planted):
        target.write_text(json.dumps(result))
        entries, _ = collect("orl", folder, published=False)
        attempt(lambda found=entries: [differences(entry, task) for entry in found])
    attempt(lambda: rank_table(task, entries), lambda: compare("pixels", "pixels", "orl"))


def test_encoders(planted, tmp_path):
    source = save_tiny_encoder(tmp_path / "tiny.safetensors")
    for path in rewritten_header(source, tmp_path / "planted.safetensors", planted):
        extractor = Ghfeat(weights=str(path))
        attempt(
            extractor.spec,
            lambda tried=extractor: tried.codec.generator,
            lambda tried=extractor: tried.codec.statistics,
        )


def test_generators(planted, tmp_path):
    source = tmp_path / "generator.safetensors"
    native.save_generator(source, tiny_generator(), licence="Apache-2.0")
    for path in rewritten_header(source, tmp_path / "planted.safetensors", planted):
        attempt(lambda file=path: load_generator(file))


def test_feature_stores(planted, tmp_path):
    key = FeatureKey("x", "1", "x", "0", {}, {}, "plain", "numpy-float32", "float32", "orl", "0", 1)
    stored = FeatureStore(tmp_path / "features").open(key, ["a", "b"])
    with stored.writing():
        stored.write_shard("level", 0, np.ones((2, 3), np.float32))
        stored.complete("level")
    for path in (stored.folder / "manifest.json", stored.folder / "level" / "level.json"):
        whole = path.read_text()
        for content in variants(json.loads(whole), planted):
            path.write_text(json.dumps(content))
            attempt(lambda: FeatureStore(tmp_path / "features").open(key, ["a", "b"]).read("level"))
        path.write_text(whole)


def test_imported_features(planted, tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_HOME", str(tmp_path))
    dataset = ghbench.load_dataset("orl")
    np.save("features.npy", np.random.default_rng(0).random((len(dataset), 4), dtype=np.float32))
    path = import_features(Path("features.npy"), "mine", dataset).folder / "manifest.json"
    for content in variants(json.loads(path.read_text()), planted):
        path.write_text(json.dumps(content))
        attempt(lambda: load_imported("mine").of(dataset))


def test_runs(planted, tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    description = {"generator": "tiny", "data": "orl", "options": {"perceptual": "mobilenet-v2"}}
    for content in variants(description, planted):
        (folder.path / "run.json").write_text(json.dumps(content))
        attempt(lambda: folder.settle(description))
