"""What a killed writer leaves is swept by the next one, and nothing else is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from ghbench import atomic
from ghbench.errors import UserError

WRITER = textwrap.dedent(
    """
    import os, signal, sys, time
    from pathlib import Path
    from ghbench.atomic import atomic_file
    with atomic_file(Path(sys.argv[1])) as stream:
        stream.write(b"half")
        stream.flush()
        print("ready", flush=True)
        time.sleep(60)
    """
)


@pytest.fixture(autouse=True)
def _each_test_sweeps(monkeypatch):
    monkeypatch.setattr(atomic, "_swept", set())


@pytest.fixture
def writer(tmp_path):
    """Another process in the middle of a write to `a.json`."""
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path / "a.json")], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        yield process
        process.kill()


def test_what_a_killed_writer_left_is_listed_and_swept_by_the_next(tmp_path, writer):
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    (left,) = tmp_path.glob(".*")
    assert atomic.abandoned_files(tmp_path) == [left]
    atomic.write_text(tmp_path / "b.json", "{}")
    assert [path.name for path in tmp_path.iterdir()] == ["b.json"]


def test_a_file_that_is_being_written_is_left_alone(tmp_path, writer):
    assert atomic.abandoned_files(tmp_path) == []
    atomic.write_text(tmp_path / "b.json", "{}")
    assert len(list(tmp_path.glob(".*.tmp"))) == 1
    with atomic.atomic_file(tmp_path / "c.json") as stream:
        stream.write(b"c")
        assert atomic.abandoned_files(tmp_path) == []  # not even by the process that writes it


def test_other_hidden_files_are_left_alone(tmp_path):
    for name in (".notes.tmp", ".a.json.12.tmp", "a.json.12-0123abcd.tmp"):
        (tmp_path / name).touch()
    os.mkfifo(tmp_path / ".a.json.12-0123abcd.tmp")
    atomic.write_text(tmp_path / "b.json", "{}")
    assert len(list(tmp_path.iterdir())) == 5


def test_a_file_swept_before_it_was_locked_is_made_again(tmp_path, monkeypatch):
    lock, swept = atomic._lock, []

    def late(stream, *, wait):
        if wait and not swept:
            swept.append(Path(stream.name).unlink())
        return lock(stream, wait=wait)

    monkeypatch.setattr(atomic, "_lock", late)
    atomic.write_text(tmp_path / "a.json", "whole")
    assert swept
    assert (tmp_path / "a.json").read_text() == "whole"


def test_a_name_as_long_as_a_folder_allows_is_written(tmp_path):
    atomic.write_text(tmp_path / ("é" * 125 + ".json"), "{}")
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_is_whole_or_absent(tmp_path):
    with pytest.raises(FileNotFoundError), atomic.atomic_folder(tmp_path / "mine") as making:
        (making / "a").rename(tmp_path / "b")
    assert not (tmp_path / "mine").exists()
    (tmp_path / ".mine.making").mkdir()
    (tmp_path / ".mine.making" / "of a killed process").touch()
    assert atomic.unfinished_folders(tmp_path) == [tmp_path / ".mine.making"]
    with atomic.atomic_folder(tmp_path / "mine") as making:
        (making / "a").touch()
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["a"]
    assert atomic.unfinished_folders(tmp_path) == []


def test_a_folder_that_was_set_aside_comes_back_where_its_place_stays_empty(tmp_path, monkeypatch):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "a").write_text("old")
    real = Path.rename

    def interrupted(path, target):
        if path.name == ".mine.making":
            raise KeyboardInterrupt
        return real(path, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt), atomic.atomic_folder(tmp_path / "mine", replace=True):
        pass
    assert (tmp_path / "mine" / "a").read_text() == "old"
    # Killed between the renames, and then a writer that fails before its own.
    (tmp_path / "mine").rename(tmp_path / ".mine.old.making")
    monkeypatch.undo()
    with pytest.raises(ZeroDivisionError), atomic.atomic_folder(tmp_path / "mine", replace=True):
        raise ZeroDivisionError
    assert (tmp_path / "mine" / "a").read_text() == "old"
    with atomic.atomic_folder(tmp_path / "mine", replace=True) as making:
        (making / "b").write_text("new")
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["b"]
    assert not list(tmp_path.glob(".*making"))


def test_of_two_that_make_one_folder_one_fails(tmp_path):
    making = atomic.atomic_folder(tmp_path / "mine")
    with making, pytest.raises(UserError, match="another process"), atomic.atomic_folder(tmp_path / "mine"):
        pass
    with pytest.raises(UserError, match="exists already"), atomic.atomic_folder(tmp_path / "mine"):
        pass
