"""Tables: who stands in them, in which order, and that no plugin can write anything into them but its name."""

import csv
import io
import json
import sys
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from ghbench.errors import MissingError, UsageError
from ghbench.extractor import Encoder
from ghbench.results import files, statistics
from ghbench.results.provenance import provenance
from ghbench.results.schema import DatasetRecord, ExtractorRecord, MetricValue, Result, TaskRecord
from ghbench.tables import collect, compare, entries_of, rank_table, render, table_of_results, terminal
from ghbench.tables.rescore import differences
from ghbench.tables.terminal import print_table
from ghbench.task import Score, Units


@dataclass
class RightOrWrong:
    """One record a person; the metric is how many of them are right."""

    name: str = "exam"
    version: int = 2
    main_metric: str = "accuracy"
    requires: tuple = (Encoder,)
    references: tuple = ("blind",)
    untrained: str = "blind"

    def protocol(self):
        return {"kind": "exam"}

    def datasets(self):
        return {}

    def evaluate(self, inputs, rng):
        raise AssertionError("results are written by the tests themselves")

    def score(self, records, sample_weight=None):
        found = [
            (level, records["level"] == level if level else records["level"].isna())
            for level in records["level"].unique()
        ]
        weight = np.ones(len(records)) if sample_weight is None else sample_weight
        return [
            Score(metric, float(np.average(records["right"][rows] * scale, weights=weight[rows])), level=level)
            for level, rows in found
            for metric, scale in (("accuracy", 1.0), ("half", 0.5))
        ]

    def score_replicates(self, records, multiplicity, metrics=None):
        found = {}
        for level, rows in records.groupby("level", dropna=False):
            rate = multiplicity[:, rows["person"]] @ rows["right"].to_numpy() / 200
            key = level if isinstance(level, str) else None
            found |= {("accuracy", key): rate, ("half", key): rate / 2}
        return found

    def units(self, records):
        return Units("people", records["person"].to_numpy(), None, 200)


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


def right(count, level=None):
    return pd.DataFrame({"person": np.arange(200), "right": np.arange(200) < count, "level": [level] * 200})


@pytest.fixture
def keep(task, home):
    """Write the result of a system that is right about so many of 200 people."""

    def write(name, count, *, digest=None, published=False, version=2, spec=None, created=None, **changes):
        records = count if isinstance(count, pd.DataFrame) else right(count)
        metrics = statistics.with_intervals(task.score(records), statistics.replicates(task, records), "people")
        made = provenance("ghbench run", 0)
        result = Result(
            **{
                "digest": digest or f"{name:0<64}",
                "status": "complete",
                "extractor": ExtractorRecord(
                    name=name, spec_string=spec or name, version="1", package="", package_version=None, levels=["a"],
                    dims=[3], policy="concat", weights_digest="0", preprocessing={"align": "none"},
                    similarity="cosine", backend="numpy-float32", centred=False,
                    training={"supervision": "none"}, licence="none",
                ),
                "task": TaskRecord(
                    name="exam", version=version, main_metric="accuracy", references=["blind"], untrained="blind",
                    protocol={"kind": "exam"},
                ),
                "align": {"name": "none"},
                "datasets": {"faces": DatasetRecord(name="f", images=1, content_digest="c", recipe_digest=None)},
                "domain": "real",
                "overlap": "none",
                "metrics": metrics,
                "provenance": made.model_copy(update={"created": created or made.created}),
                **changes,
            }
        )  # fmt: skip
        folder = home / "published" if published else files.results_folder()
        return files.save(result, records, files.path_of(result, folder))

    return write


def table_of(task):
    entries, notes = collect("exam")
    return rank_table(task, entries, notes)


def test_rank_counts_who_is_significantly_better_and_noise_shares_a_rank(keep, task):
    keep("good", 190), keep("as-good", 189), keep("bad", 60)
    table = table_of(task)
    assert [(row.rank, row.system) for row in table.rows] == [(1, "good"), (1, "as-good"), (3, "bad")]
    assert table.rows[0].metrics[0].value == 0.95


def test_rows_no_better_than_the_untrained_network_say_so(keep, task):
    keep("blind", 100), keep("lucky", 102), keep("worse", 20), keep("good", 190)
    remarks = {row.system: render.remark(row) for row in table_of(task).rows}
    against = render.AGAINST_UNTRAINED
    assert remarks == {"good": "", "blind": "", "lucky": against["same"], "worse": against["worse"]}


def test_a_table_of_new_results_holds_the_references_that_are_finished_and_names_the_others(keep, task):
    new = keep("good", 190)
    (note,) = table_of_results("exam", [new]).notes
    assert note == "Reference rows that are not here: ghbench run --extractor blind --task exam"
    keep("blind", 100, published=True)
    table = table_of_results("exam", [new])
    assert [(row.system, row.standing) for row in table.rows] == [("good", "better"), ("blind", "untrained")]
    assert table.notes == ()


