"""Which styles may change while features stay the same: within-class whitening by pairs that a generator makes.

Each pair has the codes of a face, with those of one resolution drawn anew. Whitening by the differences of such pairs
makes a metric ignore what these styles decide.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from orl_auc import signed
from record import write

from ghbench.data.framed import Framed
from ghbench.data.orl import Orl
from ghbench.dataset import labels
from ghbench.generators.loading import load_generator
from ghbench.generators.rendering import area_average, from_uint8, seeded_z, to_uint8
from ghbench.ghfeat.extractor import Ghfeat
from ghbench.metrics.learned_metric import principal, whitening, within_class
from ghbench.metrics.verification import auc, roc
from ghbench.probes.rows import of_unit_length
from ghbench.results.statistics import multiplicities, paired_difference
from ghbench.seeds import seeds_for

GENERATOR, SIZE, FACES, PAIRS, PSI, BATCH = "mobile-stylegan-ffhq:size=64", 64, 1_000, 300, 0.8, 50
COMPONENTS, RIDGE, DRAWS = 128, 0.03, 200
PLAIN = "none: whitened alone"


def main() -> None:
    """Draw, encode, compare, and write the table."""
    orl = Orl()
    framed = Framed(orl, SIZE, "ffhq")
    photographs = np.stack([framed.framed(row).image for row in range(len(orl))])
    people = labels(orl).values
    faces, changed = _faces()
    rows, numbers = [], {}
    for name, encode in {"`ghfeat:weights=faces64`": _ghfeat(), "pixels, 32 x 32": _pixels}.items():
        known, features = encode(faces), encode(photographs)
        found = principal(known, COMPONENTS)
        metrics = {PLAIN: whitening(found, COMPONENTS)}
        for styles, images in changed.items():
            metrics[styles] = within_class(found, encode(images) - known[:PAIRS], COMPONENTS, RIDGE)
        areas = {styles: _areas(metric.apply(features), people) for styles, metric in metrics.items()}
        for styles, (value, draws) in areas.items():
            gained = paired_difference(value, areas[PLAIN][0], draws, areas[PLAIN][1], int(people.max()) + 1)
            rows.append([name, styles, f"{value:.3f}", "" if styles == PLAIN else signed(gained)])
            numbers[f"{name}: {styles}"] = value
    text = f"""
AUC on ORL over all pairs, aligned as in FFHQ, by the cosine in a metric of {COMPONENTS} components learned from
{FACES:,} generated faces of {SIZE} px. Within-class whitening (ridge {RIDGE}) takes {PAIRS} pairs of faces that differ
in the styles named. Brackets: the gain over whitening alone, 95 % over 40 people.

Components and ridge were fixed beforehand, and nothing was chosen. ORL is development data.
"""
    head = ["features", "styles drawn anew", "AUC", "gain"]
    write("style_pairs", "Which styles may change", text, head, rows, numbers=numbers)


@torch.no_grad()
def _faces() -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Generated faces uint8 [N, 3, R, R]; and the first of them with the styles of each resolution drawn anew."""
    generator = load_generator(GENERATOR)
    seeds = seeds_for("metric-fitting", FACES + PAIRS)
    ws = torch.cat([generator.mapping(seeded_z(seeds[start : start + BATCH], generator.z_dim), PSI)
                    for start in range(0, len(seeds), BATCH)])  # fmt: skip
    base, other = ws[:FACES], ws[FACES:]
    sides = [name.split(".")[0] for name in generator.style_codes(ws[:1])]
    sides[-1] = sides[-2] if not sides[-1].startswith("r") or not sides[-1][1:].isdigit() else sides[-1]
    changed = {}
    for side in dict.fromkeys(sides):
        mixed = base[:PAIRS].clone()
        rows = [row for row, own in enumerate(sides) if own == side]
        mixed[:, rows] = other[:, rows]
        changed[f"{side[1:]} px"] = _drawn(generator, mixed)
    return _drawn(generator, base), changed


def _drawn(generator: torch.nn.Module, ws: torch.Tensor) -> np.ndarray:
    return np.concatenate([to_uint8(generator.synthesis(part)) for part in ws.split(BATCH)])


def _ghfeat() -> Callable[[np.ndarray], np.ndarray]:
    extractor = Ghfeat(weights="faces64")

    def encode(images: np.ndarray) -> np.ndarray:
        parts = [extractor.extract(images[start : start + BATCH]) for start in range(0, len(images), BATCH)]
        return np.concatenate([np.concatenate([part[level] for level in part], axis=1) for part in parts])

    return encode


def _pixels(images: np.ndarray) -> np.ndarray:
    return area_average(from_uint8(images), 32).flatten(1).numpy()


def _areas(features: np.ndarray, people: np.ndarray) -> tuple[float, np.ndarray]:
    """AUC over all pairs, and of bootstrap draws over people."""
    unit = of_unit_length(features)
    left, right = np.triu_indices(len(people), 1)
    similarity = np.einsum("nd,nd->n", unit[left], unit[right]).astype(np.float64)
    one, two = people[left], people[right]
    same = one == two
    draws = [
        auc(roc(similarity, same, np.where(same, drawn[one], drawn[one] * drawn[two])))
        for drawn in multiplicities(int(people.max()) + 1, DRAWS)
    ]
    return auc(roc(similarity, same)), np.array(draws)


if __name__ == "__main__":
    main()
