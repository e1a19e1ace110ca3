"""Images for seeds: a seed gives the same image, whatever is drawn beside it, up to one grey level."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MethodType
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ghbench.errors import DataError, PluginError, UsageError
from ghbench.generators.protocol import Generator
from ghbench.generators.rendering import seeded_z, to_uint8

NoiseMode = Literal["const", "random", "none"]
MOST_SEEDS = 4096
LARGEST_SEED = 2**32 - 1


def seed_list(text: str, most: int = MOST_SEEDS) -> list[int]:
    """Seeds from `0-15`, `3,5,8` or `0-3,100`, at most `most` of them.

    Raises:
        UsageError: The text is invalid, or the seeds are too many or too large.
    """
    seeds: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,10})(?:-(\d{1,10}))?\s*", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if last < first or last > LARGEST_SEED:
            raise UsageError(f"invalid seeds {text!r}; expected for instance 0-15 or 3,5,8, none above {LARGEST_SEED}")
        if len(seeds) + last - first >= most:
            raise UsageError(f"{text!r} are more than {most} seeds", fix="write several files, or --out FOLDER")
        seeds += range(first, last + 1)
    return seeds


def pictures_of_seeds(
    generator: Generator,
    seeds: Sequence[int],
    *,
    psi: float = 0.7,
    size: int | None = None,
    noise: NoiseMode = "const",
    label: int | None = None,
    batch: int = 4,
    report: Callable[[int, int], None] = lambda _done, _total: None,
) -> NDArray[np.uint8]:
    """Make one image a seed: uint8 [N, H, W, 3]; see `stream_of_seeds`.

    Raises:
        UsageError: The images do not fit into memory; or as `stream_of_seeds`.
        DataError: As `stream_of_seeds`.
        PluginError: As `stream_of_seeds`.
    """
    side = size or max(level.resolution for level in generator.levels)
    # The list, the array that it becomes, and a grid of it.
    needed, free = 3 * len(seeds) * 3 * side**2, free_memory()
    if free is not None and needed > free:
        raise UsageError(
            f"{len(seeds)} images of {side} px need {needed / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free",
            fix="write one file an image: --out FOLDER, or take fewer seeds or a smaller --size",
        )
    stream = stream_of_seeds(generator, seeds, psi=psi, size=size, noise=noise, label=label, batch=batch, report=report)
    return np.ascontiguousarray(np.concatenate(list(stream)))


def stream_of_seeds(
    generator: Generator,
    seeds: Sequence[int],
    *,
    psi: float = 0.7,
    size: int | None = None,
    noise: NoiseMode = "const",
    label: int | None = None,
    batch: int = 4,
    report: Callable[[int, int], None] = lambda _done, _total: None,
) -> Iterator[NDArray[np.uint8]]:
    """Make one image a seed, batch by batch. Another batch size may change a pixel by one grey level.

    The z of a seed is NumPy's `RandomState(seed).randn(z_dim)`, as in the official StyleGAN programs, so that a seed
    gives the same image there and here. Random noise comes from torch's generator with the same seed.

    Args:
        generator: On any device.
        seeds: 0 to 2^32 - 1.
        psi: Truncation.
        size: Image size, averaged down or interpolated up; None for the generator's own.
        noise: Stored noise, random noise, or none.
        label: Class, for a conditional generator.
        batch: Batch size.
        report: Called with the number of images done and in total.

    Yields:
        uint8 [n, H, W, 3], a batch; grey images have three equal channels.

    Raises:
        UsageError: A label is missing, too large, or given to an unconditional generator.
        DataError: The images are not finite.
        PluginError: The network fails.
    """
    mean = generator.w_mean
    chosen = one_label(generator, label)
    # Random noise depends on the seed, so these images are made one by one.
    step = 1 if noise == "random" else batch
    for start in range(0, len(seeds), step):
        part = seeds[start : start + step]
        z = seeded_z(part, generator.z_dim).to(mean)
        with torch.no_grad(), torch.random.fork_rng(enabled=noise == "random"), _plugin_errors():
            if noise == "random":
                torch.manual_seed(part[0])
            ws = generator.mapping(z, psi) if chosen is None else _conditional_codes(generator, z, psi, chosen.to(mean))
            images = generator.synthesis(ws, noise=noise)
        if not bool(torch.isfinite(images).all()):
            raise DataError("the generator's images are not finite", fix="check its weights, or take a smaller --psi")
        yield to_uint8(resize(_three_colours(images), size)).transpose(0, 2, 3, 1)
        report(min(start + step, len(seeds)), len(seeds))


def free_memory() -> int | None:
    """Bytes of memory that are free or can be freed; None where the system does not say."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, ValueError, StopIteration):
        return None


