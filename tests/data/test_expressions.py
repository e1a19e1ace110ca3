"""Expressions: the network gives what TensorFlow Lite gives for the package's own quantised copy of it."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("h5py")

from ghbench import assets  # noqa: E402
from ghbench.data import expressions  # noqa: E402
from ghbench.imaging.face_detection import Face  # noqa: E402

# OpenVINO 2026.4 on `emotion_model_quantized.tflite`, whose weights have eight bits, for the pattern below.
QUANTISED = [
    [0.160, 0.056, 0.059, 0.242, 0.019, 0.327, 0.138],
    [0.103, 0.001, 0.043, 0.642, 0.008, 0.028, 0.175],
    [0.257, 0.000, 0.095, 0.126, 0.050, 0.009, 0.463],
]


@pytest.fixture(scope="module")
def network():
    return assets.path(expressions.ASSET, expressions.MEMBER)


def pattern():
    places = np.arange(64)
    waves = 60 * np.sin(places / 7)[:, None] * np.cos(places / 11)[None]
    return 127.5 + waves + 40 * np.cos(places[:, None] * places[None] / 300)


@pytest.mark.usefixtures("network")
def test_the_network_is_the_packages():
    images = np.stack([pattern(), pattern()[::-1], 255 - pattern()])
    given = torch.from_numpy(images / 127.5 - 1).float()[:, None]
    found = expressions._probabilities(given, expressions._weights())
    np.testing.assert_allclose(found.numpy(), QUANTISED, atol=0.015)


@pytest.mark.usefixtures("network")
def test_a_face_at_the_edge_has_an_expression_too():
    view = np.repeat(pattern().round().astype(np.uint8)[..., None], 3, axis=2)
    found = expressions.expressions(Face((-10.0, -5.0, 60.0, 70.0), detected=True, view=view, scale=1.0))
    assert found.shape == (len(expressions.NAMES),)
    assert found.sum() == pytest.approx(1)
