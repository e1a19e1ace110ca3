"""Anybody's `torch.nn.Module` as an extractor: five lines from a new encoder to a row in the table."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ghbench.digests import digest_lines
from ghbench.errors import PluginError, UsageError, UserError
from ghbench.extractor import ExtractorSpec, Level, Preprocessing, Similarity, TrainingRecord
from ghbench.foreign_output import to_stderr
from ghbench.imaging import alignment
from ghbench.randomness import preserved_randomness
from ghbench.running.initial_weights import looks_untrained
from ghbench.running.module_digest import attribute_digests, module_digest
from ghbench.running.module_outputs import Pool, default_level, grouped_remarks, named_tensors, pooled_levels
from ghbench.user_code import known_fix, user_frame

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def is_module(value: object) -> bool:
    """Whether `value` is an `nn.Module`; torch is not imported to find out."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.nn.Module)


def wrap(
    module: Any,
    *,
    name: str | None = None,
    size: int | tuple[int, int] = 224,
    mean: Sequence[float] = IMAGENET_MEAN,
    std: Sequence[float] = IMAGENET_STD,
    align: str = "none",
    similarity: str = "cosine",
    training: TrainingRecord | None = None,
    licence: str = "not stated",
    levels: Mapping[str, str] | Sequence[str] | None = None,
    pool: Pool | None = None,
) -> OwnModule:
    """Make an extractor of a module that maps float [N, 3, H, W] to features.

    Its output is a tensor, or a dict, list, tuple or model output of tensors, each of which is a level. Vectors [N, D]
    stay as they are, maps [N, C, H, W] are averaged over their positions, of tokens [N, T, D] the class token is taken,
    or their mean where there is none. Weights in half precision are computed with in float32.

    Args:
        module: The network.
        name: Name in tables, by default its class's name.
        size: Height and width of its input in pixels.
        mean: Channel means subtracted from images in 0..1.
        std: Channel standard deviations, by which they are divided.
        align: Alignment used unless the user asks for another one.
        similarity: `cosine` or `l2`.
        training: What it was trained on; say it, and ghbench checks it against what it is scored on.
        licence: Licence of the weights.
        levels: Modules whose outputs are the levels instead: `{"early": "layer1", "late": "layer4.1"}`, or their names
            alone; the last one is evaluated by default.
        pool: What tokens become: `cls`, the first one, or `mean`, the mean of the patches.

    Raises:
        UsageError: No module, an unknown similarity, alignment or module name, or impossible sizes, means or standard
            deviations.
        PluginError: The module fails, or gives something else than features.
    """
    if similarity not in {"cosine", "l2"}:
        raise UsageError(f"features cannot be compared by {similarity!r}; expected cosine or l2")
    if pool not in {None, "cls", "mean"}:
        raise UsageError(f"tokens cannot be pooled by {pool!r}; expected cls or mean")
    if not is_module(module):
        raise UsageError(
            f"a {type(module).__name__} is no torch.nn.Module; an object with spec() needs no wrapping",
            fix=f"make one: {module.__name__}()" if isinstance(module, type) else None,
        )
    height, width = (size, size) if isinstance(size, int) else size
    if min(height, width) < 1 or len(mean) != 3 or len(std) != 3 or min(std) <= 0:
        raise UsageError(
            f"size={size}, mean={tuple(mean)}, std={tuple(std)}: expected positive sizes, three means and three "
            "positive standard deviations"
        )
    alignment(align)
    preprocessing = Preprocessing(
        (height, width), align=align, normalise=f"0..1, mean {tuple(mean)}, deviation {tuple(std)}"
    )
    places = None if levels is None else _places(module, levels)
    return OwnModule(
        module, name or type(module).__name__, preprocessing, mean, std, similarity, training, licence, places, pool
    )


