"""Features that were made elsewhere: a row like any other, if they are what they claim to be."""

import io
import json
import os
import re
import tracemalloc
import zipfile
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from filelock import FileLock
from ghbench_tasks.verification.faces import lfw
from safetensors.numpy import save_file

from ghbench import registry
from ghbench.data.lfw import Lfw
from ghbench.digests import digest_file
from ghbench.errors import DataError, FeatureError, MissingError, ProtocolError, UsageError, UserError
from ghbench.extraction import ExtractionOptions
from ghbench.running import runner
from ghbench.running.extract import extract_to_file
from ghbench.store import FeatureStore
from ghbench.store.feature_files import read_features, write_features
from ghbench.store.imported import (
    ImportedTraining,
    import_features,
    imported_folder,
    imported_manifests,
    load_imported,
)


@pytest.fixture(autouse=True)
def _home(tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_HOME", str(tmp_path / "home"))


@pytest.fixture
def dataset(lfw_tree):
    return Lfw("funneled", lfw_tree)


@pytest.fixture
def features(dataset):
    return np.random.default_rng(0).normal(size=(len(dataset), 5))


def saved(tmp_path, **arrays):
    path = tmp_path / "features.npz"
    np.savez(path, **arrays)
    return path


def options(tmp_path):
    return runner.RunOptions(
        store=FeatureStore(tmp_path / "store"), results=tmp_path / "results", extraction=ExtractionOptions(workers=0)
    )


def test_imported_features_are_evaluated_like_any_others(tmp_path, dataset, features, lfw_tree):
    np.save(tmp_path / "f.npy", features)
    import_features(tmp_path / "f.npy", "mine", dataset)
    result = runner.run("imported:name=mine", lfw(root=lfw_tree), options(tmp_path))
    assert result.subject.spec_string == "imported:name=mine"
    assert result.features.dims == [5]
    by_distance = runner.run("imported:name=mine,similarity=l2", lfw(root=lfw_tree), options(tmp_path))
    assert by_distance.digest != result.digest
    with pytest.raises(UsageError, match="option 'similarity'"):
        registry.build("extractor", "imported:name=mine,similarity=euclid")


def test_rows_are_put_in_order_by_their_ids(tmp_path, dataset, features):
    order = np.random.default_rng(1).permutation(len(dataset))
    ids = np.array(dataset.ids)[order]
    kept = import_features(saved(tmp_path, a=features[order], b=features[order, :2], ids=ids), "mine", dataset)
    found = kept.of(dataset)
    np.testing.assert_array_equal(found["a"], features.astype(np.float32))
    assert kept.manifest.dims == {"a": 5, "b": 2}


@pytest.mark.parametrize(
    ("arrays", "error", "fact"),
    [
        (lambda f, ids: {"a": f[1:]}, DataError, "one row"),
        (lambda f, ids: {"a": f[:, :0]}, DataError, "one row"),
        (lambda f, ids: {"a": f.astype(int)}, DataError, "int64"),
        (lambda f, ids: {"a": np.where(np.eye(*f.shape), np.nan, f)}, FeatureError, "rows 0, 1, 2, 3, 4"),
        (lambda f, ids: {"a": f + np.eye(*f.shape) * 1e300}, FeatureError, "float32, rows 0"),
        (lambda f, ids: {"a": f, "ids": np.roll(ids, 1)[:-1]}, DataError, "is missing"),
        (lambda f, ids: {"a": f, "ids": np.append(ids, ids[0])}, DataError, "duplicate"),
        (lambda f, ids: {"ids": ids}, DataError, "holds no features"),
        (lambda f, ids: {"../../escaped": f}, DataError, "escaped"),
        (lambda f, ids: {"a": np.array([object()] * len(f))}, DataError, "not plain numbers"),
    ],
)
def test_what_no_honest_number_can_be_made_of_is_refused(tmp_path, dataset, features, arrays, error, fact):
    path = saved(tmp_path, **arrays(features, np.array(dataset.ids)))
    with pytest.raises(error, match=fact):
        import_features(path, "mine", dataset)
    assert not list(tmp_path.rglob("escaped*"))
    assert not (imported_folder() / "mine").exists()


def test_names_are_names_and_used_once(tmp_path, dataset, features):
    path = saved(tmp_path, a=features)
    for name in ("../x", "a/b", "", ".hidden"):
        with pytest.raises(UsageError, match=re.escape(repr(name))):
            import_features(path, name, dataset)
    import_features(path, "mine", dataset)
    with pytest.raises(UsageError, match="'mine'"):
        import_features(path, "mine", dataset)


def test_they_belong_to_one_state_of_one_dataset_and_are_checked(tmp_path, dataset, features, lfw_tree):
    kept = import_features(saved(tmp_path, a=features), "mine", dataset)
    with pytest.raises(MissingError, match="'other'"):
        registry.build("extractor", "imported:name=other")
    (kept.folder / "a.npy").write_bytes((kept.folder / "a.npy").read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match=r"a\.npy"):
        kept.of(dataset)
    (lfw_tree / "Ann_Lee" / "Ann_Lee_0003.jpg").unlink()
    with pytest.raises(MissingError, match="'lfw'"):
        kept.of(Lfw("funneled", lfw_tree))


def test_a_file_that_is_no_array_file_is_named(tmp_path, dataset):
    with pytest.raises(MissingError, match=r"none\.npy"):
        import_features(tmp_path / "none.npy", "mine", dataset)
    (tmp_path / "text.npy").write_text("hello")
    with pytest.raises(DataError, match=r"text\.npy"):
        import_features(tmp_path / "text.npy", "mine", dataset)


def forged(kept, array):
    """The manifest and the file of level `a` changed together."""
    path, about = kept.folder / "a.npy", kept.folder / "manifest.json"
    before = digest_file(path)
    np.save(path, array)
    about.write_text(about.read_text().replace(before, digest_file(path)))
    return load_imported("mine")


@pytest.mark.parametrize(
    "change",
    [lambda f: f[1:], lambda f: f[:, :2], lambda f: f.astype(np.float64), lambda f: f * np.float32(np.nan), np.ravel],
)
def test_a_forged_file_with_its_digest_is_refused(tmp_path, dataset, features, change):
    kept = import_features(saved(tmp_path, a=features), "mine", dataset)
    with pytest.raises(DataError, match="manifest"):
        forged(kept, change(features.astype(np.float32))).of(dataset)


@pytest.mark.parametrize("text", ["", "[]", "{", "[" * 100_000, '{"rows": ' + "9" * 5_000 + "}", "\xff"])
def test_a_manifest_that_is_none_is_as_if_nothing_was_imported(tmp_path, dataset, features, text):
    kept = import_features(saved(tmp_path, a=features), "mine", dataset)
    (kept.folder / "manifest.json").write_text(text, encoding="latin-1")
    with pytest.raises(MissingError, match="mine"):
        load_imported("mine")


def test_a_name_is_replaced_only_on_request_and_by_one_process(tmp_path, dataset, features):
    path = saved(tmp_path, a=features)
    import_features(path, "mine", dataset)
    kept = import_features(saved(tmp_path, b=features + 1), "mine", dataset, replace=True)
    assert sorted(file.name for file in kept.folder.iterdir()) == ["b.npy", "manifest.json"]
    with FileLock(imported_folder() / ".mine.lock"), pytest.raises(UserError, match="another process"):
        import_features(path, "mine", dataset, replace=True)
    assert [one.name for one in imported_manifests()] == ["mine"]
    with pytest.raises(FeatureError):
        import_features(saved(tmp_path, b=features * np.nan), "mine", dataset, replace=True)
    np.testing.assert_array_equal(load_imported("mine").of(dataset)["b"], (features + 1).astype(np.float32))


def test_ids_may_stand_in_a_list(tmp_path, dataset, features):
    order = np.random.default_rng(1).permutation(len(dataset))
    np.save(tmp_path / "f.npy", features[order])
    (tmp_path / "ids.txt").write_text("\n".join(dataset.ids[row] for row in order) + "\n")
    kept = import_features(tmp_path / "f.npy", "mine", dataset, ids=str(tmp_path / "ids.txt"))
    np.testing.assert_array_equal(kept.of(dataset)["features"], features.astype(np.float32))
    with pytest.raises(DataError, match="ids called 'nothing'"):
        import_features(tmp_path / "f.npy", "other", dataset, ids="nothing")


def test_what_the_network_learned_from_is_stated_and_forbids_scoring_there(tmp_path, dataset, features, lfw_tree):
    training = ImportedTraining(datasets=["lfw"], supervision="identities")
    import_features(saved(tmp_path, a=features), "mine", dataset, training=training)
    assert registry.build("extractor", "imported:name=mine").spec().training.supervision == "identities"
    with pytest.raises(ProtocolError):
        runner.run("imported:name=mine", lfw(root=lfw_tree), options(tmp_path))


@pytest.mark.parametrize("suffix", [".npz", ".parquet", ".safetensors"])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_extracted_features_come_back_equal_with_equal_scores(tmp_path, dataset, lfw_tree, suffix, dtype):
    target = tmp_path / f"features{suffix}"
    chosen = replace(options(tmp_path), dtype=dtype)
    dims = extract_to_file("pixels", dataset, target, chosen, level=None, force=False)
    found = read_features(target)
    assert found.ids == list(dataset.ids)
    assert {level: values.shape[1] for level, values in found.levels.items()} == dims
    assert found.about["key"]["extractor"] == "pixels"
    import_features(target, "mine", dataset)
    whole = runner.run("pixels", lfw(root=lfw_tree), chosen)
    again = runner.run("imported:name=mine", lfw(root=lfw_tree), chosen)
    assert [(one.metric, one.value) for one in again.metrics] == [(one.metric, one.value) for one in whole.metrics]
    assert again.features.similarity == whole.features.similarity == "l2"
    np.testing.assert_array_equal(load_imported("mine").of(dataset)["pixels"], found.levels["pixels"])
    with pytest.raises(UsageError, match="exists already"):
        extract_to_file("pixels", dataset, target, chosen, level=None, force=False)
    extract_to_file("pixels", dataset, target, replace(chosen, limit=3), level=None, force=True)
    assert read_features(target).ids == list(dataset.ids)[:3]


def test_a_small_file_that_unpacks_to_gigabytes_is_refused_from_its_header(tmp_path, dataset):
    path = tmp_path / "bomb.npz"
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (10, 50_000_000)})
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("a.npy", header.getvalue() + bytes(1000))
    tracemalloc.start()
    with pytest.raises(DataError, match=r"unpack|more than it holds"):
        import_features(path, "mine", dataset)
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()
    (tmp_path / "bomb.npy").write_bytes(header.getvalue())
    with pytest.raises(DataError, match=r"unpack|more than it holds"):
        read_features(tmp_path / "bomb.npy")
    pa_table = pa.table({"a": pa.array(np.zeros(20_000_000, np.float32)).dictionary_encode()})
    pq.write_table(pa_table, tmp_path / "bomb.parquet")
    with pytest.raises(DataError, match="unpack"):
        read_features(tmp_path / "bomb.parquet")


