"""What an evaluation leaves as it was: random generators, stdout, a script that runs once."""

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ghbench
from ghbench import locations
from ghbench.foreign_output import answers_only, to_stderr
from ghbench.randomness import preserved_randomness

torch = pytest.importorskip("torch")
GHBENCH = Path(sys.executable).with_name("ghbench")

EXTRACTOR = '''
import atexit, ctypes, os, subprocess, sys
import numpy as np
from ghbench.extractor import ExtractorSpec, Level, Preprocessing, TrainingRecord

print("imported")

class Chatty:
    """Prints by every way there is."""

    def __init__(self):
        sys.__stdout__.write("constructed")

    def spec(self):
        return ExtractorSpec(
            name="chatty", version="1", levels=(Level("x", 12),), default_levels=("x",),
            preprocessing=Preprocessing((32, 32)), weights_digest="0", training=TrainingRecord(), licence="none",
        )

    def extract(self, images):
        print("batch")
        ctypes.CDLL(None).printf(b"native\\n")
        os.write(1, b"descriptor\\n")
        subprocess.run(["echo", "child"], check=True)
        cells = images.reshape(len(images), 3, 2, 16, 2, 16).mean(axis=(3, 5))
        return {"x": cells.reshape(len(images), 12).astype(np.float32)}
'''


def generator_states():
    return random.getstate(), np.random.get_state()[1].tobytes(), torch.get_rng_state().numpy().tobytes()  # noqa: NPY002


class Reseeding(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(5)
        np.random.seed(5)  # noqa: NPY002
        random.seed(5)
        self.layer = torch.nn.Conv2d(3, 4, 8, stride=8)

    def forward(self, images):
        torch.rand(1)
        return self.layer(images)


def test_wrapping_building_and_running_leave_all_generators_as_they_were(tmp_path, monkeypatch, lfw_tree):
    monkeypatch.setenv("GHBENCH_HOME", str(tmp_path))
    net = Reseeding()
    before = generator_states()
    encoder = ghbench.wrap(net, size=32)
    ghbench.run(encoder, f"lfw:root={lfw_tree}")
    encoder.extract(np.zeros((1, 3, 32, 32), np.uint8))
    ghbench.load_extractor(f"{__file__}:Reseeding")
    ghbench.evaluate(f"{__file__}:Reseeding", f"lfw:root={lfw_tree}", references=False, show=False)
    assert generator_states() == before


def test_generators_are_restored_after_an_error_and_seeded_inside():
    before, drawn = generator_states(), []

    def fail():
        with preserved_randomness(seed=3):
            drawn.append((torch.rand(1).item(), np.random.rand(), random.random()))  # noqa: NPY002
            raise ZeroDivisionError

    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            fail()
    assert drawn[0] == drawn[1]
    assert generator_states() == before


@pytest.mark.skipif(not GHBENCH.is_file(), reason="the ghbench script is not installed")
def test_what_an_extractor_prints_goes_to_stderr(tmp_path, lfw_tree):
    (tmp_path / "chatty.py").write_text(EXTRACTOR)
    environment = {**os.environ, "GHBENCH_HOME": str(tmp_path), "GHBENCH_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(
        [GHBENCH, "run", "-e", f"{tmp_path}/chatty.py:Chatty", "-t", f"lfw:root={lfw_tree}", "--json"],
        capture_output=True, text=True, env=environment, check=False,
    )  # fmt: skip
    assert json.loads(done.stdout)[0]["subject"]["name"] == "chatty"
    for word in ("imported", "constructed", "batch", "native", "descriptor", "child"):
        assert word in done.stderr


def test_only_the_command_line_redirects(capfd):
    with to_stderr():
        print("api")
    with answers_only(), to_stderr(), to_stderr():
        print("command")
        os.write(1, b"native\n")
    print("answer")
    shown = capfd.readouterr()
    assert (shown.out, shown.err) == ("api\nanswer\n", "command\nnative\n")


SCRIPT = """
import multiprocessing
if multiprocessing.current_process().name == "MainProcess":
    multiprocessing.set_start_method("spawn")
print("started", flush=True)
import sys
from pathlib import Path
from ghbench.data.imagefolder import ImageFolder
from ghbench.extraction.loader import batches
from ghbench.extractor import Preprocessing
def work():
    faces, rows = ImageFolder(Path(sys.argv[1])), [[0, 1], [2, 3], [4, 5], [6, 7]]
    found = batches(faces, rows, Preprocessing((8, 8)), "none", mirrored=False, workers=1)
    print([batch.rows for batch in found], flush=True)
"""


@pytest.mark.parametrize(
    ("call", "starts"),
    [("work()", 1), ("if __name__ == '__main__':\n    work()", 2), ("if __name__ == '__main__':\n    pass\nwork()", 1)],
)
def test_a_script_whose_workers_are_spawned_ends_and_only_a_guarded_one_is_imported_by_them(
    tmp_path, lfw_tree, call, starts
):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT + call)
    done = subprocess.run([sys.executable, script, lfw_tree], capture_output=True, text=True, timeout=100, check=True)
    lines = done.stdout.splitlines()
    assert lines.count("started") == starts
    assert lines[-1] == "[[0, 1], [2, 3], [4, 5], [6, 7]]"
    # On a busy machine Python's own tracker may look for a semaphore that is already gone, and say so.
    told = [line for line in done.stderr.splitlines() if "resource_tracker" not in line and "warnings.warn" not in line]
    assert told == []


