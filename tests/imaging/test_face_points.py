"""Landmarks: face-alignment's network is used only where its weights already lie, and then it is part of the key."""

from __future__ import annotations

import importlib.util

import pytest

from ghbench import assets
from ghbench.digests import digest_file
from ghbench.errors import DataError
from ghbench.imaging import alignment
from ghbench.imaging.face_detection import models_digest
from ghbench.imaging.face_points import PREDICTOR_5, PREDICTOR_68, fan_weights, points68_digest


@pytest.fixture
def torch_home(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    return folder


def test_without_weights_dlib_is_the_one(torch_home):
    assert fan_weights() is None
    assert points68_digest() == assets.digest("dlib-face-models", PREDICTOR_68)


@pytest.mark.skipif(importlib.util.find_spec("face_alignment") is None, reason="face-alignment is not installed")
def test_weights_that_lie_ready_change_the_digest_of_ffhq_only(torch_home):
    file = torch_home / "2DFAN4-0000000000.pth.tar"
    file.write_bytes(b"weights")
    assert fan_weights() == file
    assert alignment("ffhq").weights_digest == models_digest(digest_file(file))
    assert alignment("dlib-chip").weights_digest == models_digest(assets.digest("dlib-face-models", PREDICTOR_5))


@pytest.mark.skipif(importlib.util.find_spec("face_alignment") is None, reason="face-alignment is not installed")
def test_weights_of_another_version_are_refused_before_the_package_fetches_its_own(torch_home):
    from ghbench.imaging.face_points import _fan

    with pytest.raises(DataError, match="this version of the package expects"):
        _fan("2DFAN4-0000000000.pth.tar")
