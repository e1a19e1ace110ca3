"""A download is resumed where it broke off, bounded by its declared size, and never believed before it is hashed."""

import hashlib
import os

import pytest

from ghbench.assets.download import download, session
from ghbench.assets.source_error import SourceError
from ghbench.errors import DataError
from ghbench.progress import silent

CONTENT = os.urandom(300_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def fetch(server, tmp_path):
    server.files["/f"] = CONTENT

    def run(progress=silent, url=None):
        with session() as web:
            download(
                web, url or f"{server.url}/f", part(), sha256=DIGEST, size=len(CONTENT), label="f", progress=progress
            )
        return part().read_bytes()

    def part():
        return tmp_path / "parts" / "f.part"

    run.part = part
    return run


def test_a_line_that_drops_is_resumed_with_a_range_request(server, fetch):
    server.cut["/f"] = 100_000
    assert fetch() == CONTENT
    assert [wanted for _, wanted in server.requests] == ["", "bytes=100000-"]


def test_an_interrupted_process_leaves_a_beginning_that_the_next_one_continues(server, fetch):
    def interrupted(done, _total, _label):
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(progress=interrupted)
    kept = fetch.part().stat().st_size
    assert 0 < kept <= len(CONTENT)
    fetch.part().write_bytes(CONTENT[:1234])  # the interruption may come anywhere
    assert fetch() == CONTENT
    assert server.requests[-1][1] == "bytes=1234-"


def test_a_server_without_ranges_is_read_from_the_start(server, fetch):
    server.ranges = False
    fetch.part().parent.mkdir()
    fetch.part().write_bytes(CONTENT[:5000])
    assert fetch() == CONTENT


def test_a_spoilt_beginning_is_thrown_away_once(server, fetch):
    fetch.part().parent.mkdir()
    fetch.part().write_bytes(b"x" * 5000)
    assert fetch() == CONTENT
    assert [wanted for _, wanted in server.requests] == ["bytes=5000-", ""]


def test_a_tampered_file_is_refused_and_removed(server, fetch):
    server.files["/f"] = CONTENT[:-1] + bytes([CONTENT[-1] ^ 1])
    with pytest.raises(DataError, match=DIGEST):
        fetch()
    assert not fetch.part().exists()


def test_a_file_larger_than_declared_is_cut_off(server, fetch):
    server.files["/f"] = CONTENT * 20
    with pytest.raises(DataError, match="300000 bytes"):
        fetch()
    assert not fetch.part().exists()


def test_a_file_that_is_not_there_is_asked_for_once(server, fetch):
    with pytest.raises(SourceError, match="404"):
        fetch(url=f"{server.url}/missing")
    assert len(server.requests) == 1


def test_progress_ends_at_the_total(fetch):
    seen = []
    fetch(progress=lambda *step: seen.append(step))
    assert seen[0] == (0, len(CONTENT), "f")
    assert seen[-1] == (len(CONTENT), len(CONTENT), "f")


def test_credentials_of_the_index_go_to_its_host_only_and_never_into_messages(server, fetch):
    with session(index="http://me:secret@127.0.0.1/simple") as web:
        web.get(f"{server.url}/f")
        web.get(f"{server.url.replace('127.0.0.1', 'localhost')}/f")
    assert [("Authorization" in headers) for headers in server.headers] == [True, False]
    with pytest.raises(SourceError) as caught:
        fetch(url=server.url.replace("//", "//me:secret@") + "/missing")
    assert "secret" not in str(caught.value)
