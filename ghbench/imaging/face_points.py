"""Facial landmarks of a face: 68 points by face-alignment's FAN if its weights are on this machine, else by dlib.

Points follow iBUG 300-W: 36-41 the eye on the image's left, 42-47 the other one, 48 and 54 the mouth's corners.
"""

from __future__ import annotations

import importlib.util
import os
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench import assets
from ghbench.digests import digest_file
from ghbench.errors import DataError
from ghbench.extras import require
from ghbench.imaging.face_detection import Face

MODELS = "dlib-face-models"
PREDICTOR_5 = "shape_predictor_5_face_landmarks.dat"
PREDICTOR_68 = "shape_predictor_68_face_landmarks.dat"


def points68(face: Face) -> NDArray[np.float64]:
    """Find 68 landmarks.

    Args:
        face: The face.

    Returns:
        float64 [68, 2] x and y in pixels of the image, where pixel i covers the interval from i to i + 1.

    Raises:
        MissingError: Neither face-alignment's weights nor dlib's are available.
    """
    weights = fan_weights()
    if weights is None:
        return dlib_points68(face)
    # Both networks give pixel indices; a pixel's centre is half a pixel further.
    return (_fan_points(face, weights) + 0.5) / face.scale


def dlib_points68(face: Face) -> NDArray[np.float64]:
    """The landmarks that dlib finds, whatever else is on this machine; see `points68`."""
    shape = dlib_shape(face, PREDICTOR_68)
    return (np.array([(part.x, part.y) for part in shape.parts()], dtype=np.float64) + 0.5) / face.scale


def points68_digest() -> str:
    """Digest of the weights that `points68` uses on this machine."""
    weights = fan_weights()
    if weights is None:
        return assets.digest(MODELS, PREDICTOR_68)
    return _file_digest(weights, weights.stat().st_mtime_ns)


def dlib_shape(face: Face, predictor: str) -> Any:
    """Find landmarks as dlib's own object, in pixels of `face.view`.

    Args:
        face: The face.
        predictor: Member of the asset `dlib-face-models`.

    Raises:
        MissingError: dlib or the model file is not available.
    """
    dlib = require("dlib", "faces")
    left, top, right, bottom = (round(edge) for edge in face.box)
    return _predictor(str(assets.path(MODELS, predictor)))(face.view, dlib.rectangle(left, top, right - 1, bottom - 1))


def fan_weights() -> Path | None:
    """face-alignment's 2D network in torch's download folder; None if the package or the file is missing.

    This neither downloads anything nor imports torch.
    """
    if importlib.util.find_spec("face_alignment") is None:
        return None
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    hub = Path(os.environ.get("TORCH_HOME") or f"{base}/torch").expanduser() / "hub" / "checkpoints"
    return next(iter(sorted(hub.glob("2DFAN4-*.pth.tar"))), None)


def _fan_points(face: Face, weights: Path) -> NDArray[np.float64]:
    found = _fan(weights.name).get_landmarks_from_image(face.view, detected_faces=[np.array(face.box)])
    return np.asarray(found[0], dtype=np.float64)


@lru_cache(maxsize=2)
def _predictor(path: str) -> Any:
    return require("dlib", "faces").shape_predictor(path)


@lru_cache(maxsize=1)
def _fan(weights: str) -> Any:
    package = require("face_alignment", "faces")
    expected = Path(package.api.models_urls["2DFAN-4"]).name
    if expected != weights:
        raise DataError(f"face-alignment's weights are {weights}; this version of the package expects {expected}")
    # "folder" is the package's only detector without weights; it is never called, as we pass our own box.
    return package.FaceAlignment(
        package.LandmarksType.TWO_D, device="cpu", flip_input=False, face_detector="folder", compile=False
    )


@lru_cache(maxsize=4)
def _file_digest(path: Path, modified: int) -> str:  # noqa: ARG001 - part of the cache key
    return digest_file(path)
