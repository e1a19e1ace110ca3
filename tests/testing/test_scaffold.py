"""A package from the template installs, passes its own tests, is found, and is evaluated."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ghbench.cli.main import app
from ghbench.errors import DataError, UsageError
from ghbench.testing.scaffold import new_plugin


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """The interpreter of a new environment that sees the packages of this one, torch and ghbench among them."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    own, theirs = (
        sysconfig.get_path("purelib", vars={"base": base, "platbase": base}) for base in (folder, sys.prefix)
    )
    # As --system-site-packages does, also where this interpreter is itself of an environment.
    (Path(own) / "outer.pth").write_text(f"import site; site.addsitedir({theirs!r})\n")
    return folder / "bin" / "python"


def in_environment(python, *command, cwd):
    environment = {**os.environ, "GHBENCH_HOME": str(cwd / "home")}
    done = subprocess.run([python, *command], cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def install(python, *roots, cwd):
    flags = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    in_environment(python, "-m", "pip", "install", *flags, *map(str, roots), cwd=cwd)


@pytest.mark.usefixtures("orl")
def test_a_new_plugin_is_installed_tested_checked_and_evaluated(tmp_path, python):
    made = CliRunner().invoke(app, ["plugin", "new", "mean-colours", "--out", str(tmp_path)])
    assert made.exit_code == 0, made.output
    root = tmp_path / "mean-colours"
    install(python, root, cwd=tmp_path)
    in_environment(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(root / "tests"), cwd=tmp_path)
    told = in_environment(python, "-m", "ghbench", "plugin", "check", "mean-colours:cells=4", cwd=tmp_path)
    assert "mean-colours keeps the contract of extractors" in told
    found = in_environment(python, "-m", "ghbench", "run", "-e", "mean-colours", "-t", "orl", "--json", cwd=tmp_path)
    (result,) = json.loads(found)
    assert (result["status"], result["subject"]["package"]) == ("complete", "mean-colours")


def test_new_plugins_of_every_other_kind_are_installed_tested_and_checked(tmp_path, python):
    kinds = ("navigator", "task", "dataset", "generator")
    for kind in kinds:
        made = CliRunner().invoke(app, ["plugin", "new", f"my-{kind}", "--kind", kind, "--out", str(tmp_path)])
        assert made.exit_code == 0, made.output
    roots = [tmp_path / f"my-{kind}" for kind in kinds]
    install(python, *roots, cwd=tmp_path)
    plugins = [word for kind in kinds for word in ("--ghbench", f"my-{kind}")]
    folders = [f"{root}/tests" for root in roots]
    flags = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    told = in_environment(python, "-m", "pytest", *flags, *plugins, *folders, cwd=tmp_path)
    assert "12 passed" in told


@pytest.mark.parametrize("name", ["Mine", "1st", "a_b", "../evil", "pixels", "class", "", "numpy", "ghbench"])
def test_names_that_no_package_can_have(tmp_path, name):
    with pytest.raises(UsageError):
        new_plugin(name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_nothing_is_written_over(tmp_path):
    (tmp_path / "mine").mkdir()
    with pytest.raises(UsageError, match="exists"):
        new_plugin("mine", tmp_path)


def test_a_plugin_that_breaks_its_contract_is_told_the_sentence(tmp_path):
    path = tmp_path / "restless.py"
    path.write_text(
        "import numpy as np\n"
        "from ghbench_baselines.pixels import Pixels\n"
        "class Restless(Pixels):\n"
        "    def extract(self, images):\n"
        "        found = super().extract(images)\n"
        "        return {name: value * np.random.default_rng().uniform(1, 2) for name, value in found.items()}\n"
    )
    done = CliRunner().invoke(app, ["plugin", "check", f"{path}:Restless"])
    assert done.exit_code == 1
    assert "other features the next time" in str(done.exception)
    assert CliRunner().invoke(app, ["plugin", "check", "ganspace:generator=tiny,directions=5"]).exit_code == 0
    path.write_text(path.read_text().replace("found = super()", "1 / 0\n        found = super()"))
    done = CliRunner().invoke(app, ["plugin", "check", f"{path}:Restless"])
    assert isinstance(done.exception, DataError)
    assert "ZeroDivisionError" in done.exception.message
    assert "1 / 0" in done.exception.message
