"""Anybody's `torch.nn.Module` as an extractor: five lines from a new encoder to a row in the table."""

from __future__ import annotations

import hashlib
import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from ghbench.digests import digest_array, digest_lines
from ghbench.errors import PluginError, UsageError
from ghbench.extractor import ExtractorSpec, Level, Preprocessing, Similarity, TrainingRecord
from ghbench.imaging import alignment
from ghbench.randomness import preserved_randomness

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
) -> OwnModule:
    """Make an extractor of a module that maps float [N, 3, H, W] to [N, D], or to a dict of such arrays by level.

    Maps [N, C, H, W] are averaged over their positions.

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

    Raises:
        UsageError: No module, an unknown similarity or alignment, or impossible sizes, means or deviations.
        PluginError: The module gives something else than features.
    """
    if similarity not in {"cosine", "l2"}:
        raise UsageError(f"features cannot be compared by {similarity!r}; expected cosine or l2")
    if not is_module(module):
        raise UsageError(f"a {type(module).__name__} is no torch.nn.Module; an object with spec() needs no wrapping")
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
    record = training or TrainingRecord(image_digests=None, supervision="not stated", domain="not stated")
    return OwnModule(module, name or type(module).__name__, preprocessing, mean, std, similarity, record, licence)


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
        training: TrainingRecord,
        licence: str,
    ) -> None:
        import torch

        self._module = module
        self._device = next((parameter.device for parameter in module.parameters()), torch.device("cpu"))
        self._mean = torch.tensor(mean).view(1, 3, 1, 1)
        self._std = torch.tensor(std).view(1, 3, 1, 1)
        probe = self._forward(np.zeros((2, 3, *preprocessing.size), dtype=np.uint8))
        levels = tuple(Level(level, values.shape[1]) for level, values in probe.items())
        self._spec = ExtractorSpec(
            name=name,
            version="1",
            levels=levels,
            default_levels=(levels[-1].name,),
            preprocessing=preprocessing,
            weights_digest="",
            training=training,
            licence=licence,
            similarity=cast("Similarity", similarity),
            backend="torch-float32",
        )

    def spec(self) -> ExtractorSpec:
        """Levels found by one forward pass; weights digest over parameters, buffers, source and what the module does.

        The digest is taken anew at every call, because the module may have been trained since. Attributes and globals
        that change what it computes are in neither weights nor source, so its answer to two fixed images of noise
        counts too.
        """
        noise = np.random.default_rng(0).integers(0, 256, (2, 3, *self._spec.preprocessing.size), dtype=np.uint8)
        answers = [digest_array(values) for values in self._forward(noise).values()]
        return replace(self._spec, weights_digest=digest_lines([module_digest(self._module), *answers]))

    def extract(self, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        """Encode uint8 [N, 3, H, W]."""
        return self._forward(images)

    def to(self, device: str) -> None:
        """Move the network."""
        import torch

        self._device = torch.device(device)
        self._module.to(self._device)

    def _forward(self, images: NDArray[np.uint8]) -> dict[str, NDArray[np.float32]]:
        import torch

        with preserved_randomness(), torch.no_grad(), _evaluation_mode(self._module):
            scaled = (torch.from_numpy(images).float() / 255 - self._mean) / self._std
            output = self._module(scaled.to(self._device))
        named = output if isinstance(output, Mapping) else {"features": output}
        return {level: _pool(level, values) for level, values in named.items()}


def module_digest(module: Any) -> str:
    """sha256 over a module's parameters and buffers, and over the source of its class.

    Two networks with equal weights and different code are different extractors; the code is that of the module's own
    class and of every part that torch does not bring.
    """
    held = {**module.state_dict(), **dict(module.named_buffers())}  # buffers that are not saved count as well
    lines = [f"{key}\t{_value_digest(value)}" for key, value in held.items()]
    classes = dict.fromkeys(type(part) for part in module.modules())
    sources = [_source(kind) for kind in classes if not kind.__module__.startswith("torch.")]
    return digest_lines([*lines, *sources, repr(module)])


def _value_digest(value: Any) -> str:
    import torch

    if not isinstance(value, torch.Tensor):
        return hashlib.sha256(repr(value).encode()).hexdigest()
    value = value.detach().cpu()
    if value.dtype is torch.bfloat16:  # which NumPy does not know
        return f"bfloat16 {digest_array(value.view(torch.int16).numpy())}"
    return digest_array(value.numpy())


def _source(kind: type) -> str:
    try:
        source = inspect.getsource(kind)
    except (OSError, TypeError):
        # Classes typed into a prompt have no source; the module's repr still tells the layers.
        source = kind.__qualname__
    return hashlib.sha256(source.encode()).hexdigest()


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


def _pool(level: str, values: Any) -> NDArray[np.float32]:
    import torch

    if not isinstance(values, torch.Tensor) or values.ndim not in {2, 4}:
        shape = tuple(values.shape) if hasattr(values, "shape") else type(values).__name__
        raise PluginError(f"the module returned {shape} for level {level!r}; expected a tensor [N, D] or [N, C, H, W]")
    flat = values.mean(dim=(2, 3)) if values.ndim == 4 else values
    pooled: NDArray[np.float32] = flat.float().cpu().numpy()
    return pooled
