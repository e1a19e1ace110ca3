"""The ceiling beside reconstructions: codes of 50 renders by 200 steps of optimisation, kept in the cache.

The task's reference row `inversion` computes the same; this compiles the network first and times it.
"""

from __future__ import annotations

import json
import time

from ghbench_tasks.pictures.constants import INVERSION_STEPS, INVERTED, inversions, inverting_generator
from ghbench_tasks.pictures.reconstruction import reconstruction
from record import RESULTS, write

from ghbench.data.renders import Renders
from ghbench.metrics.image import mse, ssim


def main() -> None:
    """Invert what is missing, and write down what came out."""
    source = reconstruction().source
    generator = inverting_generator(source)
    assert generator is not None
    assert source.renders is not None
    images = source.renders.pixels(range(INVERTED))
    kept = inversions(generator)
    missing, began = len(kept.missing(images)), time.perf_counter()
    kept.make(images, lambda done, total: print(f"{done} of {total} images inverted", flush=True), compiled=True)
    seconds = (time.perf_counter() - began) / missing if missing else _seconds_before()
    made, head = kept.read(images), Renders(generator, count=INVERTED, size=source.size).pixels()
    rows, numbers = [], {}
    for name, shown in (("optimised codes", made), ("true codes, same network", head)):
        one, two = images / 127.5 - 1, shown / 127.5 - 1
        numbers[name] = {"mse": float(mse(one, two).mean()), "ssim": float(ssim(one, two).mean())}
        rows.append([name, f"{numbers[name]['mse']:.4f}", f"{numbers[name]['ssim']:.3f}"])
    taken = "" if seconds is None else f" {seconds:.0f} seconds an image."
    text = f"""
The first {INVERTED} renders of psi 1.0 at 128 px, and what `{generator}` draws of codes that {INVERSION_STEPS} steps of
Adam on the squared difference found, in bfloat16, starting at the mean code.{taken} The row `inversion` of the task
`reconstruction` carries the intervals.
"""
    write("inversion", "Optimised codes", text, ["codes", "mse", "ssim"], rows, **numbers, seconds_an_image=seconds)


def _seconds_before() -> float | None:
    """What an earlier run took for an image; this one found all of them."""
    path = RESULTS / "inversion.json"
    return json.loads(path.read_text()).get("seconds_an_image") if path.is_file() else None


if __name__ == "__main__":
    main()
