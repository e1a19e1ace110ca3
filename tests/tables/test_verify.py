"""`ghbench verify` lets the committed rows through, and refuses every way to change one that we could think of."""

import contextlib
import json
import os
import shutil
import sys

import numpy as np
import pandas as pd
import pytest
from ghbench_leaderboards.publish import FOLDER, list_seals, published_pages, score_again
from typer.testing import CliRunner

from ghbench.cli.main import app
from ghbench.digests import digest_file
from ghbench.errors import DataError, MissingError
from ghbench.results import files, scoring
from ghbench.running.request import load_task
from ghbench.tables.verified import results_below, verify

ROW = "knn-dataset=orl-e3bcc784/pixels-701ed5f0.json"
PAGES = published_pages()
LARGEST, LARGEST_FILE = 25 * 10**6, 3 * 10**6


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_every_committed_row_follows_from_its_records(page):
    task = load_task(page.task)
    found = list(verify(results_below([FOLDER / files.task_folder(task.name)]), task))
    assert found
    assert {one.file: one.differences for one in found if one.differences} == {}


def test_what_is_committed_stays_small():
    sizes = {path: path.stat().st_size for path in FOLDER.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert sum(sizes.values()) < LARGEST
    assert max(sizes.values()) < LARGEST_FILE


@pytest.fixture
def row(tmp_path):
    """A committed row in a folder of published results of its own."""
    place = tmp_path / ROW
    place.parent.mkdir()
    for suffix in (".json", ".parquet"):
        shutil.copy((FOLDER / ROW).with_suffix(suffix), place.with_suffix(suffix))
    list_seals(tmp_path)
    return place


def refused(row):
    """Why verifying says no, as one text."""
    found = list(verify(results_below([row.parent.parent])))
    return "\n".join(line for one in found for line in one.differences)


def seal(row):
    """Make seal and list fit again: what whoever forges with care can do as well."""
    files.save_sealed(files.load(row, sealed=False), row)
    list_seals(row.parent.parent)


def put(*keys, value):
    """Set a field of the JSON."""

    def change(row):
        content = json.loads(row.read_text())
        inner = content
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = value
        row.write_text(json.dumps(content))

    return change


def records(change):
    """Change the records, and the digest of their file."""

    def apply(row):
        path = row.with_suffix(".parquet")
        change(pd.read_parquet(path)).to_parquet(path, index=False)
        put("records_sha256", value=digest_file(path))(row)

    return apply


def one_more_right(table):
    wrong = table.index[table["k5"] != table["class"]][0]
    return table.assign(k5=np.where(table.index == wrong, table["class"], table["k5"]).astype(table["k5"].dtype))


def all_that_follows(row, count):
    """Write what follows from other records over metrics and counts."""
    task, result = load_task("knn:dataset=orl"), files.load(row, sealed=False)
    table = files.load_records(row, result)
    draws = scoring.replicates(task, table, seed=0, stream=result.digest)
    counts = result.counts.model_copy(update={"records": len(table)} if count else {})
    metrics = scoring.metric_values(task, table, draws)
    files.save_sealed(result.model_copy(update={"metrics": metrics, "counts": counts}), row)


def test_an_honest_row_passes(row):
    (found,) = verify(results_below([row]))
    assert (found.file, found.subject, found.differences, found.unchecked) == (ROW, "pixels:size=32", (), None)


def a_better_copy_first(row):
    content = json.loads(row.read_text())
    content["metrics"].insert(0, content["metrics"][0] | {"value": 0.99})
    row.write_text(json.dumps(content))


CAREFUL = {
    "a metric's value": (put("metrics", 0, "value", value=0.99), "top1-k5, value: "),
    "an interval": (put("metrics", 1, "interval", value=[0.9, 0.91]), "top1-k1, low: "),
    "an interval that is gone": (put("metrics", 1, "interval", value=None), "top1-k1, low: "),
    "a metric of another name": (put("metrics", 0, "metric", value="top1-k6"), "top1-k6 is only in the file"),
    "a metric of a level": (put("metrics", 0, "level", value="stage4"), "top1-k5 @ stage4 is only in the file"),
    "a level's name": (put("features", "levels", value=["stage4"]), "features: "),
    "a dimension": (put("features", "dims", value=[12]), "features: "),
    "how features were stored": (put("features", "similarity", value="cosine"), "features: "),
    "how images were aligned": (put("features", "align", value={"name": "ffhq"}), "role images, feature_key: "),
    "in which precision": (put("features", "dtype", value="float16"), "role images, feature_key: "),
    "which images": (put("datasets", "images", "content_digest", value="0" * 64), "role images, feature_key: "),
    "a record altered": (records(one_more_right), "top1-k5, value: "),
    "a record removed": (records(lambda table: table.iloc[:-1]), "records: 400 in the file, 399"),
    "a record twice": (records(lambda table: pd.concat([table, table.iloc[:1]])), "1 of the records are there twice"),
    "a column gone": (records(lambda table: table.drop(columns="class")), "KeyError"),
    "a protocol's option": (put("task", "protocol", "temperature", value=0.5), "protocol, temperature: 0.5 in the"),
    "an invented option": (put("task", "protocol", "cleaned", value=True), "protocol, cleaned: True in the file"),
    "a metric's direction": (put("task", "metrics", 0, "higher_is_better", value=False), "metrics: "),
    "the task's version": (put("task", "version", value=2), "made with version 2 of the task, this is version 3"),
    "another task": (put("task", "name", value="knn:dataset=digits"), "the file is knn-dataset=orl"),
    "no task of ours": (put("task", "name", value="../evil.py:task"), "its task names files or code"),
    "the weights": (put("subject", "weights_digest", value="0" * 64), "weights digest: '000"),
    "what it learned from": (put("subject", "training", "supervision", value="people"), "training record: "),
    "another system": (put("subject", "spec_string", value="thumbnail"), "name: 'pixels' in the file, 'thumbnail'"),
    "the licence": (put("subject", "licence", value="MIT"), "licence: 'MIT' in the file"),
    "the number of records": (put("counts", "records", value=4000), "records: 4000 in the file, 400 by its records"),
    "the number of units": (put("counts", "units", value=400), "units: 400 people in the file, 40 people"),
    "which units": (put("counts", "units_digest", value="0" * 64), "which units: 000"),
    "the first images only": (put("status", value="partial"), "of the first images only"),
    "a metric that is there twice": (a_better_copy_first, "a metric is there twice"),
    "a label": (put("label", value="ghfeat"), "label: 'ghfeat', which no published row has"),
    "incomplete, and nothing is missing": (put("status", value="incomplete"), "complete by what it says"),
    "a policy": (put("features", "policy", value="vote"), "features: "),
    "fewer parameters": (put("subject", "parameters", value=1_000_000), "parameters: 1000000 in the file"),
    "a version of ours that is not installed": (put("subject", "version", value="999"), "made with version 999"),
    "another package under a name of ours": (put("subject", "package", value="stranger"), "not a registered plugin"),
    "an option that its plugin does not have": (
        put("subject", "spec_string", value="pixels:size=32,best=1"),
        "best",
    ),
    "a name that nobody registered": (put("subject", "spec_string", value="pixels-xl"), "pixels-xl"),
    "a schema that nobody knows": (put("schema_version", value=99), "schema_version"),
    "a field that nobody knows": (put("rank", value=1), "rank: Extra inputs"),
    "made in the future": (put("provenance", "created", value="2999-01-01T00:00:00+00:00"), "in the future"),
}


@pytest.mark.parametrize(("change", "why"), CAREFUL.values(), ids=CAREFUL)
def test_a_row_that_was_changed_with_care_is_refused_for_what_was_changed(row, change, why):
    change(row)
    with contextlib.suppress(DataError):  # what is no result has no seal either
        seal(row)
    assert why in refused(row)


def with_sealed(change):
    """A change whose seal fits, and whose entry in the list does not."""

    def apply(row):
        change(row)
        files.save_sealed(files.load(row, sealed=False), row)

    return apply


def forge_all(row):
    records(one_more_right)(row)
    all_that_follows(row, count=True)


def change_list(row):
    path = row.parent.parent / "digests.toml"
    path.write_text(path.read_text().replace('= "', '= "0', 1))


def rename(row):
    for suffix in (".json", ".parquet"):
        row.with_suffix(suffix).rename(row.with_name(f"dlib-face-701ed5f0{suffix}"))


def scribble(row):
    with row.with_suffix(".parquet").open("ab") as file:
        file.write(b"x")


CARELESS = {
    "a number, without a new seal": (put("metrics", 0, "value", value=0.99), "was changed after it was written"),
    "a number and a new seal": (with_sealed(put("overlap", value="none: honestly")), "not the result that was publ"),
    "records and all that follows from them": (forge_all, "not the result that was published"),
    "the list": (change_list, "its seal is not in digests.toml"),
    "the file's name": (rename, "the file is knn-dataset=orl-e3bcc784/dlib-face-701ed5f0.json; what it says belongs"),
    "the records' bytes": (scribble, "was changed after its result was written"),
    "no records": (lambda row: row.with_suffix(".parquet").unlink(), "has no records beside it"),
    "no JSON": (lambda row: row.write_text("{"), "is not a readable result"),
    "no seal": (put("seal", value=None), "it has no seal"),
}


@pytest.mark.parametrize(("change", "why"), CARELESS.values(), ids=CARELESS)
def test_a_row_that_was_changed_without_care_is_refused(row, change, why):
    change(row)
    assert why in refused(row)


def test_a_published_row_that_is_gone_is_missed(row):
    other = row.with_name("thumbnail-abce891e.json")
    for suffix in (".json", ".parquet"):
        shutil.copy((FOLDER / ROW).with_name(other.with_suffix(suffix).name), other.with_suffix(suffix))
    list_seals(row.parent.parent)
    assert refused(row) == ""
    other.unlink()
    found = list(verify(results_below([row.parent])))
    assert [one.file for one in found if one.differences] == ["knn-dataset=orl-e3bcc784/*-abce891e.json"]
    assert not any(one.differences for one in verify(results_below([row])) if one.subject)


@pytest.mark.parametrize("text", ["orl = 3", "[orl", "[orl]\n\udcff"])
def test_a_list_that_is_damaged_is_named(row, text):
    (row.parent.parent / "digests.toml").write_bytes(text.encode("utf-8", "surrogateescape"))
    assert "digests.toml" in refused(row)


def test_the_list_that_ships_is_missed_where_it_is_gone(row, monkeypatch):
    # The package shows a function of the same name.
    monkeypatch.setattr(sys.modules["ghbench.tables.collect"], "published_folder", lambda: row.parent.parent)
    (row.parent.parent / "digests.toml").unlink()
    assert "digests.toml is gone" in refused(row)


def test_scoring_again_does_not_make_a_changed_row_honest(row):
    put("datasets", "images", "padded", value=0.0)(row)
    put("label", value="ghfeat")(row)
    with pytest.raises(DataError, match="seal"):
        score_again(load_task("knn:dataset=orl"), row.parent.parent)
    files.save_sealed(files.load(row, sealed=False), row)
    with pytest.raises(SystemExit, match="not the result that was published"):
        score_again(load_task("knn:dataset=orl"), row.parent.parent)


@pytest.mark.network
@pytest.mark.skipif(os.environ.get("GHBENCH_OFFLINE") == "1", reason="GHBENCH_OFFLINE=1")
def test_with_images_the_digest_and_the_images_must_be_those_of_this_machine(row, orl):
    (honest,) = verify(results_below([row]), images=True)
    assert honest.differences == ()
    put("datasets", "images", "images", value=399)(row)
    put("provenance", "seed", value=1)(row)
    put("overlap", value="found: 3 images")(row)
    seal(row)
    text = "\n".join(line for one in verify(results_below([row]), images=True) for line in one.differences)
    assert "role images, images: 399 in the file, 400 on this machine" in text
    assert "digest: 701ed5f0" in text
    assert "overlap: 'found: 3 images' in the file" in text


def test_the_command_names_what_differs_and_exits_with_1(row, monkeypatch, tmp_path):
    monkeypatch.setenv("GHBENCH_HOME", str(tmp_path / "home"))
    told = CliRunner().invoke(app, ["verify", str(row), "--json"])
    assert told.exit_code == 0, told.output
    assert json.loads(told.stdout)["results"] == [
        {
            "file": ROW,
            "subject": "pixels:size=32",
            "agrees": True,
            "differences": [],
            "unchecked": None,
            "skipped": None,
        }
    ]
    put("metrics", 0, "value", value=0.99)(row)
    seal(row)
    told = CliRunner().invoke(app, ["verify", str(row.parent.parent), "--task", "knn:dataset=orl"])
    assert told.exit_code == 1
    assert f"differs  {ROW}" in told.stdout
    assert "0.99 in the file" in told.stdout
    assert CliRunner().invoke(app, ["verify", str(row), "--task", "orl"]).exit_code == 1
    assert isinstance(CliRunner().invoke(app, ["verify", "--own"]).exception, MissingError)
    assert CliRunner().invoke(app, ["verify", str(tmp_path / "nothing.json")]).exit_code == 1


def test_a_folder_that_is_gone_is_missed_where_all_is_verified(row):
    digests = row.parent.parent / "digests.toml"
    digests.write_text(f'{digests.read_text()}\n[pose]\n{"0" * 64} = "{"1" * 64}"\n')
    (_, gone) = verify(results_below([row.parent.parent]))
    assert gone.file == "pose/*-00000000.json"
    assert "no result is of this digest" in gone.differences[0]


def test_images_that_are_not_here_leave_numbers_that_agree(row, monkeypatch):
    def lacking(_):
        raise MissingError("asset 'orl-faces' is not on this machine")

    monkeypatch.setattr("ghbench_tasks.classification.knn.Knn.protocol", lacking)
    (found,) = verify(results_below([row]))
    assert found.differences == ()
    assert "protocol: asset 'orl-faces'" in found.unchecked


def test_an_own_result_on_a_folder_asks_for_its_task(row, tmp_path):
    (row.parent.parent / "digests.toml").unlink()
    put("task", "name", value="knn:dataset=imagefolder,dataset.path=/photos")(row)
    files.save_sealed(files.load(row, sealed=False), row)
    (found,) = verify(results_below([row]))
    assert found.differences == ()
    assert "-t knn:dataset=imagefolder,dataset.path=/photos" in found.skipped
    assert CliRunner().invoke(app, ["verify", str(row)]).exit_code == 3
