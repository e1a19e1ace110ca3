"""How few images bias disentanglement metrics: the same codes, perfect and without any meaning, at several sizes."""

from __future__ import annotations

import numpy as np
from ghbench_tasks.disentanglement import METRICS, all_scores
from record import write

from ghbench.data.sprites import FACTORS
from ghbench.metrics.disentanglement.separation import Explicit

COUNTS, REPEATS, KNOWN = (300, 1_000, 3_000, 10_000), 3, 2_000
SIZES = np.array(list(FACTORS.values()))
SHOWN = ("mig", "modularity", "sap", "factor-vae", "beta-vae", "explicitness", "irs", "total-correlation")


def codes_of(factors: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Codes of factors [N, K] by what they are."""
    scaled = factors / (SIZES - 1) - 0.5
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(len(SIZES), len(SIZES))))[0]
    return {
        "perfect": scaled, "perfect, with noise of a tenth": scaled + 0.1 * rng.standard_normal(scaled.shape),
        "turned": scaled @ turn, "noise": rng.standard_normal(scaled.shape),
    }  # fmt: skip


def main() -> None:
    """Score, and write the table."""
    assert set(SHOWN) == {metric.name for metric in METRICS}
    found: dict[tuple[str, int], list[list[float]]] = {}
    for count in COUNTS:
        for repeat in range(REPEATS):
            rng = np.random.default_rng([count, repeat])
            factors = rng.integers(0, SIZES, (KNOWN + count, len(SIZES)))
            for name, codes in codes_of(factors, rng).items():
                learned = Explicit.fit(codes[:KNOWN], factors[:KNOWN])
                scores = all_scores(learned, codes[KNOWN:], factors[KNOWN:])
                found.setdefault((name, count), []).append([scores[metric] for metric in SHOWN])
    means = {key: np.mean(values, axis=0) for key, values in found.items()}
    names = dict.fromkeys(name for name, _ in means)
    rows = [
        [name, f"{count:,}", *(f"{value:.3f}" for value in means[name, count])] for name in names for count in COUNTS
    ]
    text = f"""
Codes of {len(SIZES)} factors with {", ".join(map(str, SIZES))} values, as those of sprites; mean of {REPEATS} draws;
explicitness learns from {KNOWN:,} more. Of codes that have nothing to do with a factor, {COUNTS[0]} images seem to tell
something: a table of 20 bins and v values has a bias of about 19 (v - 1) / 2N nats (Miller 1955). It lowers MIG of a
perfect code, which has it in the second best number too, and MIG of different numbers of images cannot be compared.
"""
    head = ["codes", "images", *SHOWN]
    numbers = {
        f"{name}, {count}": dict(zip(SHOWN, map(float, row), strict=True)) for (name, count), row in means.items()
    }
    write("sample_size", "Disentanglement metrics and the number of images", text, head, rows, numbers=numbers)


if __name__ == "__main__":
    main()
