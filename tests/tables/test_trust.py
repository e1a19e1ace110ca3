"""Records of strangers: none ends a table for all, and none is believed to be of another subject than it is of."""

import json
import os

import pytest
from ghbench_leaderboards.publish import FOLDER, list_seals

from ghbench.digests import digest_file
from ghbench.results import files
from ghbench.running.request import load_task, subject_request
from ghbench.tables import collect, rank_table
from ghbench.tables.identity import identity_of, seal_differences
from ghbench.tables.rescore import check


@pytest.fixture(scope="module")
def orl_task(orl):
    return load_task("orl")


@pytest.fixture
def own(tmp_path):
    """Two published results as one's own: `pixels`, which a test changes, and `thumbnail`, which stays."""
    folder = tmp_path / "orl"
    folder.mkdir()
    for path in (*(FOLDER / "orl").glob("pixels-*"), *(FOLDER / "orl").glob("thumbnail-*")):
        (folder / path.name).write_bytes(path.read_bytes())
    return tmp_path


def changed(folder, change, *, resealed=True):
    path = next((folder / "orl").glob("pixels-*.json"))
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    if resealed:
        files.save_sealed(files.load(path, sealed=False), path)
    return path


def set_in(*keys, value):
    def change(content):
        for key in keys[:-1]:
            content = content[key]
        content[keys[-1]] = value

    return change


def records_of_garbage(content):
    content["records_sha256"] = "to be set"


@pytest.mark.parametrize(
    ("change", "resealed"),
    [
        (set_in("task", "protocol", "x", value=float("nan")), False),
        (set_in("task", "protocol", "x", value=[{"deep": [1e999]}]), False),
        (set_in("counts", "units", value=10**400), False),
        (set_in("overlap", value=["none"]), False),
        (set_in("subject", "licence", value="\ud800"), False),
        (set_in("features", "dims", value=[]), False),
        (set_in("features", "align", value=[]), False),
        (set_in("overlap", value="none: honestly"), False),
        (set_in("metrics", 0, "value", value=0.99), True),
        (set_in("metrics", 0, "value", value=5.0), True),
        (set_in("metrics", 0, "level", value="x"), True),
        (set_in("task", "version", value=999), True),
        (set_in("provenance", "created", value="2999-01-01T00:00:00+00:00"), True),
        (set_in("provenance", "created", value="tomorrow"), True),
    ],
)
def test_one_bad_record_is_named_and_the_rest_goes_on(own, orl_task, change, resealed):
    path = changed(own, change, resealed=resealed)
    entries, notes = collect("orl", own, published=False, version=orl_task.version)
    table = rank_table(orl_task, entries, notes)
    assert [row.system for row in table.rows] == ["thumbnail"]
    assert len(table.notes) == 1
    assert path.name in table.notes[0] or "version" in table.notes[0]


@pytest.mark.parametrize("keys", [("subject", "training"), ("features", "preprocessing"), ("features", "align")])
def test_a_record_that_leaves_things_unsaid_still_has_a_row(own, orl_task, keys):
    changed(own, set_in(*keys, value={}))
    entries, notes = collect("orl", own, published=False)
    assert len(rank_table(orl_task, entries, notes).rows) == 2


def test_records_that_are_no_parquet_and_files_that_are_none_are_named(own, orl_task):
    path = next((own / "orl").glob("pixels-*.json"))
    path.with_suffix(".parquet").write_bytes(b"garbage")
    digest = digest_file(path.with_suffix(".parquet"))
    changed(own, set_in("records_sha256", value=digest))
    os.mkfifo(own / "orl" / "pipe-00000000.json")
    (own / "orl" / "deep-00000000.json").write_text("[" * 100_000)
    entries, notes = collect("orl", own, published=False)
    table = rank_table(orl_task, entries, notes)
    assert [row.system for row in table.rows] == ["thumbnail"]
    assert len(table.damage) == 3
    bad = next(entry for entry in entries if entry.path == path)
    assert any("Parquet" in line for line in check(bad, orl_task).differences)


def test_a_record_that_is_relabelled_does_not_agree_even_with_a_fresh_seal(tmp_path, orl_task):
    (tmp_path / "orl").mkdir()
    for path in (FOLDER / "orl").glob("dlib-face-*"):
        (tmp_path / "orl" / path.name.replace("dlib-face", "pixels")).write_bytes(path.read_bytes())

    def forge(content):
        content["subject"].update(spec_string="pixels", name="pixels", weights_digest="0" * 64)
        content["overlap"] = "none: untrained"

    path = changed(tmp_path, forge, resealed=False)
    entries, notes = collect("orl", tmp_path, published=False)
    assert entries == []
    assert "seal" in notes[0]
    files.save_sealed(files.load(path, sealed=False), path)
    (entry,), _ = collect("orl", tmp_path, published=False)
    found = check(entry, orl_task).differences
    assert any(line.startswith("weights digest") for line in found)
    assert any(line.startswith("training record") for line in found)
    unsealed = entry.result.model_copy(update={"seal": None})
    assert "no seal" in seal_differences(unsealed)[0]


def test_an_honest_result_agrees_and_a_stranger_s_is_not_asked(own, orl_task):
    entries, _ = collect("orl", own, published=False)
    honest = next(entry for entry in entries if entry.result.subject.name == "pixels")
    assert check(honest, orl_task).differences == ()
    subject = honest.result.subject.model_copy(update={"package": "stranger"})
    assert identity_of(honest.result.model_copy(update={"subject": subject}), orl_task).unchecked


def test_a_published_result_must_be_the_one_that_was_listed(own):
    list_seals(own)
    entries, notes = collect("orl", own, published=False)
    assert (len(entries), notes) == (2, [])
    changed(own, set_in("subject", "weights_digest", value="0" * 64))
    entries, notes = collect("orl", own, published=False)
    assert [entry.result.subject.name for entry in entries] == ["thumbnail"]
    assert "not the result that was published" in notes[0]


def test_our_package_need_not_be_written_before_a_name(orl_task):
    assert str(subject_request("ghbench/pixels", orl_task)) == str(subject_request("pixels", orl_task)) == "pixels"


def test_another_package_s_pixels_does_not_become_the_reference_row(monkeypatch, orl_task):
    from ghbench import registry

    real = registry.plugins

    def with_another(kind):
        other = registry.Plugin("extractor", "pixels", "nowhere:Pixels", "aaa-stranger")
        return [*real(kind), *([other] if kind == "extractor" else [])]

    monkeypatch.setattr(registry, "plugins", with_another)
    row = subject_request("pixels", orl_task, reference=True)
    assert (str(row), row.package()) == ("pixels", "ghbench")
    assert str(subject_request("ghbench/pixels", orl_task)) == "pixels"
    assert str(subject_request("aaa-stranger/pixels", orl_task)) == "aaa-stranger/pixels"
    with pytest.raises(Exception, match="two packages"):
        subject_request("pixels", orl_task)
