"""A cached asset is whole and verified, or absent; it is fetched once, and again when it has been damaged."""

import errno
import hashlib
import json
import os
import subprocess
import sys

import pytest

from ghbench import assets
from ghbench.assets import manifest, store
from ghbench.errors import MissingError, UsageError, UserError

CONTENT = b"weights " * 1000


def sha(content):
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def toy_on_server(server, toy):
    """The asset `toy` behind one URL; returns the server."""
    server.files["/a.bin"] = CONTENT
    mirrors = f'mirrors = ["{server.url}/a.bin"]'
    toy(CONTENT, f'kind = "url"\nfilename = "a.bin"\nsha256 = "{sha(CONTENT)}"\n{mirrors}', path="a.bin")
    return server


def half_made(cache_folder):
    """Everything in the cache that is neither a finished asset nor a lock nor a download to be resumed."""
    return [path.name for path in (cache_folder / ".making").iterdir()]


def forget(monkeypatch):
    """Be a new process as far as the cache can tell."""
    monkeypatch.setattr(store, "_verified", {})


def test_an_asset_is_downloaded_once_and_then_used_offline(toy_on_server, monkeypatch):
    folder = assets.path("toy")
    assert [path.name for path in sorted(folder.iterdir())] == ["a.bin", "verified.json"]
    forget(monkeypatch)
    monkeypatch.setenv("GHBENCH_OFFLINE", "1")
    assert assets.available("toy")
    assert assets.path("toy", "a.bin") == folder / "a.bin"
    assert len(toy_on_server.requests) == 1


def test_offline_touches_no_network_and_says_how_to_mend_it(toy_on_server, monkeypatch):
    monkeypatch.setenv("GHBENCH_OFFLINE", "1")
    assert not assets.available("toy")
    with pytest.raises(MissingError, match="GHBENCH_OFFLINE") as caught:
        assets.path("toy")
    assert "ghbench assets fetch toy" in caught.value.fix
    assert toy_on_server.requests == []
    assert caught.value.exit_code == 3


def test_a_failure_lists_every_source_that_was_tried(server, toy, tmp_path):
    url = f'kind = "url"\nfilename = "a.bin"\nsha256 = "{sha(CONTENT)}"\nmirrors = ["{server.url}/x", "{server.url}/y"]'
    system = f'kind = "system"\nfolders = ["{tmp_path}/nowhere"]'
    toy(CONTENT, url, system, 'kind = "packaged"\nmodule = "no_such_package"')
    with pytest.raises(MissingError) as caught:
        assets.path("toy")
    message = str(caught.value)
    for part in ("url a.bin", "/x", "/y", "404", "system", "nowhere", "packaged no_such_package", "fix: "):
        assert part in message


def test_a_download_that_breaks_off_leaves_nothing_half_made_and_is_resumed(toy_on_server, cache_folder, monkeypatch):
    monkeypatch.setattr("ghbench.assets.download.ATTEMPTS", 1)
    toy_on_server.cut["/a.bin"] = 3000
    with pytest.raises(MissingError):
        assets.path("toy")
    assert half_made(cache_folder) == []
    assert not (cache_folder / "toy-1").exists()
    assert assets.path("toy", "a.bin").read_bytes() == CONTENT
    assert toy_on_server.requests[-1] == ("/a.bin", "bytes=3000-")
    assert list((cache_folder / ".partial" / "toy").iterdir()) == []


@pytest.mark.parametrize("damage", [b"x" * len(CONTENT), CONTENT[:-1], b""])
def test_a_damaged_file_is_noticed_moved_aside_and_fetched_again(toy_on_server, cache_folder, monkeypatch, damage):
    path = assets.path("toy", "a.bin")
    path.write_bytes(damage)
    os.utime(path, ns=(1, 1))
    forget(monkeypatch)
    assert assets.path("toy", "a.bin").read_bytes() == CONTENT
    (aside,) = (cache_folder / ".quarantine").glob("*/toy-1/a.bin")
    assert aside.read_bytes() == damage


def test_damage_that_keeps_size_and_time_is_found_by_verify(toy_on_server, monkeypatch):
    path = assets.path("toy", "a.bin")
    assert assets.verify("toy") == "intact"
    time = path.stat().st_mtime_ns
    path.write_bytes(b"x" * len(CONTENT))
    os.utime(path, ns=(time, time))
    assert assets.verify("toy") == "repaired"
    assert path.read_bytes() == CONTENT


