"""Every plugin of ours keeps the contract of its kind; what is not on this machine is skipped, with the reason.

Extractors from `baselines` are checked in `tests/baselines`, tasks beside their own tests.
"""

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from ghbench import registry
from ghbench.cli.main import app
from ghbench.errors import MissingError, UsageError
from ghbench.testing import check_plugin

OPTIONS = {
    "generated-faces": "generator=tiny,size=32,test=4,train=4",
    "generated-pairs": "navigator=random-directions,navigator.generator=tiny,navigator.directions=5,count=4",
    "intervened-rooms": "size=32",
    "renders": "generator=tiny,count=8",
    "resampled": "generator=tiny,count=4",
    "rooms": "size=32,test=8,train=8,val=8",
    "sprite-pairs": "count=8",
    "sprites": "test=8,train=8",
}
"""Small ones, quickly drawn."""
NAVIGATORS = ("contrafeat-binary", "contrafeat-prototype", "ganspace", "hessian", "random-directions", "sefa")
ENCODERS = (
    "beta-vae", "factor-vae", "ghfeat", "ghfeat:weights=fashion32", "ghfeat:weights=mnist32",
    "pca:fit=sprites,fit.train=60,fit.test=2",
)  # fmt: skip
TASKS = ("disentanglement:dataset=sprites,dataset.test=60,dataset.train=120,dci=lgbm",)
"""Those whose own tests do not ask the kit."""
ELSEWHERE = {"imagefolder", "pairs", "moved-faces"}
"""Datasets of the user's files, see below, and one that is drawn through a whole generator, a minute each time."""


def checked(spec, kind):
    try:
        return check_plugin(spec, kind)
    except MissingError as error:
        pytest.skip(f"{spec}: {error.message}")


def names(kind):
    return sorted(plugin.name for plugin in registry.plugins(kind) if plugin.package == registry.OURS)


@pytest.mark.parametrize("name", [name for name in names("dataset") if name not in ELSEWHERE])
def test_datasets(name):
    spec = f"{name}:{OPTIONS[name]}" if name in OPTIONS else name
    assert checked(spec, "dataset")[0] == "dataset"


def test_datasets_of_files(lfw_tree):
    assert check_plugin(f"imagefolder:path={lfw_tree}") == ("dataset", "imagefolder")
    assert check_plugin(f"pairs:path={lfw_tree / 'pairs.txt'},images={lfw_tree}", "dataset")[0] == "dataset"


@pytest.mark.parametrize("name", names("generator"))
def test_generators(name):
    size = ":size=64" if name == "mobile-stylegan-ffhq" else ""
    assert checked(f"{name}{size}", "generator") == ("generator", name)


@pytest.mark.parametrize("name", NAVIGATORS)
def test_navigators(name):
    usual = name.startswith("contrafeat")
    kind, _ = checked(name if usual else f"{name}:generator=tiny,directions=5", None)
    assert kind == "navigator"


@pytest.mark.parametrize("spec", ENCODERS)
def test_encoders(spec):
    assert checked(spec, "extractor")[0] == "extractor"


@pytest.mark.parametrize("spec", TASKS)
def test_tasks(spec):
    assert checked(spec, "task")[0] == "task"


def test_pairs_of_a_file(lfw_tree):
    spec = f"pairs:images={lfw_tree},path={lfw_tree / 'pairs.txt'}"
    assert check_plugin(spec, "task")[0] == "task"


def test_each_kind_is_recognised_and_a_wrong_one_is_refused(tmp_path):
    module = (
        "ghbench.data.digits:Digits",
        "ghbench.generators.first_party:TinyRandom",
        "ghbench_baselines.pixels:Pixels",
    )
    assert [check_plugin(spec)[0] for spec in module] == ["dataset", "generator", "extractor"]
    assert check_plugin("knn:dataset=digits,test=40") == ("task", "knn:dataset=digits,test=40")
    with pytest.raises(UsageError, match=r"(task|dataset) and (task|dataset)"):
        check_plugin("rooms")  # a dataset and a task
    done = CliRunner().invoke(app, ["plugin", "check", "pixels", "--kind", "navigator"])
    assert done.exit_code == 1
    assert "has no directions" in str(done.exception)
    told = CliRunner().invoke(app, ["plugin", "check", "digits"])
    assert told.output.strip() == "digits keeps the contract of datasets"


def test_pytest_checks_what_it_is_told_to(tmp_path):
    (tmp_path / "broken.py").write_text(
        "from ghbench.data.digits import Digits\n"
        "class Broken(Digits):\n"
        "    def identities(self):\n"
        "        return super().identities()[1:]\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\nghbench_plugins =\n    digits\n    celeba\n")
    command = [sys.executable, "-m", "pytest", "-p", "ghbench.testing.pytest_plugin", "-rs", "-p", "no:cacheprovider"]
    environment = {
        **os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "GHBENCH_DATA": str(tmp_path / "none"),
    }  # fmt: skip
    done = subprocess.run(
        [*command, "--ghbench", "./broken.py:Broken"], cwd=tmp_path, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stdout + done.stderr
    assert "1 failed, 1 passed, 1 skipped" in done.stdout
    assert "identities for" in done.stdout
    assert "celeba" in done.stdout
