"""torchvision and timm can be imported beside any torch."""

import subprocess
import sys


def run_python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_the_import_survives_operators_that_cannot_be_loaded():
    code = """
import torch
kept = torch.library.register_fake
from ghbench_baselines.vision_models import import_torchvision
module = import_torchvision()
assert module.models.resnet18 and import_torchvision() is module
assert torch.library.register_fake is kept
"""
    done = run_python(code)
    assert done.returncode == 0, done.stderr


def test_any_other_failure_of_the_import_stays_an_error():
    code = """
import builtins, ghbench_baselines.vision_models as v
def fail(*_): raise RuntimeError("something else")
v.require = fail
v.import_torchvision()
"""
    done = run_python(code)
    assert "RuntimeError: something else" in done.stderr