def test_one_s_own_row_stands_for_a_published_one_of_the_same_identity(keep, task):
    keep("same", 150, published=True), keep("same", 150), keep("other", 100, published=True)
    table = table_of(task)
    assert {row.system: row.entry.published for row in table.rows} == {"same": False, "other": True}
    marks = render.markdown(table).splitlines()
    assert ["published" in line for line in marks[2:4]] == [False, True]
    entries, _ = collect("exam", published=False)
    assert [entry.result.extractor.name for entry in entries] == ["same"]


def test_older_task_versions_other_images_and_other_protocols_are_left_out_with_a_note(keep, task):
    keep("new-a", 150), keep("new-b", 150), keep("old", 190, version=1)
    keep(
        "elsewhere", 190, datasets={"faces": DatasetRecord(name="f", images=1, content_digest="x", recipe_digest=None)}
    )
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


def test_levels_stand_as_rows_of_their_own(keep, task):
    levels = pd.concat([right(150, "r4"), right(20, "r8")], ignore_index=True)
    keep("net", levels, spec="net:level=r4+r8,policy=each,x=1")
    assert [row.system for row in table_of(task).rows] == ["net:x=1 @ r4", "net:x=1 @ r8"]


def test_another_alignment_than_the_declared_one_is_in_the_name(keep, task):
    keep("net", 150, align={"name": "tight"})
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
    assert bars == lines[0].count("|") == 7
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
    monkeypatch.setattr(terminal, "columns", lambda _table: ["accuracy", "error[paste]", "error[blur]", "error[floor]"])
    print_table(table_of(task))
    assert "Not shown here: error[paste], error[blur], error[floor];" in capsys.readouterr().out.replace("\n", " ")


def test_csv_and_json_hold_every_number_unrounded(keep, task):
    kept = keep("net", 151)
    table = table_of(task)
    row = next(csv.DictReader(io.StringIO(render.comma_separated(table))))
    accuracy = kept.metric("accuracy")
    assert (row["rank"], row["extractor"], row["published"], row["digest"]) == ("1", "net", "False", kept.digest)
    assert [float(row[f"accuracy{end}"]) for end in ("", "_low", "_high")] == [accuracy.value, *accuracy.ci]
    content = json.loads(render.as_json(table))
    assert (content["task"], content["main_metric"]) == ("exam", "accuracy")
    assert content["rows"][0]["metrics"][0]["value"] == accuracy.value
    assert content["rows"][0]["result"]["digest"] == kept.digest


def test_markdown_shows_values_with_intervals_and_explains_itself(keep, task):
    keep("net", 150)
    text = render.markdown(table_of(task))
    low, high = table_of(task).rows[0].metrics[0].ci
    assert f"| 1 | `net` | .750 [{low:.3f}, {high:.3f}] |".replace("0.", ".") in text
    assert "percentile bootstrap over the" in text
    assert "Holm over all pairs" in text


def test_an_empty_table_says_so(task, home):
    assert "No results yet." in render.markdown(table_of(task))


def test_the_same_result_twice_is_one_row(keep, task):
    once = keep("net", 150)
    assert len(rank_table(task, entries_of([once, once])).rows) == 1


def test_rescoring_notices_a_changed_number(keep, task):
    kept = keep("net", 150)
    (entry,), _ = collect("exam")
    assert differences(entry, task) == []
    metrics = kept.model_dump()["metrics"]
    for change, sentence in (
        ({"value": 0.9}, "accuracy, value: 0.75 now, 0.9 in the file"),
        ({"ci": None}, "accuracy, low: "),
        ({"value": None}, "accuracy, value: 0.75 now, None in the file"),
        ({"metric": "precision"}, "precision is only on one side"),
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
    monkeypatch.setattr(sys.modules["ghbench.tables.compare"], "extractor_request", lambda name: name)


def test_compare_is_paired_and_signed(keep, known_names):
    keep("first", 150), keep("second", 130)
    found = compare("first", "second", "exam")
    # 20 of 200 people are right under one and wrong under the other: .1, deviation .3 / sqrt(200).
    assert found.difference.value == pytest.approx(0.1)
    assert found.difference.high - found.difference.low == pytest.approx(2 * 1.96 * 0.3 / np.sqrt(200), rel=0.1)
    assert found.difference.p_value < 1e-4
    backwards = compare("second", "first", "exam")
    assert backwards.difference.low == pytest.approx(-found.difference.high)
    assert (found.unit, found.metric) == ("people", "accuracy")


def test_compare_takes_the_newest_of_several_and_says_what_is_missing(keep, known_names):
    keep("first", 150, digest="a" * 64, created="2026-01-01T00:00:00+00:00")
    keep("first", 100, digest="b" * 64, created="2026-02-01T00:00:00+00:00")
    keep("second", 130)
    assert compare("first", "second", "exam").values == (0.5, 0.65)
    with pytest.raises(MissingError, match="no result of 'third'") as caught:
        compare("first", "third", "exam")
    assert caught.value.fix == "ghbench run --extractor third --task exam"
    with pytest.raises(UsageError, match="no metric 'auc' to compare; it has accuracy, half"):
        compare("first", "second", "exam", metric="auc")


def test_a_value_below_one_is_never_shown_as_one():
    below = MetricValue(metric="auc", value=0.99996, unit="fraction", higher_is_better=True, ci=(0.9994, 1.0))
    assert render.cell(below) == ">.999 [.999, 1.000]"