@pytest.mark.skipif(not GHBENCH.is_file(), reason="the ghbench script is not installed")
@pytest.mark.parametrize("home", ["/proc/none", "~nobody-of-this-name/x"])
def test_folders_that_cannot_be_written_are_named_with_their_variable(home):
    if not Path("/proc").is_dir() or (os.geteuid() == 0 and home.startswith("~")):
        pytest.skip("no folder here that nobody may write to")
    environment = {**os.environ, "GHBENCH_HOME": home, "GHBENCH_CACHE": home}

    def ghbench(*arguments):
        return subprocess.run([GHBENCH, *arguments], capture_output=True, text=True, env=environment, check=False)

    assert ghbench("list", "tasks").returncode == 0
    ran = ghbench("run", "-e", "pixels", "-t", "orl", "--limit", "20")
    assert ran.returncode == 1
    assert "set GHBENCH_" in ran.stderr
    assert "a bug" not in ran.stderr
    assert "Traceback" not in ran.stderr
    checked = ghbench("doctor")
    assert checked.returncode == 1
    assert "set GHBENCH_HOME" in checked.stdout


def test_without_a_known_home_there_are_folders_that_nobody_has(monkeypatch):
    monkeypatch.setenv("GHBENCH_HOME", "~nobody-of-this-name/x")
    assert not ghbench.leaderboard("orl").notes
    assert not locations.home().exists()


FAILING = EXTRACTOR.replace('        print("batch")', '        raise ValueError("mine")')


@pytest.mark.skipif(not GHBENCH.is_file(), reason="the ghbench script is not installed")
def test_an_error_in_the_user_s_code_shows_its_line_and_all_of_it_on_request(tmp_path, lfw_tree):
    (tmp_path / "failing.py").write_text(FAILING)
    command = [GHBENCH, "run", "-e", f"{tmp_path}/failing.py:Chatty", "-t", f"lfw:root={lfw_tree}"]
    environment = {**os.environ, "GHBENCH_HOME": str(tmp_path), "GHBENCH_CACHE": str(tmp_path / "cache")}

    def shown(*more):
        done = subprocess.run([*command, *more], capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == 1
        return done.stderr

    short, whole = shown(), shown("--traceback")
    assert re.search(r'failing\.py, line \d+, in extract\n    raise ValueError\("mine"\)', short)
    assert "Traceback" not in short
    assert "Traceback" in whole
    assert "_encode_once" in whole


def test_ready_says_what_is_not_here_without_blaming_the_network(tmp_path, monkeypatch):
    from ghbench import registry
    from ghbench.running.readiness import readiness
    from ghbench.spec_string import parse

    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path))
    monkeypatch.delenv("GHBENCH_OFFLINE", raising=False)
    plugin = registry.find("extractor", parse("mobilenet-v2"))
    lacking = readiness(plugin)
    assert "is not on this machine yet" in lacking
    assert "fix: ghbench assets fetch mobilenet-v2-imagenet1k-v1" in lacking
    assert "OFFLINE" not in lacking
    monkeypatch.setenv("GHBENCH_OFFLINE", "1")
    assert "unset GHBENCH_OFFLINE" in readiness(plugin)
