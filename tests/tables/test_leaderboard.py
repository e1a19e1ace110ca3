"""Tables: who stands in them, in which order, and that no plugin can write anything into them but its name."""

import csv
import io
import json
import shutil
import sys
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd
import pytest
from ghbench_leaderboards.publish import FOLDER, list_seals
from typer.testing import CliRunner

from ghbench.cli.main import app
from ghbench.errors import MissingError, UsageError
from ghbench.extractor import Encoder
from ghbench.results import files, scoring
from ghbench.results.provenance import provenance
from ghbench.results.schema import (
    Counts,
    DatasetRecord,
    FeatureRecord,
    MetricValue,
    Missing,
    Result,
    SubjectRecord,
    TaskRecord,
    Timing,
)
from ghbench.tables import collect, compare, entries_of, formats, rank_table, render, table_of_results, terminal
from ghbench.tables.collect import Settings
from ghbench.tables.names import usual_name
from ghbench.tables.overview import overview
from ghbench.tables.rescore import differences
from ghbench.tables.select import Choice
from ghbench.tables.terminal import print_table
from ghbench.task import Metric, Reference, Score, Units


@dataclass
class RightOrWrong:
    """One record a person; the metric is how many of them are right."""

    name: str = "exam"
    version: int = 2
    metrics: tuple = (Metric("accuracy"), Metric("half"))
    requires: tuple = (Encoder,)
    policies: tuple = ("concat",)
    references: tuple = (Reference("blind", "untrained network", floor=True),)

    def protocol(self):
        return {"kind": "exam"}

    def roles(self):
        return {}

    def evaluate(self, inputs):
        raise AssertionError("results are written by the tests themselves")

    def score(self, records, sample_weight=None):
        right = float(np.average(records["right"], weights=sample_weight))
        return [Score("accuracy", right), Score("half", right / 2)]

    def score_replicates(self, records, multiplicity, metrics=None):
        rate = multiplicity[:, records["person"]] @ records["right"].to_numpy() / multiplicity.sum(axis=1)
        return {("accuracy", None): rate, ("half", None): rate / 2}

    def units(self, records):
        return Units("people", records["person"].to_numpy(), None, len(records))


@pytest.fixture
def task(monkeypatch):
    exam = RightOrWrong()
    for module in ("table", "compare"):
        # The package shows functions of the same names; the modules themselves are found here.
        monkeypatch.setattr(sys.modules[f"ghbench.tables.{module}"], "load_task", lambda _: exam)
    return exam


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_HOME", str(tmp_path / "home"))
    module = sys.modules["ghbench.tables.collect"]
    monkeypatch.setattr(module, "published_folder", lambda: tmp_path / "published")
    return tmp_path


def right(count, people=200):
    return pd.DataFrame({"person": np.arange(people), "right": np.arange(people) < count})


FACES = {"faces": DatasetRecord(name="f", images=1, content_digest="c", recipe_digest=None)}


