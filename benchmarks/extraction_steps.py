"""Where an image's time goes between its file and its features, and what else was tried for decoding and the network.

One core, 48 faces of 512 px as JPEG files, MobileNetV2 with ImageNet's weights. Decoders of other packages are tried
where they can be imported: `pip install simplejpeg opencv-python-headless`.
"""

from __future__ import annotations

import copy
import importlib.util
import io
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from extraction import draw
from ghbench_baselines.backbones import MobileNetV2
from ghbench_baselines.folding import fold_batch_norms
from ghbench_baselines.vision_models import import_torchvision
from PIL import Image
from record import interleaved_seconds, write

from ghbench import assets
from ghbench.data.imagefolder import ImageFolder
from ghbench.imaging import prepare
from ghbench.imaging.decode import decode
from ghbench.training.machine import native_bf16

FACES, REPEATS, BATCH = 24, 3, 32
USED, ENOUGH = "in use", 0.9999
"""Cosine to float32 that features of a faster network must keep to be used."""


def main() -> None:
    """Draw, time each step's ways in turn, compare what they give, and write the table."""
    torch.set_num_threads(1)
    folder = Path(tempfile.mkdtemp(prefix="ghbench-benchmark-"))
    try:
        draw(folder, FACES)
        images, files = ImageFolder(folder), sorted(folder.glob("*.jpg"))
        spec = MobileNetV2().spec()
        decoded = [images.image(row) for row in range(len(images))]

        def prepared() -> np.ndarray:
            return np.stack([prepare(image, spec.preprocessing, "none").image for image in decoded])

        steps = {"decode": _decoders(files), "resize": {USED: prepared}, "network": _networks(prepared())}
        rows, numbers = [], {}
        for step, ways in steps.items():
            seconds = interleaved_seconds(ways, REPEATS)
            reference = next(iter(ways.values()))()
            for place, (way, call) in enumerate(ways.items()):
                milliseconds = numbers[f"{step}, {way}"] = 1000 * seconds[way] / len(files)
                apart = _apart(reference, call()) if place else ""
                rows.append([step, way, f"{milliseconds:.1f}", f"{seconds[way] / seconds[USED]:.2f}", apart])
    finally:
        shutil.rmtree(folder)
    text = f"""
{2 * FACES} JPEG files of 512 px on one core; medians of {REPEATS} turns; the network in batches of {BATCH}. *Share*: of
the time of what is in use. The decoder in use applies the orientation and refuses damaged files, for which it decodes
small ones twice; the others only decode. A network is used in a faster way only if that keeps a cosine of {ENOUGH} to
the network as its authors defined it, in float32, on every image: `ghbench doctor --precision EXTRACTOR` checks any.
"""
    head = ["step", "way", "ms an image", "share", "beside the first way"]
    write("extraction_steps", "Where the time of an extraction goes", text, head, rows, numbers=numbers)


def _decoders(files: list[Path]) -> dict[str, Callable[[], list[np.ndarray]]]:
    """Ways from files to pixels, by name."""
    ways: dict[str, Callable[[bytes], np.ndarray]] = {
        "Pillow": lambda content: np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    }
    if importlib.util.find_spec("simplejpeg"):
        simplejpeg: Any = importlib.import_module("simplejpeg")
        ways["simplejpeg (libjpeg-turbo)"] = lambda content: simplejpeg.decode_jpeg(content, "RGB")
    if importlib.util.find_spec("cv2"):
        cv2: Any = importlib.import_module("cv2")
        ways["OpenCV"] = lambda content: cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]
    return {
        USED: lambda: [decode(path) for path in files],
        **{name: lambda one=one: [one(path.read_bytes()) for path in files] for name, one in ways.items()},
    }


def _networks(images: np.ndarray) -> dict[str, Callable[[], list[np.ndarray]]]:
    """Ways from pixels to features, by name; what is compiled is compiled by the call that warms up."""
    mean, std = (torch.tensor(values)[:, None, None] for values in (MobileNetV2.mean, MobileNetV2.std))
    defined: torch.nn.Module = import_torchvision().models.mobilenet_v2(weights=None).eval()
    defined.load_state_dict(torch.load(assets.path(*MobileNetV2.asset), weights_only=True))
    defined.classifier = torch.nn.Identity()
    folded = copy.deepcopy(defined)
    parts = np.array_split(images, range(BATCH, len(images), BATCH))
    batches = [(torch.from_numpy(part) / 255 - mean) / std for part in parts]
    with torch.inference_mode():
        if not fold_batch_norms(folded, lambda: {"all": folded(batches[0])}):
            raise SystemExit("folding changed the features")
    last = copy.deepcopy(folded).to(memory_format=torch.channels_last)
    ways = {
        "as defined": (defined, False, False), "batch norms folded": (folded, False, False),
        USED: (last, True, False), "and compiled": (torch.compile(last), True, False),
    }  # fmt: skip
    if native_bf16("cpu"):
        ways |= {"and bfloat16": (last, True, True), "and bfloat16, compiled": (torch.compile(last), True, True)}

    def encoded(network: Any, channels_last: bool, bfloat16: bool) -> list[np.ndarray]:
        memory = torch.channels_last if channels_last else torch.contiguous_format
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            return [row for batch in batches for row in network(batch.contiguous(memory_format=memory)).float().numpy()]

    return {name: lambda way=way: encoded(*way) for name, way in ways.items()}


def _apart(reference: list[np.ndarray], found: list[np.ndarray]) -> str:
    """Largest difference of pixels, or smallest cosine of features."""
    if reference[0].dtype == np.uint8:
        largest = max(int(np.abs(one.astype(int) - two).max()) for one, two in zip(reference, found, strict=True))
        return "the same pixels" if largest == 0 else f"up to {largest} of 255 off"
    pairs = zip(reference, found, strict=True)
    smallest = min(one @ two / (np.linalg.norm(one) * np.linalg.norm(two)) for one, two in pairs)
    return f"cosine {smallest:.6f}"


if __name__ == "__main__":
    main()
