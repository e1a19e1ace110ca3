"""Weights for research only are found in a checkout or in their own package, and asked for where they are not."""

from pathlib import Path

import pytest

from ghbench.errors import MissingError
from ghbench.generators import shipped_weights
from ghbench.generators.mobile_weights import head_state
from ghbench.ghfeat.files.shipped import weights_file


@pytest.fixture
def installed(monkeypatch, tmp_path):
    """An installation from the wheel: no folder of non-commercial weights."""
    module = tmp_path / "site/ghbench/generators/shipped_weights.py"
    monkeypatch.setattr(shipped_weights, "__file__", str(module))
    monkeypatch.syspath_prepend(tmp_path / "site")
    return tmp_path / "site"


def test_a_checkout_has_them():
    for name in shipped_weights.NONCOMMERCIAL:
        assert shipped_weights.shipped_file(name).is_file()


def test_without_their_package_the_command_that_installs_it_is_named(installed):
    for use in (lambda: weights_file("faces128"), lambda: head_state(128)):
        with pytest.raises(MissingError, match="for research only") as caught:
            use()
        assert caught.value.fix.startswith("pip install ghbench-weights-nc ")
        assert caught.value.exit_code == 3


def test_their_package_is_found_where_it_is_installed(installed):
    file = installed / "ghbench_weights_nc/ghfeat-faces128/model.safetensors"
    file.parent.mkdir(parents=True)
    file.touch()
    assert weights_file("faces128") == Path(file)
