"""A run folder of odd content: each file is refused or passed over by name, nothing is waited for or unpacked."""

from __future__ import annotations

import json
import os
import warnings
import zipfile
from contextlib import suppress

import numpy as np
import pytest
import torch

from ghbench.errors import DataError, UsageError
from ghbench.training.run_folder import RunFolder

STATE = {"shown": 8, "networks": {"g": {"w": torch.ones(2, 3)}}, "averages": {}, "rng": torch.get_rng_state()}
STATE |= {"optimizers": {"g": {"state": {0: {"step": torch.tensor(3.0)}}, "param_groups": [{"betas": (0.0, 0.99)}]}}}


@pytest.fixture
def run(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.settle({"size": 32})
    folder.log({"shown": 4, "loss": 1.0})
    folder.save(8, STATE)
    return folder


def test_a_healthy_run_is_read_back(run):
    run.settle({"size": 32})
    found = run.load()
    assert torch.equal(found["networks"]["g"]["w"], torch.ones(2, 3))
    assert found["optimizers"] == STATE["optimizers"]
    assert run.history() == [{"shown": 4, "loss": 1.0}]


@pytest.mark.parametrize(
    "text", ["", "[]", "3", "null", '"text"', "{", "[" * 100_000, '{"size": ' + "9" * 5_000 + "}", "\xff"]
)
def test_a_description_that_is_none_is_refused_by_name(run, text):
    (run.path / "run.json").write_text(text, encoding="latin-1")
    with pytest.raises(DataError, match=r"run\.json"):
        run.settle({"size": 32})


@pytest.mark.parametrize("name", ["run.json", "log.jsonl", "state-0000000008.pt"])
def test_a_pipe_is_not_waited_for(run, name):
    (run.path / name).unlink()
    os.mkfifo(run.path / name)
    if name.startswith("state"):
        with pytest.warns(UserWarning, match="DataError"), pytest.raises(DataError, match="start over"):
            run.load()
    else:
        with pytest.raises(DataError, match="named pipe"):
            run.settle({"size": 32})


def test_odd_lines_of_the_log_are_passed_over(run):
    odd = ["[]", "3", "{", "[" * 100_000, '{"shown": "x"}', '{"shown": null}', "9" * 5_000]
    run.log_path.write_text("\n".join([*odd, json.dumps({"shown": 2}), json.dumps({"shown": 9})]))
    run.rewind(5)
    assert run.history() == [{"shown": 2}]


def repacked(path, method):
    """The checkpoint's members compressed; PyTorch never does that, but its reader unpacks them."""
    with zipfile.ZipFile(path) as archive:
        members = [(name, archive.read(name)) for name in archive.namelist()]
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, content in members:
            archive.writestr(name, content + bytes(2**22 if name.endswith("/version") else 0))


ODD = {
    "a text": lambda path: path.write_text("hello"),
    "nothing": lambda path: path.write_bytes(b""),
    "compressed members": lambda path: repacked(path, zipfile.ZIP_DEFLATED),
    "no dictionary": lambda path: torch.save([1], path),
    "code": lambda path: torch.save({"a": os.getcwd}, path),
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("kind", ODD)
def test_an_odd_checkpoint_is_passed_over_for_the_one_before(run, kind):
    ODD[kind](run.save(16, STATE))
    with pytest.warns(UserWarning, match="state-0000000016"):
        assert run.load()["shown"] == 8


def test_a_changed_weight_is_noticed(run):
    path = run.save(16, {**STATE, "shown": 16})
    content = bytearray(path.read_bytes())
    content[content.index(np.ones(6, np.float32).tobytes())] ^= 1
    path.write_bytes(content)
    with pytest.warns(UserWarning, match="state-0000000016"):
        assert run.load()["shown"] == 8


def test_a_damaged_checkpoint_takes_no_healthy_ones_place(run):
    ODD["a text"](run.save(16, STATE))
    with pytest.warns(UserWarning, match="state-0000000016"):
        run.load()
    run.save(24, STATE)
    assert [path.stem[-2:] for path in run.checkpoints()] == ["08", "16", "24"]
    run.save(32, STATE)
    assert [path.stem[-2:] for path in run.checkpoints()] == ["16", "24", "32"]


def test_before_the_first_checkpoint_settings_may_change(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.settle({"rate": 10})
    folder.settle({"rate": 0.1})
    folder.save(8, STATE)
    with pytest.raises(UsageError, match="other settings"):
        folder.settle({"rate": 10})


def test_damaged_files_raise_nothing_but_our_errors(run):
    rng = np.random.default_rng(0)
    originals = {path: path.read_bytes() for path in run.path.iterdir() if path.is_file()}
    for path, content in originals.items():
        for _ in range(100):
            damaged = bytearray(content)
            for place in rng.integers(0, len(content), 3):
                damaged[place] = rng.integers(256)
            path.write_bytes(damaged)
            with suppress(DataError, UsageError), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                run.settle({"size": 32})
                assert all(isinstance(line, dict) for line in run.history())
                assert isinstance(run.load(), dict)
        path.write_bytes(content)
