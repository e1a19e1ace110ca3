"""Suites: read strictly, checked before anything runs, resumed, and never a number that nobody measured."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import ghbench
from ghbench.cli.main import app
from ghbench.errors import DataError, MissingError, UsageError
from ghbench.extraction import ExtractionOptions
from ghbench.results import files
from ghbench.running.options import RunOptions
from ghbench.store import FeatureStore
from ghbench.suites import load_suite, run_suite, shipped_suites, suite_of
from ghbench.suites.definition import Suite
from ghbench.suites.terminal import print_matrix


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "suite.yaml"
        path.write_text(text)
        return str(path)

    return write


@pytest.fixture
def changes(tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_HOME", str(tmp_path / "home"))
    store = FeatureStore(tmp_path / "store")
    return {"store": store, "results": tmp_path / "results", "extraction": ExtractionOptions(workers=0)}


def declared(tree, aggregate="normalised", extractors="[pixels, thumbnail]"):
    return f"""
name: two faces
version: 3
extractors: {extractors}
tasks:
  - {{task: "lfw:root={tree}", chance: 0.5, ceiling: 1}}
  - {{task: "lfw:root={tree},flip=true", chance: 0.5, ceiling: 1}}
{f"aggregate: {aggregate}" if aggregate else ""}
"""


GOOD = "name: a\nversion: 1\nextractors: [pixels]\ntasks: [orl]\n"


@pytest.mark.parametrize(
    ("text", "error", "fact"),
    [
        (GOOD + "colour: red\n", DataError, "line 5: colour"),
        (GOOD.replace("1\n", "one\n"), DataError, "line 2: version"),
        (GOOD.replace("1\n", "true\n"), DataError, "line 2: version"),
        (GOOD + "options:\n  seed: 0\n  limit: 0\n", DataError, "line 7: options.limit"),
        (GOOD.replace("[orl]", "[orl, orl]"), DataError, "twice"),
        (GOOD + "name: b\n", DataError, "line 5: a key"),
        (GOOD + "aggregate: normalised\n", DataError, "chance"),
        (GOOD + "aggregate: mean-rank\n", DataError, "two tasks"),
        (GOOD.replace("tasks", "tasks: x\n tasks"), DataError, "line"),
        (GOOD.replace("[pixels]", "&x [pixels]") + "again: *x\n", DataError, "line 5: an alias"),
        ("[" * 5000, DataError, "nesting"),
        ("- a\n", DataError, "not a suite"),
        (GOOD.replace("1\n", "!!python/object/apply:os.getcwd []\n"), DataError, "line 2"),
        (GOOD.replace("pixels", "./own.py:Net"), UsageError, "line 3"),
        (GOOD.replace("pixels", "os:getcwd"), UsageError, "line 3"),
        (GOOD.replace("[orl]", '["lfw:root=/tmp"]'), UsageError, "line 4"),
    ],
)
def test_what_is_no_suite_is_refused_with_its_line(written, text, error, fact):
    with pytest.raises(error, match=fact):
        load_suite(written(text))


def test_own_names_are_allowed_only_on_request(written):
    text = GOOD.replace("pixels", "./own.py:Net")
    assert load_suite(written(text), own_code=True).extractors == ["./own.py:Net"]


def test_a_folder_or_a_missing_file_is_no_suite(tmp_path):
    (tmp_path / "a.yaml").mkdir()
    with pytest.raises(DataError, match="not a file"):
        load_suite(str(tmp_path / "a.yaml"))
    with pytest.raises(MissingError):
        load_suite(str(tmp_path / "b.yaml"))
    with pytest.raises(UsageError, match="quick"):
        load_suite("quik")


def test_the_suites_that_ship_are_valid():
    assert {"faces", "quick", "classification"} <= set(shipped_suites())
    for name in shipped_suites():
        assert load_suite(name).name == name


def test_all_that_lacks_is_listed_before_anything_runs(written, changes, tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_DATA", str(tmp_path / "data"))
    suite = suite_of(["pixels", "imported:name=none"], [f"lfw:root={tmp_path}/a", f"lfw:root={tmp_path}/b"])
    with pytest.raises(MissingError) as caught:
        ghbench.run(["pixels"], [task.task for task in suite.tasks], **changes)
    assert f"{tmp_path}/a" in str(caught.value)
    assert f"{tmp_path}/b" in str(caught.value)
    assert not changes["results"].exists()


def test_a_wrong_policy_is_found_before_anything_runs(lfw_tree, changes):
    with pytest.raises(UsageError, match="nothing was run"):
        ghbench.run(["pixels", "thumbnail:level=none"], f"lfw:root={lfw_tree}", **changes)
    assert not changes["results"].exists()


@pytest.mark.parametrize("aggregate", ["normalised", "mean-rank"])
def test_the_aggregate_is_the_declared_one_with_an_interval(written, changes, lfw_tree, aggregate):
    path = written(declared(lfw_tree, aggregate))
    matrix = ghbench.run_suite(path, allow_own_code=True, **changes)
    values = {row: [cell.value for cell in cells.values()] for row, cells in matrix.rows.items()}
    if aggregate == "normalised":
        expected = {row: np.mean([(value - 0.5) / 0.5 for value in found]) for row, found in values.items()}
    else:
        first, second = np.array(values["pixels"]), np.array(values["thumbnail"])
        ranks = 1.5 + np.sign(second - first) / 2
        expected = {"pixels": ranks.mean(), "thumbnail": (3 - ranks).mean()}
    for row, value in expected.items():
        found = matrix.aggregates[row]
        assert found.value == pytest.approx(value)
        assert found.interval is not None
        assert found.interval[0] <= found.interval[1]
    (record,) = (files.results_folder().parent / "suites").iterdir()
    assert json.loads(record.read_text())["digest"] == matrix.digest


def test_a_system_that_lacks_a_task_has_no_aggregate(written, changes, lfw_tree, capsys):
    suite = Suite.model_validate(
        {
            "name": "one blank",
            "version": 1,
            "extractors": ["random-projection"],
            "tasks": [f"lfw:root={lfw_tree}", "reconstruction"],
            "aggregate": "mean-rank",
        }
    )
    matrix = run_suite(suite, (), RunOptions(**changes))
    cell = matrix.rows["random-projection"]["reconstruction"]
    assert cell.value is None
    assert "Decoder" in cell.reason
    assert matrix.aggregates["random-projection"].value is None
    assert "reconstruction" in matrix.aggregates["random-projection"].reason
    assert not [outcome for outcome in matrix.outcomes if outcome.status == "failed"]
    print_matrix(matrix)
    assert "Decoder" in capsys.readouterr().out
    frame = matrix.to_frame()
    assert len(frame) == 3
    assert frame["value"].notna().sum() == 1


def test_finished_pairs_are_read_back(written, changes, lfw_tree):
    path = written(declared(lfw_tree, None))
    first = ghbench.run_suite(path, allow_own_code=True, **changes)
    again = ghbench.run_suite(path, allow_own_code=True, **changes)
    made = [outcome.provenance.created for outcome in first.outcomes]
    assert [outcome.provenance.created for outcome in again.outcomes] == made
    assert again.aggregate is None
    assert again.aggregates == {}


def test_another_question_has_a_record_of_its_own(written, changes, lfw_tree):
    path = written(declared(lfw_tree))
    for extractors, more in ((None, {}), (["pixels", "thumbnail"], {"seed": 5}), (["pixels"], {})):
        matrix = ghbench.run_suite(path, extractors or (), allow_own_code=True, **changes, **more)
    records = [json.loads(file.read_text()) for file in (files.results_folder().parent / "suites").iterdir()]
    assert sorted(len(record["rows"]) for record in records) == [1, 2, 2]
    assert list(matrix.rows) == ["pixels"]


def test_an_option_that_the_suite_declares_otherwise_is_refused(written, changes, lfw_tree):
    path = written(declared(lfw_tree) + "options: {seed: 2}\n")
    with pytest.raises(UsageError, match="declares seed=2, not 3"):
        ghbench.run_suite(path, allow_own_code=True, **changes, seed=3)
    assert ghbench.run_suite(path, allow_own_code=True, **changes, seed=2).outcomes[0].provenance.seed == 2


def test_levels_are_rows_of_their_own(changes, lfw_tree):
    matrix = ghbench.run("pixels:policy=each", [f"lfw:root={lfw_tree}"], **changes)
    assert [row for row in matrix.rows if row.startswith("pixels:policy=each @ ")] == list(matrix.rows)


def test_the_command_line_asks_for_one_thing_and_prints_one_matrix(written, changes, lfw_tree):
    def run(*arguments):
        return CliRunner().invoke(app, ["run", *arguments])

    own = ["-e", "pixels", "-t", "orl", "--allow-own-code"]
    for arguments in (
        [],
        own,
        ["-t", "orl"],
        ["-t", "orl", "--suite", "quick"],
        ["-e", "pixels", "-t", "all", "-t", "orl"],
    ):
        assert isinstance(run(*arguments).exception, UsageError)
    path = written(declared(lfw_tree, None, "[pixels]"))
    assert isinstance(run(path).exception, UsageError)
    results = ["--results", str(changes["results"]), "--workers", "0"]
    done = run(path, "--allow-own-code", *results)
    assert done.exit_code == 0
    assert "suite two faces, version 3" in done.stdout
    content = json.loads(run(path, "--allow-own-code", "--json", *results).stdout)
    assert set(content["rows"]) == {"pixels"}
    assert content["version"] == 3
