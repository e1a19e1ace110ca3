"""How much of a person is lost from one aligned face to another, as dlib's face network judges."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench import registry
from ghbench.extras import require
from ghbench.imaging.dlib_chip import PADDING
from ghbench.imaging.face_points import PREDICTOR_5, dlib_shape

from .face_attributes import aligned_face

FACES = "dlib-face"


class Identity:
    """dlib's face network on chips from a fixed box, since generated faces are aligned."""

    @property
    def digest(self) -> str:
        """Digest of the network's weights."""
        return str(self._network.spec().weights_digest)

    def distances(self, before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Distances of descriptors.

        Args:
            before: uint8 [N, 3, R, R].
            after: Their partners.

        Returns:
            float64 [N].

        Raises:
            MissingError: dlib or its models are not available.
        """
        chips = np.stack([self._chip(image) for image in np.concatenate([before, after])])
        (found,) = self._network.extract(chips).values()
        one, other = np.split(np.asarray(found, np.float64), 2)
        return np.asarray(np.linalg.norm(one - other, axis=1))

    def _chip(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        dlib, face = require("dlib", "faces"), aligned_face(image)
        side = max(self._network.spec().preprocessing.size)
        details = dlib.get_face_chip_details(dlib_shape(face, PREDICTOR_5), side, PADDING)
        return np.asarray(dlib.extract_image_chip(face.view, details), np.uint8).transpose(2, 0, 1)

    @cached_property
    def _network(self) -> Any:
        return registry.build("extractor", FACES)