def test_repeated_and_long_ids_take_no_more_than_they_may(tmp_path):
    values = pa.array(np.zeros(600, np.float32))
    pq.write_table(pa.table({"ids": pa.array(["x" * 2**20] * 600), "a": values}), tmp_path / "bomb.parquet")
    with pytest.raises(DataError, match="unpack"):
        read_features(tmp_path / "bomb.parquet")
    ids = ["x" * 400_000, *map(str, range(599))]
    save_file({"a": np.zeros((600, 1), np.float32)}, tmp_path / "long.safetensors", {"ids": json.dumps(ids)})
    tracemalloc.start()
    assert read_features(tmp_path / "long.safetensors").ids == ids
    assert tracemalloc.get_traced_memory()[1] < 20e6
    tracemalloc.stop()


@pytest.mark.parametrize("kind", ["large_string", "categories", "bool", "timestamps"])
def test_a_column_that_holds_no_features_is_named_and_not_left_out(tmp_path, kind):
    names = pa.array(["b", "a"])
    column = {
        "large_string": names.cast(pa.large_string()), "categories": names.dictionary_encode(),
        "bool": pa.array([True, False]), "timestamps": pa.array([1, 2], pa.timestamp("s")),
    }[kind]  # fmt: skip
    pq.write_table(pa.table({"image": column, "a": pa.array([0.0, 1.0])}), tmp_path / "f.parquet")
    with pytest.raises(DataError, match="'image' holds"):
        read_features(tmp_path / "f.parquet")
    if "s" in kind and kind != "timestamps":
        assert read_features(tmp_path / "f.parquet", "image").ids == ["b", "a"]


