"""`ghbench assets`: data on stdout, nothing else there."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ghbench import assets
from ghbench.cli.assets import app
from ghbench.errors import MissingError, UsageError

CONTENT = b"weights " * 1000


@pytest.fixture
def invoke(toy, tmp_path):
    (tmp_path / "shelf").mkdir()
    toy(CONTENT, f'kind = "system"\nfolders = ["{tmp_path}/shelf"]', path="a.bin")

    def run(*arguments):
        result = CliRunner().invoke(app, arguments)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def shelf(tmp_path, invoke):
    (tmp_path / "shelf" / "a.bin").write_bytes(CONTENT)


def test_list_tells_what_is_here(invoke, tmp_path):
    assert "no" in invoke("list").stdout.splitlines()[1].split()
    (tmp_path / "shelf" / "a.bin").write_bytes(CONTENT)
    assert "yes" in invoke("list").stdout.splitlines()[1].split()


@pytest.mark.usefixtures("shelf")
def test_list_as_json_holds_digests(invoke):
    (entry,) = json.loads(invoke("list", "--json").stdout)
    assert entry["name"] == "toy"
    assert entry["available"] is True
    assert entry["members"]["a.bin"]["sha256"] == assets.digest("toy", "a.bin")


@pytest.mark.usefixtures("shelf")
def test_fetch_and_path_print_where_it_lies(invoke):
    fetched = invoke("fetch", "toy")
    assert fetched.stdout == f"{assets.path('toy')}\n"
    assert fetched.stderr == ""
    assert invoke("path", "toy", "a.bin").stdout == f"{assets.path('toy', 'a.bin')}\n"


def test_what_cannot_be_fetched_comes_with_a_fix(invoke):
    with pytest.raises(MissingError, match="ghbench assets import toy PATH"):
        invoke("fetch", "toy")
    with pytest.raises(UsageError, match="toy"):
        invoke("fetch", "toy", "tioy")


def test_import_then_verify(invoke, tmp_path):
    assert invoke("verify").stdout == ""
    assert invoke("verify", "toy").stdout == "toy  absent\n"
    (tmp_path / "a.bin").write_bytes(CONTENT)
    folder = invoke("import", "toy", str(tmp_path / "a.bin")).stdout.strip()
    assert invoke("verify").stdout == "toy  intact\n"
    Path(folder, "a.bin").write_bytes(b"x")
    with pytest.raises(MissingError, match="toy"):
        invoke("verify")
