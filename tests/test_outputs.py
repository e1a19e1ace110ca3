"""Outputs that the user names: inputs and files of the user's stay."""

import os

import numpy as np
import pytest
from PIL import Image

from ghbench.checkpoints import Checkpoint, native
from ghbench.errors import UsageError
from ghbench.figures.picture_grid import save_png
from ghbench.outputs import check_output, made_by_ghbench


def test_what_ghbench_made_is_replaced_and_what_it_did_not_make_is_not(tmp_path):
    ours, theirs, weights = tmp_path / "ours.png", tmp_path / "theirs.png", tmp_path / "w.safetensors"
    save_png(np.zeros((2, 2, 3), np.uint8), ours, about="seeds 0-3")
    Image.new("RGB", (2, 2)).save(theirs)
    native.write(weights, Checkpoint("x", {"a": np.ones(2)}, {}, ""), licence="mine")
    assert [made_by_ghbench(path) for path in (ours, weights, theirs, tmp_path)] == [True, True, False, False]
    check_output(ours)
    check_output(tmp_path / "absent.png")
    check_output(theirs, force=True)
    with pytest.raises(UsageError) as refused:
        check_output(theirs)
    assert "--force" in refused.value.fix


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_figures_are_known_again_and_files_of_others_stay(tmp_path, kind):
    style = pytest.importorskip("ghbench.figures.style")
    pytest.importorskip("matplotlib", reason="needs the extra report")
    path = tmp_path / f"drawn.{kind}"
    with style.styled_figure(2, 1) as figure:
        style.save_figure(figure, path)
    assert made_by_ghbench(path)
    style.check_figure(path, force=False)
    path.write_bytes(b"somebody's")
    with pytest.raises(UsageError, match="did not make it"):
        style.check_figure(path, force=False)


@pytest.mark.parametrize("spelling", ["same", "symlink", "hard link", "relative", "in a spec string"])
def test_an_input_is_never_an_output(tmp_path, monkeypatch, spelling):
    monkeypatch.chdir(tmp_path)
    source, out = tmp_path / "me.png", tmp_path / "me.png"
    save_png(np.zeros((2, 2, 3), np.uint8), source)
    read = {"relative": "./me.png", "in a spec string": "me.png:size=3"}.get(spelling, str(source))
    if "link" in spelling:
        out = tmp_path / "other.png"
        (os.symlink if spelling == "symlink" else os.link)(source, out)
    with pytest.raises(UsageError, match="input"):
        check_output(out, ["seed:3", "absent.png", read], force=True)
