"""Features that were made elsewhere: a row like any other, if they are what they claim to be."""

import re

import numpy as np
import pytest
from ghbench_tasks.verification.faces import lfw

from ghbench import registry
from ghbench.data.lfw import Lfw
from ghbench.digests import digest_file
from ghbench.errors import DataError, FeatureError, MissingError, UsageError
from ghbench.extraction import ExtractionOptions
from ghbench.running import runner
from ghbench.store import FeatureStore
from ghbench.store.imported import import_features, imported_folder, load_imported


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
        (lambda f, ids: {"a": f + np.eye(*f.shape) * 1e300}, FeatureError, "float32 in rows 0"),
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
