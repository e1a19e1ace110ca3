"""The package index is the one that pip would use."""

import sys

import pytest

from ghbench.assets import pip_config
from ghbench.assets.pip_config import IndexChoice, configured_index


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Write configuration files by their rank; `named` is the one in PIP_CONFIG_FILE."""
    monkeypatch.delenv("PIP_CONFIG_FILE", raising=False)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home" / ".config"))
    monkeypatch.setattr(pip_config, "_machine_files", lambda file: [tmp_path / "machine" / file])
    places = {
        "named": tmp_path / "named.conf",
        "venv": tmp_path / "venv" / "pip.conf",
        "user": tmp_path / "home" / ".config" / "pip" / "pip.conf",
        "legacy": tmp_path / "home" / ".pip" / "pip.conf",
        "machine": tmp_path / "machine" / "pip.conf",
    }

    def write(rank, text=None):
        places[rank].parent.mkdir(parents=True, exist_ok=True)
        places[rank].write_text(text or f"[global]\nindex-url = https://{rank}.test/simple\n")
        if rank == "named":
            monkeypatch.setenv("PIP_CONFIG_FILE", str(places[rank]))
        return places[rank]

    return write


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="places of files on Linux")
def test_stronger_files_win_over_weaker_ones(files):
    for rank in ("machine", "legacy", "user", "venv", "named"):
        path = files(rank)
        assert configured_index() == IndexChoice(f"https://{rank}.test/simple", None, str(path))


def test_the_environment_wins_over_files(files, monkeypatch):
    files("venv")
    monkeypatch.setenv("PIP_INDEX_URL", "https://env.test/simple")
    assert configured_index().url == "https://env.test/simple"
    assert configured_index().origin == "PIP_INDEX_URL"


def test_a_named_file_takes_the_place_of_the_users(files):
    files("user")
    files("named", "[global]\ntimeout = 3\n")
    assert configured_index().url != "https://user.test/simple"


def test_the_null_device_switches_files_off(files, monkeypatch):
    files("venv")
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    assert configured_index() == IndexChoice(None, None, "the default index")


def test_certificates_come_from_the_environment_or_another_file(files, monkeypatch):
    files("venv", "[global]\nindex_url = https://venv.test/simple\n")
    files("user", "[global]\ncert = /user.pem\n")
    assert configured_index() == IndexChoice("https://venv.test/simple", "/user.pem", configured_index().origin)
    monkeypatch.setenv("PIP_CERT", "/env.pem")
    assert configured_index().certificates == "/env.pem"


def test_a_file_that_cannot_be_read_counts_as_absent(files):
    files("venv", "index-url without a section")
    files("user")
    assert configured_index().url == "https://user.test/simple"
