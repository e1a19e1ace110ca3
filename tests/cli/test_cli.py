"""The command line as a shell sees it: exit codes, stdout and stderr, and response times."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock

from ghbench import locations
from ghbench.cli.compare import p_value_text

GHBENCH = Path(sys.executable).with_name("ghbench")
pytestmark = pytest.mark.skipif(not GHBENCH.is_file(), reason="the ghbench script is not installed")

SLOW = '''
import time
import numpy as np
from ghbench.extractor import ExtractorSpec, Level, Preprocessing, TrainingRecord

class Slow:
    """Takes its time."""

    def spec(self):
        levels = (Level("x", 2),)
        return ExtractorSpec(
            name="slow", version="1", levels=levels, default_levels=("x",), preprocessing=Preprocessing((8, 8)),
            weights_digest="0", training=TrainingRecord(), licence="none",
        )

    def extract(self, images):
        print("extracting", flush=True)
        time.sleep(60)

class Broken(Slow):
    """Fails."""

    def extract(self, images):
        raise ValueError("no")
'''


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """A home of its own, with the weights and images that are already in the cache."""
    folder = tmp_path_factory.mktemp("cli")
    cache = folder / "cache"
    cache.mkdir()
    for shared in ("assets", "datasets"):
        (locations.cache() / shared).mkdir(parents=True, exist_ok=True)
        (cache / shared).symlink_to(locations.cache() / shared)
    (folder / "plugins.py").write_text(SLOW)
    return {
        **{name: value for name, value in os.environ.items() if name not in {"COLUMNS", "FORCE_COLOR"}},
        "GHBENCH_HOME": str(folder / "home"),
        "GHBENCH_CACHE": str(cache),
        "PLUGINS": str(folder / "plugins.py"),
    }


@pytest.fixture
def ghbench(environment):
    def run(*arguments, **changes):
        return subprocess.run(
            [GHBENCH, *arguments], capture_output=True, text=True, check=False, env={**environment, **changes}
        )

    return run


@pytest.fixture
def tree(lfw_tree):
    return f"lfw:root={lfw_tree}"


def test_tables_go_to_stdout_and_nothing_to_stderr(ghbench, tree):
    done = ghbench("run", "-e", "thumbnail:size=4", "-e", "pixels:size=4", "-t", tree)
    assert done.returncode == 0, done.stderr
    assert f"{tree}: sorted by accuracy" in "".join(done.stdout.split("\n"))
    assert "thumbnail:size=4" in done.stdout
    assert "\x1b" not in done.stdout  # no colours and no bars unless it is a terminal
    assert done.stderr == ""
    again = ghbench("run", "-e", "thumbnail:size=4", "-t", tree, NO_COLOR="1", FORCE_COLOR="1")
    assert "\x1b" not in again.stdout


def test_json_is_a_list_of_results(ghbench, tree):
    done = ghbench("run", "-e", "thumbnail:size=4", "-t", tree, "--json", "--limit", "9")
    (result,) = json.loads(done.stdout)
    assert (result["status"], result["limit"], result["schema_version"]) == ("partial", 9, 2)
    assert {"metric", "value", "interval"} <= set(result["metrics"][0])


def test_reference_rows_are_run_on_request(ghbench, tree):
    done = ghbench("run", "-e", "thumbnail:size=4", "-t", tree, "--json", "--limit", "10", "--references")
    ran = [result["subject"]["spec_string"] for result in json.loads(done.stdout)]
    assert ran[0] == "thumbnail:size=4"
    assert {"pixels", "random-trunk"} <= set(ran)


@pytest.mark.parametrize(
    ("arguments", "code", "fact"),
    [
        (["run", "-e", "thumbnail:size=4", "-t", "lfw:root=./nowhere"], 3, "nowhere"),
        (["run", "-e", "{plugins}:Broken", "-t", "{tree}"], 1, "ValueError: no"),
        (
            ["run", "-e", "{plugins}:Broken", "-t", "{tree}", "-t", "lfw:root=./nowhere,version=original"],
            1,
            "ValueError",
        ),
        (["run", "-e", "thumbnial", "-t", "{tree}"], 2, "thumbnail"),
        (["run", "-e", "thumbnail:sise=4", "-t", "{tree}"], 2, "'size'"),
        (["run", "-e", "thumbnail:level=deep", "-t", "{tree}"], 2, "'deep'"),
        (["run", "-e", "thumbnail", "-t", "{tree}", "--align", "left"], 2, "'left'"),
        (["run", "-e", "thumbnail", "-t", "{tree}", "--limit", "0"], 2, "--limit"),
        (["run", "-e", "thumbnail", "-t", "{tree}", "--seed", "-1"], 2, "--seed"),
        (["run", "-t", "{tree}"], 2, "--extractor"),
        (["describe", "task", "orll"], 2, "orll"),
        (["leaderboard", "-t", "orl", "--own", "--published"], 2, "--own"),
        (["compare", "pixels", "thumbnail:size=5", "-t", "lfw"], 3, "pixels"),
        (["cache", "clear"], 2, "--all"),
    ],
)
def test_each_kind_of_failure_has_its_exit_code_and_no_traceback(ghbench, environment, tree, arguments, code, fact):
    filled = [part.format(plugins=environment["PLUGINS"], tree=tree) for part in arguments]
    done = ghbench(*filled)
    assert (done.returncode, fact in done.stderr) == (code, True), done.stderr
    assert "Traceback" not in done.stderr


def test_wrong_usage_runs_nothing(ghbench, tree, tmp_path):
    done = ghbench(
        "run", "-e", "thumbnail:size=4", "-e", "pixels:sise=4", "-t", tree, GHBENCH_HOME=str(tmp_path / "home")
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert not (tmp_path / "home").exists()


def test_a_failure_stops_no_other_pair_and_the_table_is_printed(ghbench, environment, tree):
    done = ghbench("run", "-e", f"{environment['PLUGINS']}:Broken", "-e", "thumbnail:size=4", "-t", tree)
    assert done.returncode == 1
    assert "thumbnail:size=4" in done.stdout
    assert "Broken" not in done.stdout
    done = ghbench("run", "-e", f"{environment['PLUGINS']}:Broken", "-e", "thumbnail:size=4", "-t", tree, "--json")
    assert [outcome["status"] for outcome in json.loads(done.stdout)] == ["failed", "complete"]


@pytest.mark.skipif(os.name != "posix", reason="signals")
@pytest.mark.parametrize("workers", ["0", "2"])
def test_an_interrupted_run_exits_with_130_and_one_line(environment, tree, workers):
    process = subprocess.Popen(
        [GHBENCH, "run", "-e", f"{environment['PLUGINS']}:Slow", "-t", tree, "--workers", workers],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True,
    )  # fmt: skip
    assert process.stderr.readline() == "extracting\n"
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does, to all of the group
    _, error = process.communicate(timeout=20)
    assert process.returncode == 130
    assert error.startswith("ghbench: interrupted")
    assert error.count("\n") == 1


@pytest.mark.parametrize("kind", ["extractors", "tasks", "datasets"])
def test_lists_are_columns_or_json(ghbench, kind):
    done = ghbench("list", kind)
    assert done.stdout.startswith("NAME")
    listed = json.loads(ghbench("list", kind, "--json").stdout)
    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == [row["name"] for row in listed]
    assert all(row["summary"] and not row["summary"].startswith("broken") for row in listed)


def test_ready_says_what_is_missing(ghbench):
    rows = {row["name"]: row for row in json.loads(ghbench("list", "tasks", "--ready", "--json").stdout)}
    assert "path=..., images=..." in rows["pairs"]["summary"]
    assert rows["lfw"]["ready"] in {"yes", "no"}


@pytest.mark.parametrize(
    "what", [("extractor", "thumbnail"), ("extractor", "ghfeat"), ("task", "lfw"), ("task", "orl")]
)
def test_describe_is_the_same_for_people_and_programs(ghbench, what):
    description = json.loads(ghbench("describe", *what, "--json").stdout)
    text = ghbench("describe", *what)
    assert text.returncode == 0, text.stderr
    assert f"name: {description['name']}" in text.stdout


def test_describe_a_dataset(ghbench, tree):
    description = json.loads(ghbench("describe", "dataset", tree, "--json").stdout)
    assert (description["images"], description["targets"]["label"]["names"]) == (10, 4)
    assert ghbench("describe", "dataset", tree).returncode == 0


def test_leaderboard_compare_and_verify_follow_a_run(ghbench, tree):
    ghbench("run", "-e", "thumbnail:size=4", "-e", "pixels:size=4", "-t", tree)
    table = json.loads(ghbench("leaderboard", "-t", tree, "--own", "--format", "json").stdout)
    assert {"thumbnail:size=4", "pixels:size=4"} <= {row["system"] for row in table["rows"]}
    markdown = ghbench("leaderboard", "-t", tree, "--own", "--format", "markdown").stdout
    assert markdown.startswith("| rank | extractor | numbers | accuracy |")
    compared = json.loads(ghbench("compare", "thumbnail:size=4", "pixels:size=4", "-t", tree, "--json").stdout)
    assert compared["unit"] == "4 people"
    verified = ghbench("verify", "-t", tree, "--own")
    assert verified.returncode == 0, verified.stdout
    assert "differs" not in verified.stdout


def test_the_cache_is_listed_verified_and_cleared(ghbench, tree, tmp_path):
    changes = {"GHBENCH_CACHE": str(tmp_path / "cache"), "GHBENCH_HOME": str(tmp_path / "home")}
    ghbench("run", "-e", "thumbnail:size=4", "-t", tree, **changes)
    (kept,) = json.loads(ghbench("cache", "list", "--json", **changes).stdout)
    assert (kept["rows"], kept["levels"]) == (10, {"thumbnail": "complete"})
    assert ghbench("cache", "verify", **changes).returncode == 0
    (rows,) = (tmp_path / "cache").rglob("features.npy")
    rows.write_bytes(rows.read_bytes()[:-1] + b"x")
    damaged = ghbench("cache", "verify", **changes)
    assert (damaged.returncode, damaged.stdout[:7]) == (1, "damaged")
    assert ghbench("cache", "clear", "--unused", "1", "--keep", "1", **changes).stdout == ""
    index = tmp_path / "cache" / "indices" / "0a1b.faiss"
    index.parent.mkdir()
    index.write_bytes(b"index")
    assert ghbench("cache", "clear", "--extractor", "thumbnail", **changes).returncode == 0
    assert json.loads(ghbench("cache", "list", "--json", **changes).stdout) == []
    assert index.name in ghbench("cache", "list", **changes).stdout
    assert ghbench("cache", "clear", "--all", **changes).stdout == f"{index.name}\n"
    assert not index.exists()


def test_clearing_skips_a_key_that_is_being_written(ghbench, tree, tmp_path):
    changes = {"GHBENCH_CACHE": str(tmp_path / "cache"), "GHBENCH_HOME": str(tmp_path / "home")}
    ghbench("run", "-e", "pixels:size=4", "-e", "thumbnail:size=4", "-t", tree, **changes)
    first, second = sorted((tmp_path / "cache" / "features").glob("*-*"))
    with FileLock(first / "lock"):
        cleared = ghbench("cache", "clear", "--all", **changes)
    assert (cleared.returncode, cleared.stdout) == (1, f"{second.name}\n")
    assert first.name in cleared.stderr
    assert "fix: " in cleared.stderr
    assert (first.is_dir(), second.exists()) == (True, False)
    assert ghbench("cache", "clear", "--all", **changes).returncode == 0


def test_without_results_leaderboard_and_verify_name_the_command_to_run(ghbench, tree, tmp_path):
    home = {"GHBENCH_HOME": str(tmp_path / "home")}
    command = "ghbench run -e EXTRACTOR"
    table = ghbench("leaderboard", "-t", tree, "--own", "--format", "json", **home)
    assert (table.returncode, json.loads(table.stdout)["rows"]) == (0, [])
    assert command in table.stderr
    own = ghbench("verify", "-t", tree, "--own", **home)
    assert (own.returncode, own.stdout) == (3, "")
    assert command in own.stderr
    assert f"-t {tree}" in own.stderr
    published = ghbench("verify", "-t", tree, **home)
    assert (published.returncode, f"ghbench verify -t {tree} --own" in published.stderr) == (3, True)


def test_doctor_finds_nothing_broken(ghbench):
    done = ghbench("doctor")
    assert done.returncode == 0, done.stdout
    assert "folder   home" in done.stdout


def is_within(seconds, action, tries=8):
    """Whether the best of some tries is quick enough; other work on the machine only ever makes it slower."""
    for _ in range(tries):
        began = time.perf_counter()
        action()
        if time.perf_counter() - began < seconds:
            return True
    return False


@pytest.fixture(scope="module")
def bare():
    """Seconds of a process that only imports what every command line does; slow machines get limits in proportion."""
    code = "import typer._adapters, typer.main, pydantic, rich.table, importlib.metadata"
    taken = []
    for _ in range(5):
        began = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        taken.append(time.perf_counter() - began)
    return min(taken)


def test_listing_is_instant(ghbench, bare):
    assert is_within(max(0.5, 2.5 * bare), lambda: ghbench("list", "extractors"))


def test_a_run_on_cached_features_is_quick_and_without_torch(orl, ghbench, environment, bare):
    arguments = ("run", "-e", "pixels", "-t", "orl", "--overwrite")
    first = ghbench(*arguments)
    assert first.returncode == 0, first.stderr
    assert is_within(max(4, 20 * bare), lambda: ghbench(*arguments))
    code = "import ghbench, sys; ghbench.run('pixels', 'orl', overwrite=True); print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, env=environment, check=False
    )
    assert done.stdout == "False\n", done.stderr


def test_the_version_is_printed(ghbench):
    assert ghbench("--version").stdout.startswith("ghbench 0.")


def test_clearing_nothing_says_so(ghbench):
    done = ghbench("cache", "clear", "--extractor", "pixls")
    assert (done.returncode, done.stdout) == (0, "")
    assert "ghbench cache list" in done.stderr


def test_p_values_are_not_printed_with_false_precision():
    assert [p_value_text(value) for value in (0.0, 1e-300, 0.00012, 0.0564)] == ["p < 0.0001"] * 2 + [
        "p = 0.00012",
        "p = 0.056",
    ]
