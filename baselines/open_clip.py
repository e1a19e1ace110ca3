"""Image towers of OpenCLIP, with the preprocessing of their published weights."""

from __future__ import annotations

import logging
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ghbench.errors import DataError, MissingError, UsageError
from ghbench.extractor import ExtractorSpec, Level, Preprocessing, TrainingRecord
from ghbench.extras import require

from .hub_files import fetch_first
from .origin import Origin, check_model, initialise, is_file_name
from .pooling import Pool, between, pool
from .stages import parameters_of, skeleton
from .torch_encoder import TorchEncoder, normalisation
from .vision_models import import_torchvision
from .weight_files import load_into, read_weights

if TYPE_CHECKING:
    import torch

    from .torch_encoder import Levels

EXTRA = "open-clip"
_FILES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")
_PREPARATION = ("mean", "std", "interpolation", "resize_mode")


class OpenClip(TorchEncoder):
    """Any image tower of OpenCLIP, by its model name and weights.

    Its levels are `block1` to `blockN` (`stage1` to `stageN` where they are maps) and the final one: `pooled`, the
    embedding that is compared with texts, or the pooling that was chosen.

    Args:
        model: Name, for instance `ViT-B-32`.
        weights: Tag of published weights, for instance `laion2b_s34b_b79k`, or a `.safetensors` or `.pt` file.
        pool: `own` (the embedding, the default), or of the last block: `cls` (class token), `mean` or `gem` (patches).
        tag: For a file: the published weights whose preprocessing and activation it shares.
    """

    def __init__(self, model: str, weights: str, pool: Pool = "default", tag: str | None = None) -> None:
        super().__init__()
        if tag is not None and not is_file_name(weights):
            raise UsageError(f"tag={tag} belongs to a weights file, but weights={weights} is a tag itself")
        self.model, self.weights, self.pool, self.tag = model, weights, pool, tag

    def spec(self) -> ExtractorSpec:
        """Describe the extractor; this finds the weights file and runs the tower on the meta device."""
        return self._spec

    def build(self) -> tuple[torch.nn.Module, Levels]:
        """Build the image tower with its weights."""
        from open_clip.convert import convert_state_dict

        _ = self._spec
        whole: Any = initialise(self._construct, seed=0)
        state = convert_state_dict(whole, read_weights(self._file))
        prefix = "visual."
        image = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
        if not image:
            raise DataError(f"{self._file} holds no image tower of OpenCLIP (tensors named {prefix}...)")
        tower: torch.nn.Module = whole.visual
        load_into(tower, image, self._file)
        return tower, lambda images: self._read(tower, images)

    @cached_property
    def _spec(self) -> ExtractorSpec:
        import torch

        _ = self._file  # first: weights that are not here are said before the network is built
        preparation = self._preparation
        self.mean, self.std = tuple(preparation["mean"]), tuple(preparation["std"])
        tower = self._skeleton
        side = tower.image_size
        height, width = side if isinstance(side, tuple | list) else (side, side)
        images = torch.empty(2, 3, height, width, device="meta")
        with torch.inference_mode():
            levels = tuple(Level(name, value.shape[-1]) for name, value in self._read(tower, images).items())
        origin = Origin("open_clip", self.model, self._file, 0, self._variant, self._home)
        record = TrainingRecord(
            (f"open_clip tag {self.weights}",), image_digests=None, supervision="captions", domain="not stated"
        )
        return origin.spec(
            levels,
            Preprocessing(
                (height, width),
                resize=_resize(self.model, preparation, height, width),
                normalise=normalisation(self.mean, self.std),
            ),
            None if is_file_name(self.weights) else record,
            "see OpenCLIP's list of weights",
            parameters_of(tower),
        )

    @cached_property
    def _library(self) -> Any:
        import_torchvision()  # first, because OpenCLIP fails where torchvision's operators do not match torch
        library = require("open_clip", EXTRA)
        check_model(self.model, library.list_models(), "OpenCLIP")
        return library

    @cached_property
    def _published(self) -> dict[str, Any]:
        """What OpenCLIP knows of the weights that were named; empty for a file of no tag."""
        tag = self.tag if is_file_name(self.weights) else self.weights
        if tag is None:
            return {}
        known = self._library.list_pretrained_tags_by_model(self.model)
        if tag not in known:
            raise UsageError(
                f"OpenCLIP's {self.model!r} has no weights {tag!r}; expected a file or {', '.join(known) or 'no tag'}"
            )
        return dict(self._library.get_pretrained_cfg(self.model, tag))

    @cached_property
    def _preparation(self) -> dict[str, Any]:
        """Mean, deviation, interpolation and resize mode."""
        if self._published:
            return {key: self._published[key] for key in _PREPARATION}
        library, found = self._library, []
        for tag in library.list_pretrained_tags_by_model(self.model):
            published = library.get_pretrained_cfg(self.model, tag)
            entry = {key: published[key] for key in _PREPARATION}
            if entry not in found:
                found.append(entry)
        if len(found) > 1:
            raise UsageError(
                f"published weights of {self.model!r} prepare images in {len(found)} ways; the file does not say how",
                fix=f"add tag={library.list_pretrained_tags_by_model(self.model)[0]}, or another one",
            )
        stated: dict[str, Any] = dict(self._skeleton.preprocess_cfg)
        return found[0] if found else {key: stated[key] for key in _PREPARATION}

    @cached_property
    def _file(self) -> Path:
        if is_file_name(self.weights):
            return Path(self.weights)
        repository, _, filename = str(self._published.get("hf_hub") or "").rpartition("/")
        if not repository:
            raise MissingError(
                f"the weights {self.weights} of {self.model!r} are not on the hub",
                fix=f"download {self._published.get('url')} and name it: weights=FILE,tag={self.weights}",
            )
        return fetch_first(repository, (filename,) if filename else _FILES, EXTRA)

    @property
    def _home(self) -> str:
        repository = str(self._published.get("hf_hub") or "").rpartition("/")[0]
        return (
            "" if is_file_name(self.weights) else f"https://huggingface.co/{repository}/tree/{self._file.parent.name}"
        )

    @property
    def _variant(self) -> str:
        return f"pool={self._final},quick_gelu={bool(self._published.get('quick_gelu'))}"

    @property
    def _final(self) -> str:
        return "pooled" if self.pool in {"default", "own"} else self.pool

    @cached_property
    def _skeleton(self) -> Any:
        return skeleton(self._construct).visual

    def _construct(self) -> Any:
        before = logging.root.manager.disable
        logging.disable(logging.WARNING)  # it warns of initial weights, which are replaced at once
        try:
            return self._library.create_model(
                self.model,
                pretrained=None,
                load_weights=False,
                pretrained_text=False,
                force_quick_gelu=bool(self._published.get("quick_gelu")),
            )
        finally:
            logging.disable(before)

    def _read(self, tower: Any, images: torch.Tensor) -> dict[str, torch.Tensor]:
        """Levels [N, D] of normalised images [N, 3, H, W]."""
        output = tower.forward_intermediates(images, output_extra_tokens=True)
        maps = output["image_intermediates"]
        before = output.get("image_intermediates_prefix") or [None] * len(maps)
        kind = "block" if len({tuple(value.shape[2:]) for value in maps}) == 1 else "stage"
        prefix = 0 if before[0] is None else before[0].shape[1]
        tokens = [_tokens(value, first) for value, first in zip(maps, before, strict=True)]
        how = between(self.pool, prefix)
        levels = {f"{kind}{number}": pool(value, how, prefix) for number, value in enumerate(tokens, start=1)}
        levels[self._final] = output["image_features"] if self._final == "pooled" else pool(tokens[-1], how, prefix)
        return levels


def _tokens(patches: torch.Tensor, first: torch.Tensor | None) -> torch.Tensor:
    """Maps [N, C, H, W] as they are, or with their first tokens [N, P, C] as tokens [N, P + H W, C]."""
    import torch

    return patches if first is None else torch.cat([first, patches.flatten(2).mT], dim=1)


def _resize(model: str, preparation: dict[str, Any], height: int, width: int) -> str:
    """Name of the step that `open_clip.transform.image_transform` takes for evaluation."""
    kernel = "bilinear" if preparation["interpolation"] == "bilinear" else "bicubic"
    if preparation["resize_mode"] == "squash":
        return f"squash-{kernel}"
    if preparation["resize_mode"] != "shortest" or height != width:
        raise UsageError(
            f"OpenCLIP prepares images for {model!r} by {preparation['resize_mode']!r}, which ghbench has no step for"
        )
    return f"shortest-{height}-{kernel}"
