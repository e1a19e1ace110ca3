"""Only regular files are opened; nothing is waited for."""

import os
import signal
import socket
from pathlib import Path

import pytest

from ghbench import checkpoints, registry
from ghbench.checkpoints import native
from ghbench.checkpoints.torch_files import check_torch_file
from ghbench.data.idx import read_idx
from ghbench.data.landmark_files import read_ljson, read_pts
from ghbench.data.pair_files import read_pairs
from ghbench.digests import digest_file
from ghbench.errors import DataError, UserError
from ghbench.files import open_regular, read_text, regular_file, user_path
from ghbench.imaging.decode import decode
from ghbench.results.files import load as load_result
from ghbench.results.records_file import read_records
from ghbench.store.arrays_from_files import map_array, read_arrays


def _odd_files(folder: Path) -> list[tuple[Path, str]]:
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "socket"))
    (folder / "link").symlink_to(folder / "pipe")
    (folder / "loop").symlink_to(folder / "loop")
    return [
        (folder / "pipe", "named pipe"),
        (folder / "link", "named pipe"),
        (folder / "socket", "socket"),
        (Path("/dev/zero"), "device"),
        (folder, "folder"),
        (folder / "absent", "cannot be read"),
        (folder / "loop", "cannot be read"),
        (folder / ("x" * 300), "cannot be read"),
        (Path("nul\0byte"), "cannot be read"),
    ]


@pytest.mark.parametrize("opener", [regular_file, open_regular, read_text])
def test_what_is_no_file_is_refused_and_named(opener, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    for path, reason in [*_odd_files(Path()), (tmp_path / "pipe", "named pipe")]:
        with pytest.raises(DataError, match=reason):
            opener(path)


def test_a_pipe_that_took_the_place_of_a_file_is_not_waited_for(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr("ghbench.files.regular_file", Path)
    with pytest.raises(DataError, match="named pipe"):
        open_regular(tmp_path / "pipe")


def test_files_and_links_to_files_are_read(tmp_path):
    (tmp_path / "a.txt").write_text("café", encoding="utf-8")
    (tmp_path / "link").symlink_to(tmp_path / "a.txt")
    assert read_text(tmp_path / "link") == "café"
    assert regular_file(tmp_path / "link") == tmp_path / "link"


def test_text_is_bounded_and_must_be_text(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 100)
    assert len(read_text(tmp_path / "a", largest=100)) == 100
    with pytest.raises(DataError, match="too large"):
        read_text(tmp_path / "a", largest=99)
    (tmp_path / "a").write_bytes(b"\xff\xfe")
    with pytest.raises(DataError, match="not a text file"):
        read_text(tmp_path / "a")


def test_an_unknown_user_has_no_home():
    with pytest.raises(UserError, match="home folder"):
        user_path("~nobody-of-that-name/x.png")


def _module(path):
    registry.build("extractor", f"{path}:Net")


READERS = [
    checkpoints.read,
    native.read,
    decode,
    digest_file,
    load_result,
    map_array,
    read_arrays,
    lambda path: read_idx(path, 3),
    read_ljson,
    read_pairs,
    read_pts,
    read_records,
    check_torch_file,
    _module,
]


@pytest.mark.parametrize("reader", READERS)
def test_no_reader_waits_for_a_pipe_or_reads_a_device(reader, tmp_path):
    def late(*_arguments):
        raise TimeoutError("the reader waits")

    os.mkfifo(tmp_path / "x.py")
    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(20)
    try:
        for path in (tmp_path / "x.py", Path("/dev/zero")):
            with pytest.raises(UserError, match=r"named pipe|a device|name"):
                reader(path)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
