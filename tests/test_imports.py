"""What importing costs: nothing heavy before it is used."""

import subprocess
import sys

import pytest


def loaded_after(code, *names):
    """Which of these modules are loaded after the code has run in a fresh interpreter."""
    tail = f"\nimport sys\nprint([name for name in {names!r} if name in sys.modules])"
    # -P: whatever an unfinished build left in the working folder is none of our business.
    done = subprocess.run([sys.executable, "-P", "-c", code + tail], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def test_importing_ghbench_imports_nothing_heavy():
    heavy = ("torch", "torchvision", "timm", "dlib", "sklearn", "skimage", "pandas", "onnxruntime", "requests", "rich")
    assert loaded_after("import ghbench; dir(ghbench); ghbench.__version__", *heavy) == "[]"


def test_metrics_import_alone():
    code = "import ghbench.metrics.verification, ghbench.metrics.people_bootstrap"
    assert loaded_after(code, "torch", "pandas", "sklearn", "ghbench.running.runner", "ghbench.assets") == "[]"


def test_building_a_task_and_the_light_extractors_needs_no_torch():
    code = """
import ghbench
for name in ("orl", "lfw"):
    ghbench.load_task(name).protocol()
for name in ("pixels", "thumbnail", "mobilenet-v2", "random-trunk"):
    ghbench.load_extractor(name).spec()
"""
    assert loaded_after(code, "torch", "sklearn", "dlib", "onnxruntime") == "[]"


def test_every_public_name_is_there():
    import ghbench

    for name in ghbench.__all__:
        assert getattr(ghbench, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'evalute'"):
        ghbench.evalute  # noqa: B018
