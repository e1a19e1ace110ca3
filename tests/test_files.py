"""Only regular files are opened; nothing is waited for."""

import os
import socket
from pathlib import Path

import pytest

from ghbench.errors import DataError, UserError
from ghbench.files import open_regular, read_text, regular_file, user_path


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
