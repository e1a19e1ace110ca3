"""Codes of faces that pairs along discovered directions teach: which attribute does each number stand for?

Trains an autoencoder on pairs along ContraFeat's directions, one on pairs along random ones and one on single faces,
unless their runs are there, and draws `docs/figures/face-codes.svg` and `face-codes-traversal.jpg`; half an hour.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from ghbench_tasks.discovery.face_attributes import FaceAttributes
from PIL import Image
from record import write
from scipy.stats import rankdata
from training import train

from ghbench import locations
from ghbench.contrafeat.representation.files import build_decoder, build_representation, describe_representation
from ghbench.figures import save_figure
from ghbench.figures.heatmap import HeatMap, heatmap_figure
from ghbench.generators.loading import generator_plugin
from ghbench.generators.pictures import pictures_of_seeds
from ghbench.seeds import seeds_for

GENERATOR, CODES, PSI, FACES, IMAGES = "mobile-stylegan-ffhq", 30, 0.7, 1_000, 60_000
ONE = f"generator={GENERATOR}:size=64"
RANDOM = f"random-directions,navigator.directions={CODES},navigator.generator={GENERATOR}"
ARMS = {
    "contrafeat": (
        "pairs along the directions of `contrafeat-binary`",
        f"generated-pairs:navigator=contrafeat-binary,{ONE},count=5000,scale=0.476,psi={PSI}",
    ),
    "random": (
        "pairs along random directions",
        f"generated-pairs:navigator={RANDOM},{ONE},count=5000,scale=0.948,psi={PSI}",
    ),
    "single": ("single faces", f"renders:{ONE},first=0,count=10000,psi={PSI}"),
}
"""What teaches, in words and as a dataset; scales change pictures equally, see `leaderboards/discovery.md`."""
MAIN = "contrafeat"
DRAWS, CLEAR, SHOWN, STEPS = 1_000, 0.3, 6, (-2.5, -1.25, 0.0, 1.25, 2.5)
FIGURES = Path(__file__).parents[1] / "docs" / "figures"


def main() -> None:
    """Train, measure, and write table and figures."""
    seeds = list(seeds_for("test", FACES))
    small, large = (
        pictures_of_seeds(generator_plugin(f"{GENERATOR}:size={side}").load(), seeds, psi=PSI) for side in (64, 128)
    )
    predictor = FaceAttributes()
    attributes = predictor.measure(np.ascontiguousarray(large.transpose(0, 3, 1, 2)))
    rows, numbers, maps = [], {}, {}
    for arm, (what, data) in ARMS.items():
        train(f"face-codes-{arm}", command(arm, data))
        network = build_representation(describe_representation(_file(arm)))
        codes = _means(network, small)
        kept = codes.std(axis=0) > 0.05 * codes.std(axis=0).max()
        maps[arm] = np.where(kept[:, None], np.abs(correlations(codes, attributes)), 0)
        found = _judged(codes[:, kept], attributes)
        numbers[arm] = {"numbers": int(kept.sum()), **found}
        told = [f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
                for (value, low, high), digits in zip(found.values(), (0, 2, 2), strict=True)]  # fmt: skip
        rows.append([what, f"{kept.sum()} of {CODES}", *told])
    _draw(maps[MAIN], predictor.names)
    text = f"""
Spearman's correlation of each number of a code with {len(predictor.names)} attributes of {FACES:,} faces of
`{GENERATOR}` at psi {PSI} (test seeds; the attributes are those of the task `discovery`). *Used*: numbers whose
deviation is a twentieth of the largest one's, or more. Half of the faces choose each number's attribute and the second
one, and each attribute's number, by the largest correlation; the other half measure these. *Clear*: numbers whose
attribute correlates by {CLEAR} or more. *Selectivity*: of the numbers that were clear when chosen, correlation with the
attribute less that with the second one, over the former, of their means. *Held*: correlation of an attribute with its
number, mean over attributes. Brackets: 95 % of {DRAWS:,} bootstrap draws of the measuring half; one training each, and
another seed may give something else.

Trained by:

