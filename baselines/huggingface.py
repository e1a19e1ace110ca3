"""Image models of transformers, from the hub or a folder, with the preprocessing that was saved beside them."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

from ghbench.digests import digest_file, digest_json
from ghbench.errors import DataError, UsageError
from ghbench.extractor import ExtractorSpec, Level, TrainingRecord
from ghbench.extras import require

from .hub_files import ModelFiles, find_model
from .image_processors import Processing, read_processor
from .origin import initialise
from .pooling import Pool, between, pool
from .stages import parameters_of, skeleton
from .torch_encoder import TorchEncoder
from .vision_models import import_torchvision
from .weight_files import read_weights

if TYPE_CHECKING:
    import torch

    from .torch_encoder import Levels

EXTRA = "hf"
_MOST_PREFIX_TOKENS = 16
"""More tokens than this beside the patches are no prefix, but another grid."""


class HuggingFace(TorchEncoder):
    """Any image model of transformers, from Hugging Face's hub or a folder.

    Its levels are `hidden0` (the embeddings) to `hiddenN`, as transformers counts them, and the final one, named by its
    pooling. Code that comes with a model is never run.

    Args:
        model: Name on the hub, or a folder that `save_pretrained` made.
        pool: `cls` (class token), `mean` or `gem` (of the patches), `own` (the model's own pooling: the projected
            embedding of CLIP, the attention head of SigLIP). By default `own` for models of images and text, `cls` for
            others with a class token, then `own`, then `mean`.
        revision: Branch, tag or commit hash on the hub.
    """

    def __init__(self, model: str, pool: Pool = "default", revision: str | None = None) -> None:
        super().__init__()
        self.model, self.pool, self.revision = model, pool, revision

    def spec(self) -> ExtractorSpec:
        """Describe the extractor; this finds its files and runs the network on the meta device."""
        return self._spec

    def build(self) -> tuple[torch.nn.Module, Levels]:
        """Build the network with its weights."""
        _ = self._spec
        weights: dict[str, Any] = {}
        for file in self._files.weights:
            weights.update(read_weights(file))
        kind: Any = type(self._skeleton)
        report: dict[str, Any] = {}

        def load() -> torch.nn.Module:
            network, found = kind.from_pretrained(
                None, config=self._config, state_dict=weights, output_loading_info=True, dtype="float32"
            )
            report.update(found)
            return cast("torch.nn.Module", network)

        try:
            with _silence():
                network = initialise(load, seed=0)
        except Exception as error:  # transformers wraps what torch says in errors of many kinds
            said = " ".join(str(error).split())[:300]
            raise DataError(f"the weights in {self._files.folder} do not fit {kind.__name__}: {said}") from error
        absent = [name for name in report["missing_keys"] if self._final == "pooled" or not _is_pooler(name)]
        unfit = [*absent, *(entry[0] for entry in report.get("mismatched_keys", ()))]
        if unfit:
            raise DataError(
                f"the weights in {self._files.folder} lack {len(unfit)} tensors of {kind.__name__}: "
                f"{', '.join(sorted(unfit)[:3])}"
            )
        return network, lambda images: self._levels(self._run(network, images))

    @cached_property
    def _spec(self) -> ExtractorSpec:
        processing = self._processing
        self.mean, self.std = processing.mean, processing.std
        files = self._files
        label = files.folder.resolve().name if files.commit is None else self.model.rpartition("/")[2]
        home = f"https://huggingface.co/{self.model}"
        return ExtractorSpec(
            name=f"hf-{label}",
            version="1",
            levels=tuple(Level(name, value.shape[-1]) for name, value in self._levels(self._output).items()),
            default_levels=(self._final,),
            preprocessing=processing.preprocessing,
            weights_digest=digest_json(
                {
                    "architecture": f"transformers/{type(self._skeleton).__name__}",
                    "config": _lasting(self._stored_config),
                    "files": [digest_file(file) for file in files.weights],
                    "pool": self._final,
                    "between": self._between,
                }
            ),
            training=TrainingRecord(("unknown",), image_digests=None, supervision="unknown", domain="not stated"),
            licence="that of the user's folder" if files.commit is None else f"see {home}",
            backend="torch-float32",
            citation="" if files.commit is None else f"{home}/tree/{files.commit}",
            parameters=parameters_of(self._skeleton),
        )

    @cached_property
    def _files(self) -> ModelFiles:
        if importlib.util.find_spec("transformers") is None:
            require("transformers", EXTRA)
        # Before the library is imported, which takes seconds: a model that is not here is said at once.
        files = find_model(self.model, self.revision, EXTRA)
        import_torchvision()
        require("transformers", EXTRA)
        return files

    @cached_property
    def _processing(self) -> Processing:
        return read_processor(self._files.folder)

    @cached_property
    def _stored_config(self) -> Mapping[str, Any]:
        path = self._files.folder / "config.json"
        try:
            stored = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise DataError(f"{path} cannot be read: {type(error).__name__}") from error
        if not isinstance(stored, dict):
            raise DataError(f"{path} is no configuration of a model")
        return stored

    @cached_property
    def _config(self) -> Any:
        import transformers

        folder, stored = self._files.folder, self._stored_config
        if "quantization_config" in stored:
            raise UsageError(f"{self.model} is quantised, which ghbench does not read", fix="name the full model")
        try:
            config = transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
        except Exception as error:  # the library raises errors of many kinds for a configuration that is none
            kind = str(stored.get("model_type"))[:80]
            if "auto_map" in stored:
                said = "it needs code that comes with it, which ghbench never runs"
            else:
                said = " ".join(str(error).split())[:200]
            raise DataError(f"{self.model} cannot be built (model type {kind!r}): {said}") from error
        # Set here, because a configuration may name a kernel on the hub, which is code.
        config._attn_implementation = "eager"
        if config.model_type == "vit_mae":
            config.mask_ratio = 0.0  # features of the whole image, not of the quarter that its training looked at
        return config

    @cached_property
    def _skeleton(self) -> torch.nn.Module:
        import transformers

        config = self._config
        try:
            network: torch.nn.Module = skeleton(
                lambda: transformers.AutoModel.from_config(config, trust_remote_code=False)
            )
        except Exception as error:  # as above
            said = " ".join(str(error).split())[:200]
            raise DataError(f"{self.model} cannot be built: {type(error).__name__}: {said}") from error
        return network

    @cached_property
    def _output(self) -> Any:
        """What the network returns for one image, on the meta device: shapes only."""
        import torch

        size = self._processing.preprocessing.size
        try:
            with torch.inference_mode():
                return self._run(self._skeleton, torch.empty(1, 3, *size, device="meta"))
        except (RuntimeError, ValueError, NotImplementedError, TypeError) as error:
            said = " ".join(str(error).split())[:200]
            raise DataError(f"{self.model} does not take images of {size[0]}x{size[1]} pixels: {said}") from error

    @cached_property
    def _prefix(self) -> int:
        """Tokens before the patches."""
        vision = getattr(self._config, "vision_config", None) or self._config
        patch, last = getattr(vision, "patch_size", None), self._output.last_hidden_state
        if not isinstance(patch, int) or patch < 1 or last.ndim != 3:
            return 0
        height, width = self._processing.preprocessing.size
        extra = last.shape[1] - (height // patch) * (width // patch)
        return extra if 0 < extra <= _MOST_PREFIX_TOKENS else 0

    @cached_property
    def _final(self) -> str:
        """Name of the final level: its pooling, or `pooled` for the model's own."""
        if self.pool in {"cls", "mean", "gem"}:
            return self.pool
        pooled = getattr(self._output, "pooler_output", None)
        if self.pool == "own":
            if pooled is None:
                raise UsageError(f"{self.model} has no pooling of its own", fix="pool=mean")
            return "pooled"
        if pooled is not None and (hasattr(self._skeleton, "get_image_features") or not self._prefix):
            return "pooled"
        return "cls" if self._prefix else "mean"

    @cached_property
    def _between(self) -> Pool:
        return between(self.pool, self._prefix)

    def _run(self, network: Any, images: torch.Tensor) -> Any:
        take = network.get_image_features if hasattr(network, "get_image_features") else network
        return take(pixel_values=images, output_hidden_states=True, return_dict=True)

    def _levels(self, output: Any) -> dict[str, torch.Tensor]:
        """Levels [N, D] of what the network returned."""
        levels = {
            f"hidden{number}": pool(state, self._between, self._prefix)
            for number, state in enumerate(output.hidden_states or ())
        }
        if self._final == "pooled":
            levels["pooled"] = output.pooler_output.flatten(1)
        else:
            how: Pool = "cls" if self._final == "cls" else "gem" if self._final == "gem" else "mean"
            levels[self._final] = pool(output.last_hidden_state, how, self._prefix)
        return levels


@contextmanager
def _silence() -> Iterator[None]:
    """Keep the library's progress bars and its report of unused weights off the terminal; ghbench says what matters."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _is_pooler(name: str) -> bool:
    """A head for training that many checkpoints leave out; it does not shape the other levels."""
    return name.partition(".")[0] in {"pooler", "head"}


def _lasting(config: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration without what says where and by which version it was written."""
    passing = {"_name_or_path", "transformers_version", "torch_dtype", "dtype", "auto_map"}
    return {key: value for key, value in config.items() if key not in passing}
