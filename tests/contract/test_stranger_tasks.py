"""The contract carries three kinds of tasks that the library does not know: run, table, compare, verify, kit."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from stranger_tasks import Nearest, Shapes, Spread, Travel

from ghbench.errors import MissingError, ProtocolError, UsageError
from ghbench.extractor import ExtractorSpec, TrainingRecord
from ghbench.results import files, scoring
from ghbench.running.runner import run, run_pairs
from ghbench.tables import collect, compare, rank_table, render
from ghbench.tables.rescore import differences
from ghbench.task import Evaluation, Role, Units
from ghbench.testing import ConformanceError, check_task
from ghbench.testing.stand_in import StandInExtractor, StandInNavigator

FILE = Path(__file__).with_name("stranger_tasks.py")


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path


class Learned(StandInExtractor):
    """A stand-in that says what it learned from."""

    def __init__(self, *datasets, image_digests=None):
        super().__init__()
        self.record = TrainingRecord(datasets, image_digests, supervision="class labels")

    def spec(self):
        about = super().spec()
        values = {
            name: getattr(about, name)
            for name in ("name", "version", "weights_digest", "licence", "levels", "default_levels", "preprocessing")
        }
        return ExtractorSpec(**values, training=self.record)


@pytest.mark.parametrize("task", [Nearest, Travel, Spread])
def test_the_kit_passes_them(task):
    assert check_task(task())


def test_the_command_line_runs_and_ranks_them(home):
    arguments = ["-e", "pixels:size=8", "-e", "thumbnail", "-t", f"{FILE}:Nearest", "--references", "--json"]
    done = subprocess.run([sys.executable, "-m", "ghbench", "run", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    assert [one["subject"]["name"] for one in results] == ["pixels", "thumbnail", "majority-class", "random-projection"]
    roles = results[0]["datasets"]
    assert {role: (data["images"], data["judged"]) for role, data in roles.items()} == {
        "train": (36, False), "validation": (18, False), "test": (36, True),
    }  # fmt: skip
    constant = results[2]
    assert constant["subject"]["constant"]
    assert constant["features"] is None
    assert constant["metrics"][0]["value"] == pytest.approx(1 / 3)


def test_systems_rank_constants_are_rows_and_levels_stand_apart():
    task = Nearest()
    run_pairs(["pixels:size=8", StandInExtractor()], [task], references=True)
    run(StandInExtractor(seed=1), task)
    entries, _ = collect(task.name)
    table = rank_table(task, entries)
    assert table.unranked is None
    assert table.unit == "36 images"
    assert {row.system for row in table.rows} >= {"pixels:size=8", "majority-class", "random-projection"}
    assert next(row for row in table.rows if row.system == "random-projection").standing == "floor"
    assert next(row for row in table.rows if row.system == "majority-class").what == "constant answer"
    assert "| chosen-k |" in render.markdown(table)


def test_each_level_is_scored_by_the_runner():
    result = run(StandInExtractor(), Nearest())
    assert {value.level for value in result.metrics} == {None}
    from dataclasses import replace

    from ghbench.running.options import RunOptions
    from ghbench.running.pair import Pair
    from ghbench.running.request import subject_request

    request = replace(subject_request(StandInExtractor()), policy="each")
    by_level = Pair(request, Nearest(), RunOptions(), "").result()
    assert [value.level for value in by_level.metrics if value.metric == "top1"] == ["first", "second"]
    table = rank_table(Nearest(), collect("nearest-shapes")[0])
    assert [row.system for row in table.rows] == ["conformance"]
    assert [row.level for row in table.levels] == ["first", "second"]
    assert all(row.rank is None for row in table.levels)


def test_compare_and_verify_go_by_the_declared_uncertainty():
    task = Nearest()
    run_pairs(["pixels:size=8"], [task], references=True)
    found = compare("pixels:size=8", "majority-class", task)
    assert found.unit == "36 images"
    assert found.difference.low < found.difference.value < found.difference.high
    assert compare("pixels:size=8", "random-projection", task, "chosen-k").difference is None
    for entry in collect(task.name)[0]:
        assert differences(entry, task) == []


def test_a_navigator_needs_no_levels_and_is_identified_by_generator_space_and_directions():
    first, second = run(StandInNavigator(0), Travel()), run(StandInNavigator(1), Travel())
    assert first.features is None
    assert first.navigator.generator == "tiny"
    assert first.navigator.space == "w_plus"
    assert first.navigator.directions_digest != second.navigator.directions_digest
    assert first.digest != second.digest
    table = rank_table(Travel(), collect("travel")[0])
    assert table.unranked is None
    assert table.unit == "12 seeds"
    with pytest.raises(UsageError):
        run("pixels", Travel())


def test_a_number_without_uncertainty_is_sorted_not_ranked_and_a_standard_error_is_shown():
    task = Spread()
    for seed in range(3):
        run(StandInExtractor(seed), task)
    table = rank_table(task, collect("spread")[0])
    assert table.unranked is not None
    assert [row.rank for row in table.rows] == [None] * 3
    values = [row.metric("dimensions") for row in table.rows]
    assert all(value.interval is None for value in values)
    assert sorted((value.value for value in values), reverse=True) == [value.value for value in values]
    text = render.markdown(table)
    assert "±" in text
    assert "over two halves of the set" in text
    assert compare(table.rows[0].system, table.rows[0].system, task).difference is None


def test_an_incomplete_result_says_what_it_lacks_and_is_finished_when_that_is_there():
    task = Spread()
    task.complete = False
    first = run("pixels:size=8", task)
    assert first.status == "incomplete"
    assert [(one.what, one.fix) for one in first.missing] == [("half-to-half", "fetch the ladder")]
    assert "fetch the ladder" in render.markdown(rank_table(task, collect("spread")[0]))
    path = files.path_of(first)
    written = path.stat().st_mtime_ns
    assert run("pixels:size=8", task) == first
    assert path.stat().st_mtime_ns == written, "still missing: the result is read back"
    task.complete = True
    second = run("pixels:size=8", task)
    assert (second.status, second.missing, second.digest) == ("complete", [], first.digest)


def test_the_limit_applies_to_each_role():
    result = run("pixels:size=8", Nearest(), limit=9)
    assert {role: data.images for role, data in result.datasets.items()} == {"train": 9, "validation": 9, "test": 9}
    assert result.status == "partial"


def test_what_learned_from_the_training_split_is_judged_on_the_test_split():
    assert run(Learned("shapes#train"), Nearest()).overlap.startswith("none by name")
    for record in ("shapes", "shapes#test", "shapes#Test", "shapes#train+test"):
        with pytest.raises(ProtocolError):
            run(Learned(record), Nearest())
    train, test = (frozenset(np.array(Shapes().identities())[Shapes().splits[part]]) for part in ("train", "test"))
    assert run(Learned(image_digests=train), Nearest()).overlap == "none by name of dataset and by image"
    with pytest.raises(ProtocolError):
        run(Learned(image_digests=test), Nearest())


def test_policies_are_refused_before_anything_is_extracted(home):
    with pytest.raises(UsageError):
        run("pixels:size=8,policy=vote", Nearest())
    assert not (home / "cache" / "features").exists()


def test_undeclared_scores_are_refused():
    class Undeclared(Spread):
        metrics = (Spread.metrics[0],)

    with pytest.raises(ConformanceError, match="half-to-half"):
        check_task(Undeclared())


def test_draws_are_made_in_blocks(monkeypatch):
    records = Nearest().evaluate
    sizes = []
    chunks = scoring.statistics.multiplicity_chunks

    def watched(*args):
        for block in chunks(*args):
            sizes.append(block.size)
            yield block

    monkeypatch.setattr(scoring.statistics, "multiplicity_chunks", watched)
    assert records is not None
    run("pixels:size=8", Nearest())
    assert sizes
    assert max(sizes) <= 4_000_000


def test_missing_results_are_named():
    with pytest.raises(MissingError):
        compare("pixels", "thumbnail", Nearest())


def test_overlap_that_is_only_flagged_stands_in_the_table(monkeypatch):
    protocol = Nearest.protocol
    monkeypatch.setattr(Nearest, "protocol", lambda self: {**protocol(self), "training_overlap": "flag"})
    run(Learned("shapes"), Nearest())
    (row,) = rank_table(Nearest(), collect("nearest-shapes")[0]).rows
    assert "it learned from shapes" in render.remark(row, None)


def test_two_tasks_never_share_a_folder_unless_only_paths_differ():
    assert files.task_folder("pairs:path=/a/b") == files.task_folder("pairs:path=/c")  # digests tell their contents
    names = ["w:x=1", "w-x=1", "pairs:path=/a/b", "pairs:image=/a/b", "p" * 300, "p" * 299 + "q"]
    folders = {files.task_folder(name) for name in names}
    assert len(folders) == len(names)
    assert max(map(len, folders)) < 80


def test_other_splits_are_another_result():
    class OtherSplit(Shapes):
        def __init__(self):
            super().__init__()
            self.splits = {**self.splits, "spare": self.splits["validation"]}

    class OfWhole(Nearest):
        data = Shapes

        def roles(self):
            return {**super().roles(), "whole": Role(self.data(), judged=False, views=())}

    first = run("pixels:size=8", OfWhole())
    OfWhole.data = OtherSplit
    assert run("pixels:size=8", OfWhole()).digest != first.digest


def test_systems_over_different_units_are_neither_ranked_nor_compared(monkeypatch):
    run("pixels:size=8", Nearest())
    evaluate = Nearest.evaluate

    def half(self, inputs):
        found = evaluate(self, inputs)
        return Evaluation(found.records.iloc[::2].reset_index(drop=True))

    monkeypatch.setattr(Nearest, "evaluate", half)
    monkeypatch.setattr(
        Nearest, "units", lambda _self, records: Units("images", np.arange(len(records)), None, len(records),
                                                       records["image"].tolist()),
    )  # fmt: skip
    run("thumbnail", Nearest())
    table = rank_table(Nearest(), collect("nearest-shapes")[0])
    assert "different units" in table.unranked
    with pytest.raises(UsageError):
        compare("pixels:size=8", "thumbnail", Nearest())


def test_the_recorded_command_names_the_task_as_the_user_did(home):
    outcome = run("pixels:size=8", f"{FILE}:Nearest")
    assert outcome.provenance.command == f"ghbench run --extractor pixels:size=8 --task {FILE}:Nearest"
    constant = run("majority-class", f"{FILE}:Nearest")
    assert constant.provenance.command == f"ghbench run --extractor majority-class --task {FILE}:Nearest"
