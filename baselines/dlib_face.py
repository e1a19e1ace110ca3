"""dlib's face recognition network."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench import assets
from ghbench.digests import digest_json
from ghbench.extractor import ExtractorSpec, Level, Preprocessing, TrainingRecord
from ghbench.extras import require

_ASSET = "dlib-face-models"
_MEMBER = "dlib_face_recognition_resnet_model_v1.dat"

_PARAMETERS = 5_614_592
"""Counted by its architecture, of 29 convolutions, each with a bias and an affine layer, and a linear one without."""


class DlibFace:
    """dlib's face recognition ResNet, 128 numbers, on aligned 150-pixel chips (King 2017)."""

    def __init__(self) -> None:
        self._network: Any = None

    def spec(self) -> ExtractorSpec:
        """Describe the extractor."""
        return ExtractorSpec(
            name="dlib-face",
            version="1",
            levels=(Level("descriptor", 128),),
            default_levels=("descriptor",),
            preprocessing=Preprocessing(
                size=(150, 150),
                align="dlib-chip",
                normalise="inside dlib: less mean (122.782, 117.001, 104.298), / 256",
            ),
            weights_digest=digest_json({"asset": assets.digest(_ASSET, _MEMBER), "jitter": 0}),
            # King 2017: about 3 million images, half of them from these two datasets; people in LFW were excluded.
            training=TrainingRecord(datasets=("face-scrub", "vgg-face"), image_digests=None, supervision="identities"),
            licence="CC0-1.0",
            similarity="l2",
            backend="dlib-float32",
            citation="King 2017, High Quality Face Recognition with Deep Metric Learning",
            parameters=_PARAMETERS,
        )

    def extract(self, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Describe face chips: uint8 [N, 3, 150, 150] to float32 [N, 128]."""
        if self._network is None:
            dlib = require("dlib", "faces")
            self._network = dlib.face_recognition_model_v1(str(assets.path(_ASSET, _MEMBER)))
        chips = [np.ascontiguousarray(image) for image in images.transpose(0, 2, 3, 1)]
        # Without jitter dlib encodes each chip once, unchanged.
        rows = self._network.compute_face_descriptor(chips, 0) if chips else []
        return {"descriptor": np.asarray(rows, dtype=np.float32).reshape(len(images), 128)}
