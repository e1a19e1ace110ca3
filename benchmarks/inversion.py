"""The ceiling beside reconstructions: codes of 50 renders by 500 steps of optimisation, kept in the cache.

Results of `reconstruction` that are made afterwards show it as `mse[inversion]`.
"""

from __future__ import annotations

import json
import time

from ghbench_tasks.pictures.references import INVERSION_PRECISION, INVERSION_STEPS, INVERTED, inverting_generator
from record import RESULTS, write

import ghbench
from ghbench.ghfeat.editing.inversion import Inversion, Inversions
from ghbench.metrics.image import mse, ssim


def main() -> None:
    """Invert what is missing, and write down what came out."""
    source = ghbench.load_task("reconstruction").source
    generator = inverting_generator(source)
    assert generator is not None
    pictures = source.dataset.pixels()[:INVERTED]
    kept = Inversions(Inversion(generator, INVERSION_STEPS, precision=INVERSION_PRECISION))
    missing, began = len(kept.missing(pictures)), time.perf_counter()
    kept.make(pictures, lambda done, total: print(f"{done} of {total} pictures inverted", flush=True), compiled=True)
    seconds = (time.perf_counter() - began) / missing if missing else _seconds_before()
    made = kept.read(pictures)
    head = source.renderer(generator, count=INVERTED).pixels()
    rows, numbers = [], {}
    for name, shown in (("optimised codes", made), ("true codes, same network", head)):
        one, two = pictures / 127.5 - 1, shown / 127.5 - 1
        numbers[name] = {"mse": float(mse(one, two).mean()), "ssim": float(ssim(one, two).mean())}
        rows.append([name, f"{numbers[name]['mse']:.4f}", f"{numbers[name]['ssim']:.3f}"])
    taken = "" if seconds is None else f" {seconds:.0f} seconds a picture."
    text = f"""
The first {INVERTED} renders of psi 1.0 at 128 px, and what `{generator}` draws of codes that {INVERSION_STEPS} steps of
Adam on the squared difference found, in {INVERSION_PRECISION}, starting at the mean code.{taken} Results of
`reconstruction` carry the intervals.
"""
    write("inversion", "Optimised codes", text, ["codes", "mse", "ssim"], rows, **numbers, seconds_a_picture=seconds)


def _seconds_before() -> float | None:
    """What an earlier run took for a picture; this one found all of them."""
    path = RESULTS / "inversion.json"
    return json.loads(path.read_text())["seconds_a_picture"] if path.is_file() else None


if __name__ == "__main__":
    main()