@pytest.mark.parametrize("kind", ["texts", "categories", "bytes"])
def test_many_ids_of_any_kind_are_read_and_repeated_ones_are_bounded(tmp_path, kind):
    names = pa.array([f"image {row}" for row in range(60_000)])
    column = {"texts": names, "categories": names.dictionary_encode(), "bytes": names.cast(pa.binary())}[kind]
    values = pa.array(np.random.default_rng(0).random(len(names), dtype=np.float32))
    pq.write_table(pa.table({"ids": column, "a": values}), tmp_path / "f.parquet")
    assert len(read_features(tmp_path / "f.parquet").ids) == len(names)
    wide = pa.array([b"x" * 2**12] * 60_000, pa.binary(2**12))
    pq.write_table(pa.table({"ids": wide, "a": values}), tmp_path / "bomb.parquet")
    with pytest.raises(DataError, match="unpack"):
        read_features(tmp_path / "bomb.parquet")


def test_ids_that_are_neither_texts_nor_numbers_are_refused(tmp_path):
    for bad in (["a", None], ["a", True], ["a", ["b"]], "ab"):
        save_file({"a": np.zeros((2, 1), np.float32)}, tmp_path / "f.safetensors", {"ids": json.dumps(bad)})
        with pytest.raises(DataError, match="no list of texts or numbers"):
            read_features(tmp_path / "f.safetensors")


