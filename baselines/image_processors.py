"""Reads a transformers image processor: what it does to an image, as ghbench's named steps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from ghbench.errors import DataError, MissingError, UsageError
from ghbench.extractor import Preprocessing

from .torch_encoder import normalisation

Colour = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Processing:
    """A model's own preprocessing.

    Args:
        preprocessing: Its declared steps.
        mean: Mean that is subtracted from pixels in [0, 1].
        std: What they are divided by afterwards.
    """

    preprocessing: Preprocessing
    mean: Colour
    std: Colour


def read_processor(folder: Path) -> Processing:
    """Read the processor that was saved beside a model.

    Args:
        folder: Folder with `preprocessor_config.json` or `processor_config.json`.

    Raises:
        MissingError: There is none.
        DataError: It cannot be read.
        UsageError: It does something that ghbench has no step for.
    """
    import transformers

    if not any((folder / name).is_file() for name in ("preprocessor_config.json", "processor_config.json")):
        raise MissingError(
            f"{folder} does not say how its images are prepared: there is no preprocessor_config.json",
            fix=f"AutoImageProcessor.from_pretrained(NAME).save_pretrained({str(folder)!r})",
        )
    try:
        processor: Any = transformers.AutoImageProcessor.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
    except Exception as error:  # the library raises errors of many kinds for a file that is none
        said = " ".join(str(error).split())[:200]
        raise DataError(f"the image processor in {folder} cannot be read: {type(error).__name__}: {said}") from error
    size, resize = _steps(processor)
    mean, std = _normalisation(processor)
    return Processing(Preprocessing(size, resize=resize, normalise=normalisation(mean, std)), mean, std)


def _steps(processor: Any) -> tuple[tuple[int, int], str]:
    """Height and width that the network sees, and the name of the resize step."""
    from transformers.image_processing_backends import TorchvisionBackend

    kind = type(processor).__name__
    custom = [
        name
        for name in ("_preprocess", "resize", "center_crop", "rescale_and_normalize")
        if getattr(type(processor), name, None) is not getattr(TorchvisionBackend, name)
    ]
    if custom and kind != "ConvNextImageProcessor":
        raise UsageError(f"{kind} prepares images in a way of its own, which ghbench does not know")
    if getattr(processor, "do_pad", None):
        raise UsageError(f"{kind} pads images, which ghbench has no step for")
    if not processor.do_resize:
        raise UsageError(f"{kind} does not resize, but ghbench needs images of one size")
    kernel = Image.Resampling(int(processor.resample)).name.lower()
    size = _entries(processor.size)
    if kind == "ConvNextImageProcessor":
        edge = int(size["shortest_edge"])
        if edge >= 384:
            return (edge, edge), f"squash-{kernel}"
        return (edge, edge), f"shortest-{int(edge / processor.crop_pct)}-{kernel}-floor"
    crop = _entries(processor.crop_size) if getattr(processor, "do_center_crop", None) else None
    if "shortest_edge" in size and "longest_edge" not in size:
        if crop is None:
            raise UsageError(f"{kind} keeps the aspect ratio of every image, but ghbench needs images of one size")
        return (crop["height"], crop["width"]), f"shortest-{size['shortest_edge']}-{kernel}-floor"
    if "height" in size and "width" in size:
        if crop is None or crop == size:
            return (size["height"], size["width"]), f"squash-{kernel}"
        return (crop["height"], crop["width"]), f"squash-{size['height']}x{size['width']}-{kernel}-floor"
    raise UsageError(f"{kind} resizes by {', '.join(size)}, which ghbench has no step for")


def _entries(size: Any) -> dict[str, int]:
    return {key: int(value) for key, value in dict(size).items() if value is not None}


def _normalisation(processor: Any) -> tuple[Colour, Colour]:
    """Mean and standard deviation for pixels in [0, 1], whatever factor the processor rescales by."""
    factor = float(processor.rescale_factor) * 255 if processor.do_rescale else 255.0
    mean = _colour(processor.image_mean) if processor.do_normalize else (0.0, 0.0, 0.0)
    std = _colour(processor.image_std) if processor.do_normalize else (1.0, 1.0, 1.0)
    if not math.isfinite(factor) or factor <= 0 or not all(map(math.isfinite, mean + std)) or min(std) <= 0:
        raise DataError("the image processor's scale, mean or standard deviation is no usable number")
    if math.isclose(factor, 1.0, rel_tol=1e-6):
        return mean, std
    red, green, blue = (value / factor for value in mean)
    return (red, green, blue), (std[0] / factor, std[1] / factor, std[2] / factor)


def _colour(values: Any) -> Colour:
    numbers = [float(value) for value in values] if isinstance(values, list | tuple) else [float(values)] * 3
    if len(numbers) != 3:
        raise UsageError(f"the image processor has {len(numbers)} means or deviations; ghbench gives 3 colours")
    return numbers[0], numbers[1], numbers[2]