def on_device(generator: Generator, device: str) -> Generator:
    """Move a generator to a device.

    Args:
        generator: A torch module.
        device: `cpu`, `cuda`, ..., or `auto` for a GPU if there is one.

    Raises:
        UsageError: There is no such device.
    """
    name = device if device != "auto" else "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return generator.to(name) if isinstance(generator, torch.nn.Module) else generator
    except (RuntimeError, AssertionError) as error:
        reason = str(error).partition("\n")[0]
        raise UsageError(f"cannot move the generator to {device!r}: {reason}", fix="--device cpu") from error


def one_label(generator: Generator, label: int | None) -> Tensor | None:
    """The label [1, labels] of a class, None for an unconditional generator.

    Raises:
        UsageError: See `pictures_of_seeds`.
    """
    classes: int = getattr(generator, "labels", 0)
    if classes and label is None:
        raise UsageError(
            f"this generator has {classes} classes and needs a label", fix=f"--label or label=, 0 to {classes - 1}"
        )
    if label is None:
        return None
    if not classes:
        raise UsageError("this generator has no classes", fix="leave --label out")
    if not 0 <= label < classes:
        raise UsageError(f"there is no class {label}", fix=f"--label or label=, 0 to {classes - 1}")
    return torch.eye(classes)[label][None]


def in_rgb(generator: Generator, label: int | None = None) -> Generator:
    """A generator of one class and of any colours as one of RGB images that needs no label.

    This is the one check of generators that are not drawn by `pictures_of_seeds`: datasets, encoders, trainings.

    Args:
        generator: Changed in place: its methods are replaced on the instance.
        label: Class, for a conditional generator.

    Raises:
        UsageError: A label is missing, too large, or given to an unconditional generator.
    """
    chosen = one_label(generator, label)
    if chosen is not None:

        def mapping(self: Any, z: Tensor, psi: float = 1.0, **options: Any) -> Tensor:
            ws: Tensor = type(self).mapping(self, z, psi, labels=chosen.to(z).expand(len(z), -1), **options)
            return ws

        # Bound methods, for a copy of the generator binds them to itself; what a closure holds stays the original.
        _replace(generator, mapping=MethodType(mapping, generator), labels=0)
    for name in ("synthesis", "synthesis_from_styles"):
        _replace(generator, **{name: MethodType(_rgb_method(generator, name), generator)})
    return generator


def _rgb_method(generator: Generator, name: str) -> Callable[..., Tensor]:
    method = getattr(type(generator), name, None)
    own = getattr(generator, name)

    def drawn(self: Any, *arguments: Any, **options: Any) -> Tensor:
        # A method of the class follows the copy; what somebody set on the instance can only stay what it is.
        return _three_colours(own(*arguments, **options) if method is None else method(self, *arguments, **options))

    return drawn


def _replace(generator: Generator, **attributes: object) -> None:
    for name, value in attributes.items():
        setattr(generator, name, value)


def resize(images: Tensor, size: int | None) -> Tensor:
    """Resize images [N, C, R, R] to [N, C, size, size].

    Squares of pixels are averaged if the size divides R; otherwise images are interpolated with antialiasing, bilinear
    to shrink and bicubic to enlarge.
    """
    side = images.shape[-1]
    if size is None or size == side:
        return images
    if side % size == 0:
        return functional.avg_pool2d(images, side // size)
    mode = "bilinear" if size < side else "bicubic"
    return functional.interpolate(images, (size, size), mode=mode, antialias=True)


@contextmanager
def _plugin_errors() -> Iterator[None]:
    """Turn exceptions of a network into one line for its user."""
    try:
        yield
    except torch.OutOfMemoryError as error:
        raise PluginError("the device has too little memory for this batch", fix="--batch 1") from error
    except (RuntimeError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise PluginError(f"the generator failed: {type(error).__name__}: {error}") from error


def _conditional_codes(generator: Generator, z: Tensor, psi: float, label: Tensor) -> Tensor:
    ws: Tensor = generator.mapping(z, psi, labels=label.expand(len(z), -1))  # type: ignore[call-arg]
    return ws


def _three_colours(images: Tensor) -> Tensor:
    """Grey, also with transparency, three times; of four colours the first three."""
    return images[:, :1].expand(-1, 3, -1, -1) if images.shape[1] < 3 else images[:, :3]