@pytest.fixture
def keep(task, home):
    """Write the result of a system that is right about so many of 200 people."""

    def write(
        name, count, *, digest=None, published=False, version=2, spec=None, created=None, align="none", **changes
    ):
        records = count if isinstance(count, pd.DataFrame) else right(count)
        metrics = scoring.metric_values(task, records, scoring.replicates(task, records))
        levels = [str(level) for level in records["level"].unique()] if "level" in records else ["a"]
        made = provenance("ghbench run", 0)
        result = Result(
            **{
                "digest": digest or f"{name:0<64}",
                "status": "complete",
                "subject": SubjectRecord(
                    name=name, spec_string=spec or name, version="1", package="ghbench", package_version="0",
                    weights_digest="0", training={"supervision": "none", "domain": "real"}, licence="none",
                ),
                "features": FeatureRecord(
                    levels=levels, dims=[3] * len(levels), policy="each" if "level" in records else "concat",
                    preprocessing={"align": "none"}, align={"name": align}, similarity="cosine",
                    backend="numpy-float32", centred=False, dtype="float32",
                ),
                "task": TaskRecord(
                    name="exam", version=version, metrics=[asdict(metric) for metric in task.metrics],
                    protocol={"kind": "exam"},
                ),
                "datasets": FACES,
                "overlap": "none",
                "metrics": metrics,
                "counts": Counts(records=len(records), unit="people", units=len(records) // len(levels)),
                "provenance": made.model_copy(update={"created": created or made.created}),
                **changes,
            }
        )  # fmt: skip
        folder = home / "published" if published else files.results_folder()
        saved = files.save(result, files.as_stored(records, "exam")[0], files.path_of(result, folder))
        if published:
            list_seals(folder)
        return saved

    return write


def table_of(task):
    entries, notes = collect("exam")
    return rank_table(task, entries, notes)


def test_rank_counts_who_is_significantly_better_and_noise_shares_a_rank(keep, task):
    keep("good", 190), keep("as-good", 189), keep("bad", 60)
    table = table_of(task)
    assert [(row.rank, row.system) for row in table.rows] == [(1, "good"), (1, "as-good"), (3, "bad")]
    assert table.rows[0].metric("accuracy").value == 0.95
    assert table.unit == "200 people"


def test_rows_no_better_than_the_rows_to_beat_say_so_and_name_them(keep, task):
    keep("blind", 100), keep("lucky", 102), keep("worse", 20), keep("good", 190)
    table = table_of(task)
    assert table.floor == "untrained network"
    remarks = {row.system: render.remark(row, table.floor) for row in table.rows}
    assert remarks == {
        "good": "",
        "blind": "untrained network",
        "lucky": "within noise of the best untrained network",
        "worse": "worse than the best untrained network",
    }


def test_too_few_units_are_sorted_and_not_ranked(keep, task):
    keep("good", right(5, 7)), keep("bad", right(1, 7))
    table = table_of(task)
    assert [(row.rank, row.system) for row in table.rows] == [(None, "good"), (None, "bad")]
    assert "7 units" in table.unranked
    assert "not ranked" in render.markdown(table)


def test_an_incomplete_result_names_what_it_lacks(keep, task):
    missing = [Missing(what="same-person", why="dlib is not here", fix="pip install dlib-bin")]
    keep("net", 150, status="incomplete", missing=missing)
    assert "pip install dlib-bin" in render.remark(table_of(task).rows[0], None)


def test_a_table_of_new_results_holds_the_references_that_are_finished_and_names_the_others(keep, task):
    new = keep("good", 190)
    (note,) = table_of_results("exam", [new]).notes
    assert "blind" in note
    assert "--references" in note
    keep("blind", 100, published=True)
    table = table_of_results("exam", [new])
    assert [(row.system, row.standing) for row in table.rows] == [("good", "better"), ("blind", "floor")]
    assert table.notes == ()


def test_one_s_own_row_stands_for_a_published_one_of_the_same_identity(keep, task):
    keep("same", 150, published=True), keep("same", 150), keep("other", 100, published=True)
    table = table_of(task)
    assert {row.system: row.entry.published for row in table.rows} == {"same": False, "other": True}
    marks = render.markdown(table).splitlines()
    assert ["published" in line for line in marks[2:4]] == [False, True]
    entries, _ = collect("exam", published=False)
    assert [entry.result.subject.name for entry in entries] == ["same"]


def test_older_task_versions_other_images_and_other_protocols_are_left_out_with_a_note(keep, task):
    other = {"faces": DatasetRecord(name="f", images=1, content_digest="x", recipe_digest=None)}
    before = "2026-01-01T00:00:00+00:00"  # the newest result says which images the table is about
    keep("elsewhere", 190, datasets=other, created=before), keep("old", 190, version=1, created=before)
    keep("new-a", 150), keep("new-b", 150)
    table = table_of(task)
    assert {row.system for row in table.rows} == {"new-a", "new-b"}
    assert table.notes == (
        "1 result left out: of an older version of the task than 2",
        "1 result left out: on other images, or by another protocol, under the same name",
    )


def test_partial_results_never_enter_a_table(keep, task):
    keep("whole", 150), keep("part", 190, status="partial", limit=10)
    assert [row.system for row in table_of(task).rows] == ["whole"]


def test_a_result_that_cannot_be_read_leaves_a_note_and_no_hole(keep, task):
    keep("fine", 150)
    lost = files.path_of(keep("lost", 190))
    lost.with_suffix(".parquet").unlink()
    lost.with_name("broken-00000000.json").write_text("{")
    table = table_of(task)
    assert [row.system for row in table.rows] == ["fine"]
    assert len(table.notes) == 2
    assert "broken-00000000.json left out" in table.notes[0]
    assert "lost left out" in table.notes[1]


def test_two_results_of_one_name_are_told_apart(keep, task):
    keep("net", 150, digest="a" * 64), keep("net", 140, digest="b" * 64)
    assert [row.system for row in table_of(task).rows] == ["net #aaaaaaaa", "net #bbbbbbbb"]


def test_levels_and_policies_of_a_system_stand_below_the_ranked_rows(keep, task):
    levels = pd.concat([right(150).assign(level="r4"), right(20).assign(level="r8")], ignore_index=True)
    keep("net", levels, spec="net:level=r4+r8,policy=each,x=1")
    assert [row.system for row in table_of(task).levels] == ["net:x=1 @ r4", "net:x=1 @ r8"]
    keep("fused", 170, spec="net:level=r4+r8,policy=fuse,x=1")
    assert [row.system for row in table_of(task).rows] == ["net:level=r4+r8,policy=fuse,x=1"]
    keep("default", 160, spec="net:x=1")
    table = table_of(task)
    assert [row.system for row in table.rows] == ["net:x=1"], "one row a system"
    assert {row.rank for row in table.levels} == {None}
    assert len(table.levels) == 3
    assert "net:x=1 @ r4" in render.markdown(table)


def test_another_alignment_than_the_declared_one_is_in_the_name(keep, task):
    keep("net", 150, align="tight")
    assert table_of(task).rows[0].system == "net --align tight"


HOSTILE = "evil|name\n| 1 | `best` | <script>alert(1)</script> \x1b[2J ![p](http://x) \\|"


def test_no_name_or_warning_breaks_out_of_its_cell(keep, task, capsys):
    keep("honest", 150)
    keep("evil", 140, spec=HOSTILE, warnings=[HOSTILE])
    table = table_of(task)
    lines = render.markdown(table).splitlines()
    assert len([line for line in lines if line.startswith("|")]) == 4
    evil = lines[3]
    bars = evil.replace("\\\\", "").replace("\\|", "").count("|")
    assert bars == lines[0].count("|") == 8
    assert "`evil" in evil
    assert evil.count("`") == 2 + evil.count("\\`")
    _, _, remarks = evil.rpartition("none | ")
    assert "<script" not in remarks
    assert "![p](" not in remarks
    assert "\x1b" not in evil
    rows = list(csv.reader(io.StringIO(render.comma_separated(table))))
    assert {len(row) for row in rows} == {len(rows[0])}
    assert len(rows) == 3
    print_table(table)
    assert "\x1b" not in capsys.readouterr().out


def test_a_narrow_table_names_the_metrics_that_it_leaves_out(keep, task, capsys, monkeypatch):
    keep("net", 151)
    monkeypatch.setattr(terminal, "_PIPE_WIDTH", 60)
    monkeypatch.setattr(terminal, "columns", lambda *_: ["accuracy", "error[paste]", "error[blur]", "error[floor]"])
    print_table(table_of(task))
    shown = capsys.readouterr().out
    assert "Not shown here: error[paste], error[blur], error[floor], images/s;" in " ".join(shown.split())
    assert ".755 [" in shown, "the main metric keeps its interval"


def test_csv_and_json_hold_every_number_unrounded(keep, task):
    kept = keep("net", 151)
    table = table_of(task)
    row = next(csv.DictReader(io.StringIO(render.comma_separated(table))))
    accuracy = kept.metric("accuracy")
    assert (row["rank"], row["extractor"], row["published"], row["digest"]) == ("1", "net", "False", kept.digest)
    assert [float(row[f"accuracy{end}"]) for end in ("", "_low", "_high")] == [accuracy.value, *accuracy.interval]
    content = json.loads(render.as_json(table))
    assert (content["task"], content["metrics"][0]["name"]) == ("exam", "accuracy")
    assert content["rows"][0]["metrics"][0]["value"] == accuracy.value
    assert content["rows"][0]["result"]["digest"] == kept.digest


def test_markdown_shows_values_with_intervals_and_explains_itself(keep, task):
    keep("net", 150)
    text = render.markdown(table_of(task))
    low, high = table_of(task).rows[0].metric("accuracy").interval
    assert f"| 1 | `net` | 3 | .750 [{low:.3f}, {high:.3f}] |".replace(" 0.", " .").replace("[0.", "[.") in text
    assert "95 % interval over 200 people" in text
    assert "need not differ" in text
    assert "Holm over all pairs" in text


def test_an_empty_table_says_so(task, home):
    assert "No results yet." in render.markdown(table_of(task))


def test_reference_rows_count_under_the_settings_that_all_rows_share(keep, task):
    made = provenance("ghbench run --seed 1", 1)
    kept = [keep("net", 150, provenance=made), keep("blind", 120, provenance=made)]
    assert rank_table(task, entries_of(kept)).floor == "untrained network"
    mixed = [*kept, keep("net2", 130)]
    assert rank_table(task, entries_of(mixed)).floor is None, "a reference of another seed is no reference of theirs"
    aligned = [keep(name, count, align="ffhq") for name, count in (("net", 150), ("blind", 120))]
    declared = keep("own", 140, align="ffhq")
    own = declared.features.model_copy(update={"preprocessing": {"align": "ffhq"}})
    found = Settings.common(entries_of([*aligned, declared.model_copy(update={"features": own})]))
    assert found == Settings(align="ffhq")
    assert all(map(found.are_those_of, [*aligned, declared.model_copy(update={"features": own})]))


def test_the_same_result_twice_is_one_row(keep, task):
    once = keep("net", 150)
    assert len(rank_table(task, entries_of([once, once])).rows) == 1


def test_columns_that_were_asked_for_stand_in_every_format(keep, task):
    keep("net", 150, timing=Timing(
        phases={}, extraction_cached=False, images_per_second=12.3, encoding_memory_mb=456.7, peak_memory_mb=800
    ))  # fmt: skip
    keep("older", 60)
    table = table_of(task).with_columns(["supervision", "memory", "images/s"])
    assert "| rank | extractor | images/s | memory | supervision |" in render.markdown(table)
    assert "| 12 | 457 MB | none |" in render.markdown(table)
    assert "| - | - | none |" in render.markdown(table)
    assert render.values(table)[0] == ["rank", "extractor", "published", "digest", "images/s", "memory", "supervision"]
    assert "<th>images/s</th>" in formats.html(table)
    assert "images/s & memory & supervision" in formats.latex(table)


def test_rescoring_notices_a_changed_number(keep, task):
    kept = keep("net", 150)
    (entry,), _ = collect("exam")
    assert differences(entry, task) == []
    metrics = kept.model_dump()["metrics"]
    for change, sentence in (
        ({"value": 0.9}, "accuracy, value: 0.75 now, 0.9 in the file"),
        ({"interval": None}, "accuracy, low: "),
        ({"value": None}, "accuracy, value: 0.75 now, None in the file"),
        ({"metric": "precision"}, "precision is only in the file"),
    ):
        changed = kept.model_copy(
            update={"metrics": [type(kept.metrics[0])(**{**metrics[0], **change}), kept.metrics[1]]}
        )
        found = differences(type(entry)(changed, entry.path, published=False), task)
        assert any(line.startswith(sentence) for line in found), found
    older = kept.model_copy(update={"task": kept.task.model_copy(update={"version": 1})})
    assert "version 1" in differences(type(entry)(older, entry.path, published=False), task)[0]


@pytest.fixture
def known_names(monkeypatch):
    monkeypatch.setattr(sys.modules["ghbench.tables.names"], "subject_request", lambda name, _task: name)


def test_compare_is_paired_and_signed(keep, known_names):
    keep("first", 150), keep("second", 130)
    found = compare("first", "second", "exam")
    # 20 of 200 people are right under one and wrong under the other: .1, deviation .3 / sqrt(200).
    assert found.difference.value == pytest.approx(0.1)
    assert found.difference.high - found.difference.low == pytest.approx(2 * 1.96 * 0.3 / np.sqrt(200), rel=0.1)
    assert found.difference.p_value < 1e-4
    backwards = compare("second", "first", "exam")
    assert backwards.difference.low == pytest.approx(-found.difference.high)
    assert (found.unit, found.metric) == ("200 people", "accuracy")


def test_compare_asks_which_of_several_is_meant_and_says_what_is_missing(keep, known_names):
    keep("first", 150, digest="a" * 64, created="2026-01-01T00:00:00+00:00")
    keep("first", 100, digest="b" * 64, created="2026-02-01T00:00:00+00:00")
    keep("second", 130)
    with pytest.raises(UsageError, match="'first' can mean 2 rows: first #aaaaaaaa, first #bbbbbbbb"):
        compare("first", "second", "exam")
    assert compare("first #bbbbbbbb", "second", "exam").values == (0.5, 0.65)
    with pytest.raises(MissingError, match="no result of 'third'") as caught:
        compare("first #aaaaaaaa", "third", "exam")
    assert caught.value.fix == "ghbench run --extractor third --task exam"
    with pytest.raises(UsageError, match="no metric 'auc' to compare; it has accuracy, half"):
        compare("first #aaaaaaaa", "second", "exam", metric="auc")


def test_a_value_below_one_is_never_shown_as_one():
    below = MetricValue(metric="auc", value=0.99996, interval=(0.9994, 1.0))
    assert render.cell(below) == ">.999 [.999, 1.000]"


def test_the_overview_keeps_how_a_row_was_run():
    assert usual_name("mobilenet-v2:level=features.3 --align tight") == "mobilenet-v2 --align tight"
    assert usual_name("random-trunk:seed=0 --dtype int8 #1234abcd") == "random-trunk --dtype int8 #1234abcd"
    ranks = {name for name, *_ in overview(Choice(published=True, extractors=("discriminator*", "ghfeat*"))).ranks()}
    assert "ghfeat" in ranks
    assert any(name.startswith("discriminator:") and "level=all" in name for name in ranks)


def test_all_tasks_stand_side_by_side(monkeypatch, tmp_path):
    monkeypatch.setenv("GHBENCH_HOME", str(tmp_path))
    folder = tmp_path / "results"
    for name in ("orl", "knn-dataset=orl-e3bcc784"):
        shutil.copytree(FOLDER / name, folder / name)
    done = CliRunner().invoke(app, ["leaderboard", "--own", "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert [row["task"] for row in found["tasks"]] == ["knn:dataset=orl", "orl"]
    assert found["tasks"][1]["best"] == "dlib-face"
    assert set(found["ranks"]["mobilenet-v2"]) == {"knn:dataset=orl", "orl"}
    assert found["ranks"]["random-projection"]["knn:dataset=orl"] == "-"
    level = "ghfeat @ rgb=X"
    named = CliRunner().invoke(app, ["leaderboard", "-t", "orl", "--published", "--as", level])
    assert "is a level of one" in str(named.exception)
    plain = CliRunner().invoke(app, ["leaderboard", "--own"])
    assert "(1) knn:dataset=orl; (2) orl" in plain.stdout
    assert CliRunner().invoke(app, ["leaderboard", "--format", "csv"]).exit_code != 0
