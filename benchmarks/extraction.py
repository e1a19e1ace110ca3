"""Extraction from JPEG files beside the loops that people write: 300 faces of 512 px, two backbones.

Draws the faces first, which takes some minutes; the networks have random weights, which are as fast as others.
`--thingsvision PYTHON` adds thingsvision, by the interpreter of the environment that it is installed in.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--thingsvision", help="a Python that can import it")
    peer = parser.parse_args().thingsvision
    ways = {"ghbench": ("ghbench",), **LOOPS}
    ways |= {"thingsvision": (f"thingsvision {_about(peer)}, batches of 32",)} if peer else {}
    folder = Path(tempfile.mkdtemp(prefix="ghbench-benchmark-"))
    try:
        draw(folder, FACES)
        rows, numbers = [], {}
        for name, title in NETWORKS.items():
            seconds, decode, network = _times(folder, name, peer)
            count = 2 * FACES
            bound = 1 / (1 / (usable_cores() * decode) + 1 / network)
            for way, (what, *_) in ways.items():
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
that CLIP_benchmark has by default. thingsvision, where it is there, runs in an environment of its own.
"""
    head = ["network", "way", "images a second", "ghbench over it", "of the bound"]
    command = "python benchmarks/extraction.py" + (" --thingsvision PYTHON" if peer else "")
    write("extraction", "Extraction from files", text, head, rows, command=command, numbers=numbers)


def draw(folder: Path, faces: int) -> None:
    """Write faces and their mirror images: no two files are equal, for equal ones are encoded once."""
    seeds = list(seeds_for("train", faces))
    generator = generator_plugin(GENERATOR).load()
    batches = stream_of_seeds(generator, seeds, psi=0.7, size=SIDE)
    for number, pixels in enumerate(face for batch in batches for face in batch):
        for side, one in (("a", pixels), ("b", pixels[:, ::-1])):
            Image.fromarray(np.ascontiguousarray(one)).save(folder / f"{number:04d}{side}.jpg", quality=92)


def _about(python: str) -> str:
    """Versions of thingsvision and of its PyTorch."""
    ask = "from importlib.metadata import version as v; print(v('thingsvision'), 'with PyTorch', v('torch'))"
    return subprocess.run([python, "-c", ask], capture_output=True, text=True, check=True).stdout.strip()


@contextmanager
def _thingsvision(python: str, folder: Path, name: str) -> Iterator[Callable[[], str]]:
    """A function that lets thingsvision encode the folder once."""
    script = Path(__file__).with_name("thingsvision_loop.py")
    with subprocess.Popen(
        [python, script, folder, name, "32"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, bufsize=1,
    ) as peer:  # fmt: skip
        assert peer.stdin is not None
        assert peer.stdout is not None
        asked, told = peer.stdin, peer.stdout

        def encode() -> str:
            asked.write("again\n")
            answer = told.readline()
            if not answer.startswith(f"({2 * FACES}, "):
                raise SystemExit(f"thingsvision did not encode {2 * FACES} images: {answer!r}")
            return answer

        yield encode
        asked.close()


def _times(folder: Path, name: str, peer: str | None) -> tuple[dict[str, float], float, float]:
    """Seconds by way, and images a second of decoding and of the network alone."""
    extractor: Any = registry.build("extractor", f"torchvision:model={name},weights=none")
    spec, images = extractor.spec(), ImageFolder(folder)
    module = import_torchvision().models.get_model(name, weights=None).eval()
    ways: dict[str, Callable[[], object]] = {
        "ghbench": lambda: encode_images(extractor, spec, images),
        **{way: lambda workers=workers, size=size: _loop(module, folder, workers, size)
           for way, (_, workers, size) in LOOPS.items()},
    }  # fmt: skip
    with _thingsvision(peer, folder, name) if peer else nullcontext() as encode:
        seconds = interleaved_seconds(ways | ({} if encode is None else {"thingsvision": encode}), REPEATS)
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