def test_lists_of_any_size_are_levels(tmp_path):
    rows = np.arange(6, dtype=np.float32).reshape(3, 2)
    kinds = {"one": pa.list_(pa.float32()), "two": pa.large_list(pa.float32()), "three": pa.list_(pa.float32(), 2)}
    pq.write_table(
        pa.table({name: pa.array(rows.tolist(), kind) for name, kind in kinds.items()}), tmp_path / "f.parquet"
    )
    found = read_features(tmp_path / "f.parquet").levels
    assert list(found) == list(kinds)
    for values in found.values():
        np.testing.assert_array_equal(values, rows)


@pytest.mark.parametrize("suffix", [".npy", ".npz", ".parquet", ".safetensors"])
def test_what_is_no_file_is_refused_and_not_waited_for(tmp_path, suffix):
    os.mkfifo(tmp_path / f"pipe{suffix}")
    with pytest.raises(DataError, match="regular file"):
        read_features(tmp_path / f"pipe{suffix}")
    (tmp_path / f"text{suffix}").write_text("hello")
    with pytest.raises(DataError):
        read_features(tmp_path / f"text{suffix}")


def test_a_file_cannot_state_what_extract_never_writes(tmp_path, dataset, features):
    about = {"comparison": {"similarity": "cosine", "mean": {"features": [0.0]}}}
    write_features(tmp_path / "f.npz", {"features": features}, dataset.ids, about, force=False)
    with pytest.raises(DataError, match="mean of level"):
        import_features(tmp_path / "f.npz", "mine", dataset)
    write_features(tmp_path / "g.npz", {"features": features}, dataset.ids, {"training": {"datasets": 3}}, force=False)
    with pytest.raises(DataError, match="training"):
        import_features(tmp_path / "g.npz", "mine", dataset)


def test_damaged_files_are_named_without_a_traceback(tmp_path, dataset, features):
    magic = b"\x93NUMPY\x01\x00v\x00"
    (tmp_path / "cut.npy").write_bytes(magic + b"{'descr': '<f4', 'shape': (4, 1".ljust(117) + b"\n")
    np.savez_compressed(tmp_path / "whole.npz", features=features)
    whole = (tmp_path / "whole.npz").read_bytes()
    for place in range(40, len(whole) - 120, 7):
        (tmp_path / "flipped.npz").write_bytes(whole[:place] + bytes([whole[place] ^ 0xFF]) + whole[place + 1 :])
        try:
            found = read_features(tmp_path / "flipped.npz").levels["features"]
        except DataError:
            continue
        np.testing.assert_array_equal(found, features)
    with pytest.raises(DataError, match=r"cut\.npy"):
        read_features(tmp_path / "cut.npy")
    np.savez(tmp_path / "short.npz", a=features[1:], b=np.array(1.0), ids=np.array(dataset.ids))
    with pytest.raises(DataError, match="one row an id"):
        import_features(tmp_path / "short.npz", "mine", dataset)
