"""What `make release` builds: small enough, complete, and no weights or data whose terms forbid passing them on so."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from ghbench.generators.shipped_weights import NONCOMMERCIAL

ROOT = Path(__file__).parents[1]
PARTS = ("ghbench", "tasks", "baselines", "leaderboards", "tests", "pyproject.toml", "README.md", "LICENSE", "NOTICE")
BUILD = "import sys; _, *hooks, out = sys.argv; from setuptools import build_meta; "
BUILD += "[getattr(build_meta, hook)(out) for hook in hooks]"
MEBI = 2**20


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Both distributions, built from a copy, so that nothing is left in the tree."""
    place = tmp_path_factory.mktemp("release")
    ignore = shutil.ignore_patterns("__pycache__", "build", "*.egg-info")
    for part in PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, place / part, ignore=ignore)
        else:
            shutil.copy(ROOT / part, place / part)
    builds = ((place, ("build_sdist", "build_wheel")), (place / "ghbench/weights/noncommercial", ("build_wheel",)))
    for folder, hooks in builds:
        command = [sys.executable, "-c", BUILD, *hooks, place / "dist"]
        done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
    return place / "dist"


def wheel(folder, name):
    (path,) = folder.glob(f"{name}-*.whl")
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        (metadata,) = (entry for entry in names if entry.endswith(".dist-info/METADATA"))
        return path, names, Parser().parsestr(archive.read(metadata).decode())


def test_every_archive_is_small(built):
    archives = [*built.glob("*.whl"), *built.glob("*.tar.gz")]
    assert len(archives) == 3
    assert {path.name: path.stat().st_size / MEBI for path in archives if path.stat().st_size > 60e6} == {}


def test_the_wheel_has_all_code_the_pages_and_the_free_weights_only(built):
    _, names, metadata = wheel(built, "ghbench")
    for room, package in (("ghbench", "ghbench"), ("tasks", "ghbench_tasks"), ("baselines", "ghbench_baselines")):
        expected = {f"{package}/{path.relative_to(ROOT / room)}" for path in (ROOT / room).rglob("*.py")}
        assert expected <= set(names)
    weights = {name.split("/")[2] for name in names if name.startswith("ghbench/weights/")}
    free = {path.name for path in (ROOT / "ghbench/weights").iterdir() if (path / "card.md").is_file()}
    assert weights == free
    assert all(f"ghbench/weights/{name}/model.safetensors" in names for name in free)
    assert "ghbench_leaderboards/published.toml" in names
    assert any(name.startswith("ghbench_leaderboards/orl/") and name.endswith(".json") for name in names)
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {
        "ghbench", "ghbench_tasks", "ghbench_baselines", "ghbench_leaderboards",
    }  # fmt: skip
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata.get_all("License-File") == ["LICENSE", "NOTICE"]


def test_every_shipped_card_states_the_terms_of_its_package():
    for card in (ROOT / "ghbench/weights").rglob("card.md"):
        (licence,) = (line for line in card.read_text().splitlines() if line.startswith("| Licence |"))
        assert ("non-commercial" in licence) == ("noncommercial" in card.parts), card


def test_the_package_of_research_weights_says_so_and_holds_no_code(built):
    _, names, metadata = wheel(built, "ghbench_weights_nc")
    assert {name for name in names if ".dist-info/" not in name} == {
        f"ghbench_weights_nc/{weights}/{file}"
        for weights in sorted(NONCOMMERCIAL)
        for file in ("card.md", "model.safetensors")
    }
    assert metadata["License-Expression"] == "LicenseRef-Research-Non-Commercial"


def test_no_archive_of_ghbench_holds_research_weights_or_reference_data(built):
    (path,) = built.glob("ghbench-*.tar.gz")
    with tarfile.open(path) as archive:
        names = archive.getnames()
    assert not [name for name in names if "noncommercial" in name or "/golden/" in name]
    assert any(name.endswith("/ghbench/weights/ghfeat-mnist32/model.safetensors") for name in names)


def test_both_have_the_same_version(built):
    assert wheel(built, "ghbench")[2]["Version"] == wheel(built, "ghbench_weights_nc")[2]["Version"]