def test_a_cache_that_was_copied_without_its_times_is_still_good(toy_on_server, monkeypatch):
    os.utime(assets.path("toy", "a.bin"), ns=(1, 1))
    forget(monkeypatch)
    assets.path("toy")
    assert len(toy_on_server.requests) == 1


@pytest.mark.parametrize("text", ["", "{}", "[]", "nonsense", '{"declaration": 1, "files": []}'])
def test_a_folder_with_a_broken_marker_is_not_trusted(toy_on_server, monkeypatch, text):
    (assets.path("toy") / "verified.json").write_text(text)
    forget(monkeypatch)
    assert assets.path("toy", "a.bin").read_bytes() == CONTENT
    assert len(toy_on_server.requests) == 2


def test_a_marker_cannot_vouch_for_a_file_outside_the_declaration(toy_on_server, monkeypatch):
    folder = assets.path("toy")
    marker = json.loads((folder / "verified.json").read_text())
    (folder / "a.bin").write_bytes(b"forged")
    marker["files"]["a.bin"] = {
        "sha256": sha(b"forged"),
        "size": 6,
        "mtime_ns": (folder / "a.bin").stat().st_mtime_ns,
    }
    (folder / "verified.json").write_text(json.dumps(marker))
    forget(monkeypatch)
    assert assets.path("toy", "a.bin").read_bytes() == CONTENT


def test_a_full_disk_is_explained(toy_on_server, cache_folder, monkeypatch):
    def full(*_args, **_options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store, "extract", full)
    with pytest.raises(UserError, match="space") as caught:
        assets.path("toy")
    assert "GHBENCH_CACHE" in caught.value.fix
    assert half_made(cache_folder) == []


def test_an_interruption_while_unpacking_leaves_nothing(toy_on_server, cache_folder, monkeypatch):
    def interrupted(*_args, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "extract", interrupted)
    with pytest.raises(KeyboardInterrupt):
        assets.path("toy")
    assert half_made(cache_folder) == []
    assert not assets.available("toy")


def test_a_finished_download_survives_an_interruption_while_unpacking(toy_on_server, monkeypatch):
    def interrupted(*_args, **_options):
        raise KeyboardInterrupt

    extract = store.extract
    monkeypatch.setattr(store, "extract", interrupted)
    with pytest.raises(KeyboardInterrupt):
        assets.path("toy")
    monkeypatch.setattr(store, "extract", extract)
    assert assets.path("toy", "a.bin").read_bytes() == CONTENT
    assert len(toy_on_server.requests) == 1


def test_the_cache_is_read_without_the_networks_libraries(toy_on_server):
    assets.path("toy")
    code = (
        "import sys, pathlib; from ghbench import assets; from ghbench.assets import manifest\n"
        f"manifest.MANIFEST = pathlib.Path({str(manifest.MANIFEST)!r})\n"
        "assets.path('toy'); print(sorted({'requests', 'torch', 'rich', 'pypi_simple'} & sys.modules.keys()))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_what_a_killed_process_left_is_swept_away(toy_on_server, cache_folder):
    left = cache_folder / ".making" / "toy" / "staging"
    left.mkdir(parents=True)
    (left / "a.bin").write_bytes(b"half")
    assert assets.path("toy", "a.bin").read_bytes() == CONTENT
    assert half_made(cache_folder) == []


def test_two_processes_that_want_it_at_once_fetch_it_once(toy_on_server):
    code = (
        "import sys, pathlib; from ghbench import assets; from ghbench.assets import manifest\n"
        f"manifest.MANIFEST = pathlib.Path({str(manifest.MANIFEST)!r})\n"
        "print(assets.path('toy', 'a.bin').read_bytes()[:7].decode())"
    )
    both = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    assert [process.communicate(timeout=60)[0] for process in both] == ["weights\n"] * 2
    assert len(toy_on_server.requests) == 1


def test_digests_are_declared_not_computed(toy_on_server):
    assert assets.digest("toy", "a.bin") == sha(CONTENT)
    assert assets.digest("toy") == sha(f"a.bin {sha(CONTENT)}\n".encode())
    assert toy_on_server.requests == []


def test_unknown_names_and_members_are_usage_errors_with_suggestions(toy_on_server):
    with pytest.raises(UsageError, match="toy"):
        assets.path("toyy")
    with pytest.raises(UsageError, match=r"a\.bin"):
        assets.path("toy", "b.bin")
    assert toy_on_server.requests == []
