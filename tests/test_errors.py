"""What the disk refuses is told in a sentence, with the variable that names another place."""

import errno
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ghbench.cli import main
from ghbench.errors import disk_error

GHBENCH = Path(sys.executable).with_name("ghbench")


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    for name in ("home", "cache"):
        monkeypatch.setenv(f"GHBENCH_{name.upper()}", str(tmp_path / name))
    monkeypatch.delenv("GHBENCH_DATA", raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("code", "path", "message"),
    [
        ("EACCES", "home/results/x.json", "Permission denied\n  fix: set GHBENCH_HOME to a folder that you may"),
        ("EPERM", "cache/features", "Operation not permitted\n  fix: set GHBENCH_CACHE to"),
        ("EROFS", "cache", "Read-only file system\n  fix: set GHBENCH_CACHE to"),
        ("EACCES", "home/datasets/lfw", "Permission denied\n  fix: set GHBENCH_DATA to"),
        ("ENOSPC", "cache/x", "No space left on device\n  fix: free some space, or set GHBENCH_CACHE to"),
        ("EDQUOT", "elsewhere", "Disk quota exceeded\n  fix: free some space$"),
        ("ENOENT", "home/results", "No such file or directory\n  fix: set GHBENCH_HOME to"),
        ("ENOENT", "elsewhere", "No such file or directory\n  fix: name a place that is there"),
        ("EFBIG", "elsewhere", "File too large\n  fix: raise the limit on the size of files"),
        ("ENAMETOOLONG", "elsewhere", "File name too long\n  fix: name another place"),
        ("EACCES", "elsewhere", "Permission denied\n  fix: name a place that you may read and write"),
    ],
)
def test_each_refusal_names_the_path_and_what_mends_it(folders, code, path, message):
    number = getattr(errno, code)
    told = disk_error(OSError(number, os.strerror(number), str(folders / path)))
    assert str(told).startswith(f"{folders / path}: ")
    assert re.search(message, str(told))


def test_a_folder_around_ours_that_refuses_it_counts_as_ours(folders, monkeypatch):
    monkeypatch.setenv("GHBENCH_HOME", str(folders / "closed" / "deep" / "home"))
    told = disk_error(PermissionError(errno.EACCES, "no", str(folders / "closed" / "deep")))
    assert told.fix == "set GHBENCH_HOME to a folder that you may write to"


@pytest.mark.parametrize("error", [FileNotFoundError(errno.ENOENT, "no"), OSError("without a number")])
def test_other_errors_of_the_system_stay_bugs(error):
    assert disk_error(error) is None


def test_the_command_line_leaves_with_1_and_no_traceback(folders, monkeypatch, capfd):
    def refuse(_kind):
        raise PermissionError(errno.EACCES, "no", str(folders / "home" / "results"))

    from ghbench.cli import listing

    monkeypatch.setattr(listing, "plugins", refuse)
    monkeypatch.setattr(sys, "argv", ["ghbench", "list", "tasks"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 1
    out, error = capfd.readouterr()
    assert out == ""
    assert error.startswith(f"ghbench: {folders / 'home' / 'results'}: Permission denied\n  fix: set GHBENCH_HOME")


needs_script = pytest.mark.skipif(
    not GHBENCH.is_file() or os.name != "posix", reason="the ghbench script is not installed, or no shell to run it"
)


@needs_script
@pytest.mark.parametrize("verb", ["list extractors", "list extractors --json", "doctor"])
def test_a_reader_who_has_seen_enough_is_no_error(verb):
    command = f"{GHBENCH} {verb} | {{ read line; exec 0<&-; sleep 0.2; }}"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""


@needs_script
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_a_full_disk_behind_stdout_is_told_once():
    done = subprocess.run(
        ["sh", "-c", f"{GHBENCH} list tasks > /dev/full"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == "ghbench: output: No space left on device\n  fix: free some space\n"