```
{chr(10).join(" ".join(command(arm, data)) for arm, (_, data) in ARMS.items())}
```
"""
    head = ["taught by", "used", "clear", "selectivity", "held"]
    write("face_codes", "What numbers of face codes stand for", text, head, rows, numbers=numbers)


def command(arm: str, data: str) -> list[str]:
    """What trains an arm."""
    line = f"ghbench train representation --data {data} --images {IMAGES if arm != 'single' else 2 * IMAGES}"
    return f"{line} --run face-codes-{arm} -o codes={CODES} --precision 32-true".split()


def _file(arm: str) -> Path:
    return locations.cache() / "runs" / f"face-codes-{arm}" / "model.safetensors"


def _means(network: torch.nn.Module, pictures: np.ndarray) -> np.ndarray:
    """Means of the posterior, float64 [N, codes]."""
    images = torch.from_numpy(np.ascontiguousarray(pictures)).permute(0, 3, 1, 2).float() / 255
    with torch.inference_mode():
        return torch.cat([network(part)[0] for part in images.split(100)]).double().numpy()


def correlations(codes: np.ndarray, attributes: np.ndarray) -> np.ndarray:
    """Rank correlations, [codes, attributes]; 0 for what never varies."""
    one, other = (rankdata(values, axis=0) for values in (codes, attributes))
    one, other = (values - values.mean(axis=0) for values in (one, other))
    lengths = np.linalg.norm(one, axis=0)[:, None] * np.linalg.norm(other, axis=0)
    return (one.T @ other) / np.maximum(lengths, 1e-9)


def _judged(codes: np.ndarray, attributes: np.ndarray) -> dict[str, tuple[float, float, float]]:
    """Clear numbers, selectivity and how well attributes are held, each with the ends of its interval.

    What is the largest is chosen on the first half of the faces and measured on the second: the largest of many
    correlations is large by chance, and larger still in bootstrap draws.
    """
    half = len(codes) // 2
    chosen = correlations(codes[:half], attributes[:half])
    order, sign = np.argsort(-np.abs(chosen), axis=1), np.sign(chosen)
    each, clear = np.arange(len(chosen)), np.abs(chosen).max(axis=1) >= CLEAR
    holder = np.abs(chosen).argmax(axis=0)

    def summary(rows: np.ndarray) -> tuple[float, float, float]:
        found = sign * correlations(codes[half:][rows], attributes[half:][rows])
        largest, second = found[each, order[:, 0]], found[each, order[:, 1]]
        gap = (largest - second)[clear].sum() / largest[clear].sum() if clear.any() else np.nan
        return float((largest >= CLEAR).sum()), float(gap), float(found[holder, np.arange(found.shape[1])].mean())

    rng, rows = np.random.default_rng(0), np.arange(len(codes) - half)
    draws = np.array([summary(rng.choice(rows, len(rows))) for _ in range(DRAWS)])
    low, high = np.nanpercentile(draws, (2.5, 97.5), axis=0)
    names = ("clear", "selectivity", "held")
    return dict(zip(names, zip(summary(rows), low.tolist(), high.tolist(), strict=True), strict=True))


def _draw(found: np.ndarray, names: tuple[str, ...]) -> None:
    """The heat map, numbers ordered by their attribute, and faces decoded along the clearest numbers."""
    order = sorted(range(len(found)), key=lambda number: (found[number].max() < CLEAR, found[number].argmax()))
    figure = heatmap_figure(
        [HeatMap("rank correlation, absolute", found[order].T)],
        ("attribute", names), ("number of the code", [str(number) for number in order]), cell=0.24,
    )  # fmt: skip
    save_figure(figure, FIGURES / "face-codes.svg")
    decoder = build_decoder(describe_representation(_file(MAIN)))
    clearest = np.argsort(-found.max(axis=1))[:SHOWN]
    codes = torch.zeros(SHOWN * len(STEPS), CODES)
    for row, number in enumerate(clearest):
        for column, step in enumerate(STEPS):
            codes[row * len(STEPS) + column, number] = step
    with torch.inference_mode():
        faces = decoder(codes).sigmoid().permute(0, 2, 3, 1).numpy()
    cells = (255 * faces).round().astype(np.uint8).reshape(SHOWN, len(STEPS), 64, 64, 3)
    sheet = cells.transpose(0, 2, 1, 3, 4).reshape(SHOWN * 64, len(STEPS) * 64, 3)
    Image.fromarray(sheet).resize((2 * sheet.shape[1], 2 * sheet.shape[0]), Image.Resampling.BICUBIC).save(
        FIGURES / "face-codes-traversal.jpg", quality=90
    )
    print("rows of the traversal:", ", ".join(f"{number} {names[found[number].argmax()]}" for number in clearest))


if __name__ == "__main__":
    main()