class OwnModule:
    """An `nn.Module` with a spec; made by `wrap`."""

    def __init__(
        self,
        module: Any,
        name: str,
        preprocessing: Preprocessing,
        mean: Sequence[float],
        std: Sequence[float],
        similarity: str,
        training: TrainingRecord | None,
        licence: str,
        places: Mapping[str, str] | None = None,
        pool: Pool | None = None,
    ) -> None:
        import torch

        self._module, self._places, self._pool, self._training = module, places, pool, training
        self._device = next((parameter.device for parameter in module.parameters()), torch.device("cpu"))
        self._home = self._device
        self._mean = torch.tensor(mean).view(1, 3, 1, 1)
        self._std = torch.tensor(std).view(1, 3, 1, 1)
        self.drawn_weights: tuple[str, ...] = ()
        """Weights that nothing but the seed determines, where whoever built the network knows them."""
        self.drawn_whole = False
        """Whether these are all that vary."""
        before = attribute_digests(module)
        probe, self._remarks = self._probe(np.zeros((2, 3, *preprocessing.size), dtype=np.uint8), name)
        self._volatile = frozenset(
            attribute for attribute, digest in attribute_digests(module).items() if before.get(attribute) != digest
        )
        self._loses_axis = not places and self._loses_first_axis(preprocessing.size)
        if pool == "cls" and not any("token" in text for text in self._remarks.values()):
            raise UsageError(f"pool=cls: {name!r} returns no tokens [N, T, D]", fix="leave pool out")
        self._spec = ExtractorSpec(
            name=name,
            version="1",
            levels=tuple(Level(level, values.shape[1]) for level, values in probe.items()),
            default_levels=(list(probe)[-1] if places else default_level(probe),),
            preprocessing=preprocessing,
            weights_digest="",
            training=training or TrainingRecord(image_digests=None, supervision="not stated", domain="not stated"),
            licence=licence,
            similarity=cast("Similarity", similarity),
            backend="torch-float32",
            parameters=sum(weight.numel() for weight in module.parameters()),
        )

    @property
    def module(self) -> Any:
        """The network itself."""
        return self._module

    def spec(self) -> ExtractorSpec:
        """Levels found by one forward pass; weights digest over weights, source and configuration.

        The digest is taken anew at every call, because the module may have been trained since.
        """
        choices = [f"{level}={place}" for level, place in (self._places or {}).items()]
        digest = digest_lines([module_digest(self._module, self._volatile), *choices, f"pool={self._pool}"])
        untrained = self._training is None and self._is_untrained()
        return replace(
            self._spec, weights_digest=digest, training=TrainingRecord() if untrained else self._spec.training
        )

    def notes(self) -> list[str]:
        """What a reader of its numbers should know."""
        notes = grouped_remarks(self._remarks)
        if self._loses_axis:
            notes.append(
                "its output for a batch of one loses the first axis (squeeze); single images are encoded twice"
            )
        reduced = sorted({str(value.dtype) for value in _reduced_floats(self._module).values()})
        if reduced:
            notes.append(f"the weights are {', '.join(reduced)}; features are computed in float32")
        if self._is_untrained():
            notes.append("untrained: its weights are a random initialisation")
        elif self.drawn_weights:
            shown = ", ".join(self.drawn_weights[:4]) + (", ..." if len(self.drawn_weights) > 4 else "")
            notes.append(f"{len(self.drawn_weights)} weights are a random initialisation: {shown}")
        return notes

    def _is_untrained(self) -> bool:
        return self.drawn_whole or looks_untrained(self._module)

    def extract(self, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Encode uint8 [N, 3, H, W]."""
        return self._levels(images)[0]

    def to(self, device: str) -> None:
        """Move the network."""
        import torch

        self._device = torch.device(device)
        self._module.to(self._device)

    def move_back(self) -> None:
        """Move the network to where its owner had it."""
        if self._device != self._home:
            self.to(str(self._home))

    def module_tree(self) -> list[dict[str, str]]:
        """Name, class and output of every part for one image, in the order of the code; `-` where it is not called."""
        shapes: dict[str, str] = {}

        def note(name: str) -> Callable[..., None]:
            def hook(_module: object, _inputs: object, output: object) -> None:
                found = [(level, value) for level, value in named_tensors(output) if hasattr(value, "shape")]
                texts = [str(list(value.shape[1:])) for _, value in found]
                shapes[name] = (
                    texts[0]
                    if len(found) == 1
                    else ", ".join(f"{level} {text}" for (level, _), text in zip(found, texts, strict=True))
                )

            return hook

        parts = {name: part for name, part in self._module.named_modules() if name}
        self._run(np.zeros((2, 3, *self._spec.preprocessing.size), np.uint8), {name: note(name) for name in parts})
        return [
            {"module": name, "class": type(part).__name__, "output": shapes.get(name, "-")}
            for name, part in parts.items()
        ]

    def _probe(self, images: NDArray[np.uint8], name: str) -> tuple[dict[str, NDArray[np.float32]], dict[str, str]]:
        try:
            return self._levels(images)
        except UserError:
            raise
        except Exception as error:
            raise PluginError(
                f"{name!r} fails on two black images {images.shape[1:]}: {type(error).__name__}: {error}"
                f"{user_frame(error)}",
                fix=known_fix(error),
            ) from error

    def _loses_first_axis(self, size: tuple[int, int]) -> bool:
        try:
            output = self._run(np.zeros((1, 3, *size), dtype=np.uint8), {})
        except Exception:  # noqa: BLE001 - it has run on two images, so that the axis is what one lacks
            return True
        return any(
            hasattr(value, "shape") and value.ndim in {1, 3} and len(value) != 1 for _, value in named_tensors(output)
        )

    def _levels(self, images: NDArray[np.uint8]) -> tuple[dict[str, NDArray[np.float32]], dict[str, str]]:
        # Never a batch of one, whose axis a network may squeeze away.
        count, batch = len(images), images if len(images) > 1 else np.repeat(images, 2, axis=0)
        found: dict[str, Any] = {}
        remarks: dict[str, str] = {}

        def pooled(output: object, level: str = "") -> None:
            tensors, texts = pooled_levels(output, len(batch), self._module, self._pool, level)
            found.update(tensors)
            remarks.update(texts)

        def keep(level: str) -> Callable[..., None]:
            # Pooled inside the hook, because in-place activations overwrite the map afterwards.
            return lambda _module, _inputs, output: pooled(output, level)

        places = self._places or {}
        output = self._run(batch, {place: keep(level) for level, place in places.items()})
        if not places:
            pooled(output)
        for level, place in places.items():
            if not any(name == level or name.startswith(f"{level}.") for name in found):
                raise PluginError(
                    f"module {place!r} takes no part in the forward pass, so level {level!r} has no features"
                )
        return {level: values[:count].float().cpu().numpy() for level, values in found.items()}, remarks

    def _run(self, images: NDArray[np.uint8], hooks: Mapping[str, Callable[..., None]]) -> object:
        """The output for uint8 [N, 3, H, W], with hooks on the outputs of modules by their names."""
        import torch

        with (
            preserved_randomness(),
            to_stderr(),
            torch.no_grad(),
            _evaluation_mode(self._module),
            ExitStack() as hooked,
        ):
            for place, hook in hooks.items():
                handle = self._module.get_submodule(place).register_forward_hook(hook)
                hooked.callback(handle.remove)
            scaled = ((torch.from_numpy(images).float() / 255 - self._mean) / self._std).to(self._device)
            reduced = {name: value.float() for name, value in _reduced_floats(self._module).items()}
            if reduced:
                return torch.func.functional_call(self._module, reduced, (scaled,))
            return self._module(scaled)


def _places(module: Any, levels: Mapping[str, str] | Sequence[str]) -> dict[str, str]:
    """Module names by level."""
    names = levels.split("+") if isinstance(levels, str) else levels
    places = dict(names) if isinstance(names, Mapping) else {name: name for name in names}
    known = [name for name, _ in module.named_modules() if name]
    for place in places.values():
        if place not in known:
            near = difflib.get_close_matches(place, known, n=3)
            hint = f"; did you mean {' or '.join(near)}?" if near else ""
            raise UsageError(
                f"{type(module).__name__} has no module {place!r}{hint}",
                fix="ghbench describe extractor ./FILE.py:CLASS --modules, or module.named_modules()",
            )
    if not places:
        raise UsageError("levels= names no module")
    return places


def _reduced_floats(module: Any) -> dict[str, Any]:
    """Parameters and buffers in another floating-point type than float32, by name."""
    import torch

    held = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    return {name: value for name, value in held.items() if value.is_floating_point() and value.dtype != torch.float32}


@contextmanager
def _evaluation_mode(module: Any) -> Iterator[None]:
    """Evaluation mode inside the block; afterwards every part is in the mode it was in, so that training can go on."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode
