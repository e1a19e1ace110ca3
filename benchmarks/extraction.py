"""Extraction from JPEG files beside the loops that people write: 300 faces of 512 px, two backbones.

Draws the faces first, which takes some minutes; the networks have random weights, which are as fast as others.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from ghbench_baselines.vision_models import import_torchvision
from PIL import Image
from record import interleaved_seconds, write
from torch.utils.data import DataLoader, Dataset

from ghbench import registry
from ghbench.cores import usable_cores
from ghbench.data.imagefolder import ImageFolder
from ghbench.extraction import encode_images
from ghbench.generators.loading import generator_plugin
from ghbench.generators.pictures import stream_of_seeds
from ghbench.imaging import prepare
from ghbench.seeds import seeds_for

GENERATOR, FACES, SIDE, REPEATS = "mobile-stylegan-ffhq", 150, 512, 3
NETWORKS = {"mobilenet_v2": "MobileNetV2", "resnet50": "ResNet-50"}
LOOPS = {"plain": ("a plain loop: one worker, batches of 32", 1, 32), "more": ("four workers, batches of 64", 4, 64)}
MEAN, STD = (np.array(values, np.float32) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


class Files(Dataset):
    """Images as such loops read them: Pillow, shortest side 256, middle 224, normalised."""

    def __init__(self, folder: Path) -> None:
        self.paths = sorted(folder.glob("*.jpg"))

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int) -> torch.Tensor:
        image = Image.open(self.paths[row]).convert("RGB").resize((256, 256), Image.Resampling.BILINEAR)
        pixels = np.asarray(image.crop((16, 16, 240, 240)), np.float32) / 255
        return torch.from_numpy(((pixels - MEAN) / STD).transpose(2, 0, 1).copy())


def main() -> None:
    """Draw, time, and write the table."""
    folder = Path(tempfile.mkdtemp(prefix="ghbench-benchmark-"))
    try:
        _draw(folder)
        rows, numbers = [], {}
        for name, title in NETWORKS.items():
            seconds, decode, network = _times(folder, name)
            count = 2 * FACES
            bound = 1 / (1 / (usable_cores() * decode) + 1 / network)
            for way, (what, *_) in {"ghbench": ("ghbench",), **LOOPS}.items():
                speed = count / seconds[way]
                ratio = f"{seconds[way] / seconds['ghbench']:.2f}"
                rows.append([title, what, f"{speed:.1f}", "" if way == "ghbench" else ratio, f"{speed / bound:.2f}"])
            rows.append([title, "decoding alone, one core", f"{decode:.1f}", "", ""])
            rows.append([title, "network alone, all cores, as ghbench runs it", f"{network:.1f}", "", ""])
            numbers[name] = {"seconds": seconds, "decode": decode, "network": network}
    finally:
        shutil.rmtree(folder)
    text = f"""
{2 * FACES} JPEG files of {SIDE} px ({FACES} faces of `{GENERATOR}` and their mirror images), features of the last
level; medians of {REPEATS} turns. *ghbench over it*: how many times as fast ghbench is. *Of the bound*: speed over
1 / (1 / (cores x decoding) + 1 / network), what is left where both share the cores. The loops run torchvision's network
in float32, in inference mode, with `torch.utils.data.DataLoader`; the second has the numbers of workers and images
that CLIP_benchmark has by default.
"""
    head = ["network", "way", "images a second", "ghbench over it", "of the bound"]
    write("extraction", "Extraction from files", text, head, rows, numbers=numbers)


def _draw(folder: Path) -> None:
    """Write the faces and their mirror images: no two files are equal, for equal ones are encoded once."""
    seeds = list(seeds_for("train", FACES))
    generator = generator_plugin(GENERATOR).load()
    batches = stream_of_seeds(generator, seeds, psi=0.7, size=SIDE)
    for number, pixels in enumerate(face for batch in batches for face in batch):
        for side, one in (("a", pixels), ("b", pixels[:, ::-1])):
            Image.fromarray(np.ascontiguousarray(one)).save(folder / f"{number:04d}{side}.jpg", quality=92)


def _times(folder: Path, name: str) -> tuple[dict[str, float], float, float]:
    """Seconds by way, and images a second of decoding and of the network alone."""
    extractor: Any = registry.build("extractor", f"torchvision:model={name},weights=none")
    spec, images = extractor.spec(), ImageFolder(folder)
    module = import_torchvision().models.get_model(name, weights=None).eval()
    ways: dict[str, Callable[[], object]] = {
        "ghbench": lambda: encode_images(extractor, spec, images),
        **{way: lambda workers=workers, size=size: _loop(module, folder, workers, size)
           for way, (_, workers, size) in LOOPS.items()},
    }  # fmt: skip
    seconds = interleaved_seconds(ways, REPEATS)
    began = time.perf_counter()
    ready = [prepare(images.image(row), spec.preprocessing, "none").image for row in range(len(images))]
    decode = len(images) / (time.perf_counter() - began)
    batches = np.array_split(np.stack(ready), range(32, len(ready), 32))
    extractor.extract(batches[0])
    began = time.perf_counter()
    for batch in batches:
        extractor.extract(batch)
    return seconds, decode, len(images) / (time.perf_counter() - began)


def _loop(module: torch.nn.Module, folder: Path, workers: int, size: int) -> np.ndarray:
    loader = DataLoader(Files(folder), batch_size=size, num_workers=workers)
    with torch.inference_mode():
        return np.concatenate([module(images).numpy() for images in loader])


if __name__ == "__main__":
    main()
