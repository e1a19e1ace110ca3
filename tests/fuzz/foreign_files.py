"""Every reader of foreign text or bytes: a small good file for it, and how the library reads such a file."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import struct
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

PIXELS = np.random.default_rng(0).integers(0, 256, (12, 10, 3), dtype=np.uint8)
IDS = ("a", "b", "c")


@dataclass(frozen=True)
class Reader:
    """How one kind of file is read.

    Args:
        file: Name of the file, as far as its ending matters.
        good: Writes a small good one to a path.
        read: Reads the file at a path.
        form: `text`, `json`, `header` for JSON at the start of safetensors, or `bytes`.
    """

    file: str
    good: Callable[[Path], object]
    read: Callable[[Path], object]
    form: str = "bytes"


def _text(content: str) -> Callable[[Path], object]:
    return lambda path: path.write_text(content, encoding="utf-8")


def _json(content: Any) -> Callable[[Path], object]:
    return _text(json.dumps(content))


def _data() -> dict[str, Reader]:
    from ghbench_tasks.discovery import moved
    from scipy.io import savemat

    from ghbench.data.celeba import _words
    from ghbench.data.factors.cars3d import SHAPE, VARIABLE, _images
    from ghbench.data.factors.smallnorb import _rows, opened_matrix
    from ghbench.data.idx import read_idx
    from ghbench.data.image_files import _read_digests
    from ghbench.data.landmark_files import read_ljson, read_pts
    from ghbench.data.lfw_people import read_people
    from ghbench.data.mafl import _read_points
    from ghbench.data.mnist_10k import read_digits
    from ghbench.data.pair_files import read_pairs

    def cars(path: Path) -> object:
        with path.open("rb") as stream:
            return _images(path, stream)

    def norb(path: Path) -> object:
        with opened_matrix(path) as opened:
            return opened[1:]

    def norb_values(path: Path) -> object:
        from ghbench.files import read_as

        with read_as(path, "a matrix"), opened_matrix(path) as (stream, shape, dtype):
            return list(_rows(stream, shape, dtype))

    idx = struct.pack(">HBB3I", 0, 8, 3, 2, 3, 4) + bytes(24)
    matrix = struct.pack("<6I", 0x1E3D4C54, 2, 2, 3, 1, 0)[:20] + bytes(24)
    points = {"groups": {"PTS": {"landmarks": {"points": [[1, 2], [3.5, 4]]}}}, "version": 2}
    pairs = "2\t1\nAnn\t1\t2\nAnn\t1\tBo\t2\nCy\t2\t3\nCy\t1\tBo\t1\n"
    return {
        "pairs": Reader("pairs.txt", _text(pairs), read_pairs, "text"),
        "people": Reader("people.txt", _text("2\n2\nAnn\t3\nBo\t1\n1\nCy\t2\n"), read_people, "text"),
        "celeba": Reader("list.txt", _text("2\na b\n1.jpg 1 -1\n2.jpg -1 1\n"), _words, "text"),
        "mafl": Reader("l.txt", _text("1\na b\n1.jpg 1 2 3 4 5 6 7 8 9 10\n"), _read_points, "text"),
        "pts": Reader("a.pts", _text("version: 1\nn_points: 2\n{\n1 2\n3.5 4\n}\n"), read_pts, "text"),
        "ljson": Reader("a.ljson", _json(points), read_ljson, "json"),
        "mnist-10k": Reader("d.json", _json({"data": [0.0, 0.502] * 392}), read_digits, "json"),
        "kept digests": Reader(
            "d.json", _json({"files": ["x", "y"]}), partial(_read_digests, name="files", count=2), "json"
        ),
        "kept scales": Reader("s.json", _json({"age": 0.5, "smile": 1}), moved._read, "json"),
        "idx": Reader("a.idx", lambda path: path.write_bytes(idx), partial(read_idx, dimensions=3)),
        "idx.gz": Reader("a.gz", lambda path: path.write_bytes(gzip.compress(idx)), partial(read_idx, dimensions=3)),
        "norb": Reader("a.mat", lambda path: path.write_bytes(matrix), norb),
        "norb.gz": Reader("a.mat.gz", lambda path: path.write_bytes(gzip.compress(matrix)), norb_values),
        "cars3d": Reader(
            "a.mat", lambda path: savemat(path, {VARIABLE: np.zeros(SHAPE, np.uint8)}, do_compression=True), cars
        ),
    }


def _pictures() -> dict[str, Reader]:
    from ghbench.imaging import decode

    def good(path: Path) -> None:
        options = {"quality": 80} if path.suffix in {".jpg", ".webp"} else {}
        mode = "P" if path.suffix == ".gif" else "RGB"
        Image.fromarray(PIXELS).convert(mode).save(path, **options)

    return {
        f"image {kind}": Reader(f"a.{kind}", good, decode)
        for kind in ("bmp", "gif", "jpg", "png", "ppm", "tiff", "webp")
    }


def _features() -> dict[str, Reader]:
    from ghbench.store import FeatureKey, FeatureStore
    from ghbench.store.arrays_from_files import array_headers, map_array, read_arrays
    from ghbench.store.feature_files import read_features, write_features
    from ghbench.store.imported import ImportedManifest, load_imported

    rows = np.random.default_rng(0).random((3, 2), dtype=np.float32)
    key = FeatureKey("x", "1", "x", "0", {}, {}, "plain", "numpy-float32", "float32", "orl", "0", 1)

    def good(path: Path) -> None:
        write_features(path, {"high": rows}, IDS, {"key": "x"}, force=True)

    def arrays(path: Path) -> object:
        array_headers(path)
        return read_arrays(path)

    def store(file: str) -> Reader:
        """A level of a store in which one file was changed."""

        def good(path: Path) -> None:
            stored = FeatureStore(path.parent.with_suffix(".good")).open(key, IDS, shard_rows=2)
            with stored.writing():
                for start, end in stored.missing_rows("level"):
                    stored.write_shard("level", start, rows[start:end])
                stored.complete("level")
            path.write_bytes((stored.folder / file).read_bytes())

        def read(path: Path) -> object:
            store = FeatureStore(path.parent / "out")
            shutil.rmtree(store.root, ignore_errors=True)
            shutil.copytree(path.parent.with_suffix(".good"), store.root)
            (store.root / key.folder / file).write_bytes(path.read_bytes())
            return store.folders(), store.open(key, IDS, shard_rows=2).read("level")

        return Reader(Path(file).name, good, read, "json" if file.endswith("json") else "bytes")

    def imported(path: Path) -> object:
        folder = path.parent / "out" / "imported" / "mine"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "manifest.json").write_bytes(path.read_bytes())
        os.environ["GHBENCH_HOME"] = str(path.parent / "out")
        return load_imported("mine").manifest.digest

    manifest = ImportedManifest(
        name="mine", dataset="orl", dataset_digest="0", rows=3, dims={"high": 2}, files={"high": "0"}
    )
    return {
        "npy": Reader("a.npy", lambda path: np.save(path, rows), arrays),
        "npz": Reader("a.npz", lambda path: np.savez_compressed(path, a=rows, b=np.array(IDS)), arrays),
        "mapped npy": Reader("a.npy", lambda path: np.save(path, rows), map_array),
        "features npz": Reader("a.npz", good, read_features),
        "features parquet": Reader("a.parquet", good, read_features),
        "features safetensors": Reader("a.safetensors", good, read_features, "header"),
        "store key": store("manifest.json"),
        "store level": store("level/level.json"),
        "store features": store("level/features.npy"),
        "imported manifest": Reader("manifest.json", _text(manifest.model_dump_json()), imported, "json"),
    }


def _results() -> dict[str, Reader]:
    from ghbench.results import display, files, records_file
    from ghbench.results.schema import Result
    from ghbench.suites.definition import load_suite
    from ghbench.tables import published_folder
    from ghbench.tables.collect import check_origin

    published = next(iter(sorted((published_folder() / "orl").glob("pixels-*.json"))))

    def result(path: Path) -> object:
        found: Result = files.load(path, sealed=False)
        check_origin(found, "orl", None)
        display.frame(found)
        return display.summary(found), files.path_of(found, path.parent)

    def records(path: Path) -> object:
        import pandas as pd

        frame = pd.DataFrame({"name": list("abc"), "value": [0.5, 1, 2], "count": [1, 2, 3]})
        return frame.to_parquet(path, compression="none")

    suite = (
        'name: faces\nversion: 1\nextractors: [pixels, "hog:cell=8"]\ntasks:\n  - {task: orl, chance: .5}\n  - lfw\n'
    )
    return {
        "result": Reader("a.json", lambda path: path.write_bytes(published.read_bytes()), result, "json"),
        "records": Reader("a.parquet", records, records_file.read_records),
        "suite": Reader("a.yaml", _text(suite), lambda path: load_suite(str(path)), "text"),
    }


def _weights() -> dict[str, Reader]:
    import checkpoint_files
    import torch
    from ghbench_baselines.hub_files import shards
    from ghbench_baselines.weight_files import read_weights

    from ghbench import checkpoints
    from ghbench.contrafeat import files as navigators
    from ghbench.contrafeat.network.config import NavigatorConfig
    from ghbench.contrafeat.network.navigator import NavigatorNetwork
    from ghbench.contrafeat.representation import files as representations
    from ghbench.contrafeat.representation.network import (
        RepresentationConfig,
        RepresentationDecoder,
        RepresentationEncoder,
    )
    from ghbench.extractor import TrainingRecord
    from ghbench.generators import native
    from ghbench.generators.loading import load_generator
    from ghbench.generators.tiny import tiny_generator
    from ghbench.ghfeat.files.weights import load_encoder, save_encoder
    from ghbench.ghfeat.network.config import compact
    from ghbench.ghfeat.network.encoder import Encoder
    from ghbench.ghfeat.network.layout import layout_of
    from ghbench.training.run_folder import RunFolder

    record = TrainingRecord((), None, ("0",), "self-supervised", "in-generator")
    about = {"generator": "tiny", "generator_digest": "0"}

    def encoder(path: Path) -> None:
        made = Encoder(compact(layout_of(tiny_generator()), 32, width=1 / 8, pyramid_width=8))
        save_encoder(path, made, licence="ours", record=record, about=about)

    def navigator(path: Path) -> None:
        made = NavigatorNetwork(NavigatorConfig(1, 5, 4, attended=3, components=4))
        navigators.save_navigator(path, made, licence="ours", record=record, about=about)

    def representation(path: Path) -> None:
        config = RepresentationConfig(2)
        made = RepresentationEncoder(config), RepresentationDecoder(config)
        representations.save_representation(path, *made, licence="ours", record=record, about=about)

    def saved(name: str, *, old: bool = False) -> Callable[[Path], object]:
        value = checkpoint_files.torch_objects()[name]
        return lambda path: torch.save(value, path, _use_new_zipfile_serialization=not old)

    def openvino(path: Path) -> None:
        checkpoint_files.write_openvino(path, checkpoint_files.openvino_constants())
        shutil.copy(path.with_suffix(".bin"), path.parent.parent / "openvino.bin")

    def read_openvino(path: Path) -> object:
        shutil.copy(path.parent.parent / "openvino.bin", path.with_suffix(".bin"))
        return checkpoints.read(path)

    def run(path: Path) -> object:
        folder = RunFolder(path.parent / "out")
        folder.path.mkdir(exist_ok=True)
        (folder.path / "state-0000000001.pt").write_bytes(path.read_bytes())
        return folder.load()

    def settings(path: Path) -> object:
        folder = RunFolder(path.parent / "out")
        folder.path.mkdir(exist_ok=True)
        (folder.path / "run.json").write_bytes(path.read_bytes())
        folder.log_path.write_bytes(path.read_bytes())
        folder.history()
        folder.rewind(5)
        return folder.settle({"generator": "tiny", "data": "orl"})

    state = {"networks": {"g": {"w": torch.ones(2)}}, "averages": {"g": {"w": torch.ones(2)}}, "shown": 3}
    header = "header"
    return {
        "stylegan2-ada": Reader("a.pkl", lambda path: path.write_bytes(checkpoint_files.ada_bytes()), checkpoints.read),
        "tensorflow": Reader(
            "a.pkl", lambda path: path.write_bytes(checkpoint_files.tensorflow_bytes()), checkpoints.read
        ),
        "torch": Reader("a.pt", saved("rosinality"), checkpoints.read),
        "old torch": Reader("a.pt", saved("genforce-training", old=True), checkpoints.read),
        "openvino": Reader("a.xml", openvino, read_openvino, "text"),
        "state dict": Reader("a.pth", lambda path: torch.save({"w": torch.ones(3)}, path), read_weights),
        "safetensors weights": Reader("a.safetensors", navigator, read_weights, header),
        "generator": Reader(
            "a.safetensors",
            lambda path: native.save_generator(path, tiny_generator(), licence="ours"),
            load_generator,
            header,
        ),
        "encoder": Reader("a.safetensors", encoder, load_encoder, header),
        "navigator": Reader(
            "a.safetensors",
            navigator,
            lambda path: navigators.build_navigator(navigators.describe_navigator(path)),
            header,
        ),
        "representation": Reader(
            "a.safetensors",
            representation,
            lambda path: representations.build_representation(representations.describe_representation(path)),
            header,
        ),
        "training state": Reader("a.pt", lambda path: torch.save(state, path), run),
        "training settings": Reader("a.json", _json({"generator": "tiny", "data": "orl"}), settings, "json"),
        "index of shards": Reader("i.json", _json({"weight_map": {"a": "x.safetensors"}}), shards, "json"),
    }


def _archives() -> dict[str, Reader]:
    from ghbench.assets import containers
    from ghbench.assets.model import Asset
    from ghbench.digests import digest_bytes

    content = b"content"
    asset = Asset(
        name="toy",
        version="1",
        title="",
        licence="",
        citation="",
        members={"a.bin": {"path": "pkg/a.bin", "sha256": digest_bytes(content), "size": len(content)}},
        sources=({"kind": "system", "folders": ("/nowhere",)},),
    )

    def tar(path: Path) -> None:
        with tarfile.open(path, f"w:{path.suffix[1:].removesuffix('tar')}") as archive:
            info = tarfile.TarInfo("pkg/a.bin")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))

    def zipped(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("pkg/a.bin", content)

    def extract(path: Path) -> object:
        target = path.parent / "out"
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        return containers.extract(path, asset, target)

    return {
        "zip": Reader("a.zip", zipped, extract),
        "tar": Reader("a.tar", tar, extract),
        "tar.gz": Reader("a.tar.gz", tar, extract),
        "tar.xz": Reader("a.tar.xz", tar, extract),
    }


GROUPS: dict[str, Callable[[], dict[str, Reader]]] = {
    "data": _data,
    "images": _pictures,
    "features": _features,
    "results": _results,
    "weights": _weights,
    "archives": _archives,
}
"""Readers by name, for each room; making them imports what reads."""
