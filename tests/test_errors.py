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
        ("EACCES", "elsewhere", "Permission denied\n  fix: name a place that you may read and write"),
        ("EFBIG", "home/x", "File too large\n  fix: raise the limit .* ulimit -f"),
        ("ENOENT", "cache/x", "No such file or directory\n  fix: set GHBENCH_CACHE to .*moved or deleted"),
        ("ENAMETOOLONG", "home/x", "File name too long\n  fix: choose a shorter name"),
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


@pytest.mark.parametrize("error", [OSError(errno.EBADF, "no"), OSError("without a number")])
def test_other_errors_of_the_system_stay_bugs(error):
    assert disk_error(error) is None


def test_the_command_line_leaves_with_1_and_no_traceback(folders, monkeypatch, capfd):
    def refuse(_kind):
        raise PermissionError(errno.EACCES, "no", str(folders / "home" / "results"))

    from ghbench import registry

    monkeypatch.setattr(registry, "plugins", refuse)
    monkeypatch.setattr(sys, "argv", ["ghbench", "list", "tasks"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 1
    out, error = capfd.readouterr()
    assert out == ""
    assert error.startswith(f"ghbench: {folders / 'home' / 'results'}: Permission denied\n  fix: set GHBENCH_HOME")


def test_a_folder_that_vanished_under_the_command_is_told(tmp_path, monkeypatch):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    for error in (FileNotFoundError(errno.ENOENT, "no"), PermissionError(errno.EACCES, "no", "x.json")):
        assert str(disk_error(error)).startswith("the current folder no longer exists\n  fix: cd ")


@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
def test_a_limit_on_the_size_of_files_is_told(folders):
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)); "
        "from ghbench.atomic import write_bytes; from ghbench.errors import disk_error; from pathlib import Path\n"
        "try: write_bytes(Path(sys.argv[1]), bytes(1000))\n"
        "except OSError as error: print(disk_error(error))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(folders / "x")], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"{folders / 'x'}: File too large\n")
    assert not list(folders.glob("*x*"))


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
