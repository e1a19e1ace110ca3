"""DINOv2 ViT-S/14, cut out of a larger ONNX graph."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ghbench import assets
from ghbench.digests import digest_json
from ghbench.extractor import ExtractorSpec, Level, Preprocessing, TrainingRecord
from ghbench.extras import require

from .torch_encoder import normalisation
from .vision_models import IMAGENET_MEAN, IMAGENET_STD

_ASSET = "vit-s-focus"
_MEMBER = "vit_s_focus.onnx"
_TOKENS = "/backbone/layernorm/Add_1_output_0"


class DinoV2Small:
    """DINOv2 ViT-S/14 trunk, self-supervised, run by onnxruntime (Oquab et al. 2023)."""

    def __init__(self) -> None:
        self._session: Any = None

    def spec(self) -> ExtractorSpec:
        """Describe the extractor."""
        return ExtractorSpec(
            name="dinov2-small",
            version="1",
            levels=(Level("patches", 384), Level("class-token", 384)),
            default_levels=("class-token",),
            preprocessing=Preprocessing(
                size=(224, 224), resize="crop-bicubic", normalise=normalisation(IMAGENET_MEAN, IMAGENET_STD)
            ),
            weights_digest=digest_json({"asset": assets.digest(_ASSET, _MEMBER), "cut": _TOKENS}),
            # The package does not say whether the trunk was fine-tuned for its task, saliency.
            training=TrainingRecord(
                datasets=("lvd-142m", "imagenet-1k"),
                image_digests=None,
                supervision="self-supervised; possibly tuned for saliency afterwards",
            ),
            licence="MIT (package), Apache-2.0 (DINOv2)",
            backend="onnxruntime-float32",
            citation="Oquab et al. 2023, DINOv2: Learning Robust Visual Features without Supervision",
            parameters=22_056_192,
        )

    def extract(self, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Encode a batch: uint8 [N, 3, 224, 224] to float32 [N, 384] for class token and mean patch token."""
        if self._session is None:
            self._session = _session()
        mean, std = (np.array(value, np.float32).reshape(1, 3, 1, 1) for value in (IMAGENET_MEAN, IMAGENET_STD))
        batch = (images.astype(np.float32) / np.float32(255) - mean) / std
        (tokens,) = self._session.run([_TOKENS], {self._session.get_inputs()[0].name: batch})
        return {"patches": tokens[:, 1:].mean(axis=1), "class-token": tokens[:, 0].copy()}


def _session() -> Any:
    """An onnxruntime session of the graph up to the last layer norm; the saliency decoder is cut off."""
    onnx = require("onnx", "backbones")
    onnxruntime = require("onnxruntime", "backbones")
    model = onnx.load(str(assets.path(_ASSET, _MEMBER)))
    _cut(model.graph, onnx.helper.make_tensor_value_info(_TOKENS, onnx.TensorProto.FLOAT, None))
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def _cut(graph: Any, output: Any) -> None:
    """Make `output` the only output of an ONNX graph and drop every node and weight it does not need.

    `onnx.utils.Extractor` needs the declared shape of the output, which this file lacks.
    """
    needed, nodes = {output.name}, []
    for node in reversed(graph.node):  # ONNX keeps nodes in topological order
        if needed.intersection(node.output):
            needed.update(node.input)
            nodes.append(node)
    weights = [tensor for tensor in graph.initializer if tensor.name in needed]
    for old, new in ((graph.node, nodes[::-1]), (graph.initializer, weights), (graph.output, [output])):
        kept = list(new)
        del old[:]
        old.extend(kept)
