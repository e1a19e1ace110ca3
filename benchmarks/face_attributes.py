"""Which attributes of generated faces can be measured again, and are not one another: the set that discovery uses.

An attribute enters if mirrored, compressed and shifted pictures give the same numbers (intraclass correlation of .8 or
more each), and if it correlates below .8 with those before it. No direction has been looked at.
"""

from __future__ import annotations

import io
from itertools import chain

import numpy as np
from ghbench_tasks.discovery.face_attributes import CANDIDATES, HELD, MIRRORED, NAMES, FaceAttributes
from PIL import Image
from record import write
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from ghbench.generators.loading import load_generator
from ghbench.generators.pictures import pictures_of_seeds
from ghbench.seeds import seeds_for

FACES, SIDE, PSI, SHIFT, QUALITY = 500, 128, 0.7, 2, 75
REPEATABLE, DIFFERENT, CLUSTERED = 0.8, 0.8, 0.4


def main() -> None:
    """Measure, choose, and write the table."""
    generator = load_generator(f"mobile-stylegan-ffhq:size={SIDE}")
    images = pictures_of_seeds(generator, list(seeds_for("metric-fitting", FACES)), psi=PSI).transpose(0, 3, 1, 2)
    predictor = FaceAttributes(CANDIDATES)
    plain = predictor.measure(images)
    signs = np.array([-1.0 if name in MIRRORED else 1.0 for name in CANDIDATES])
    again = {
        "mirrored": predictor.measure(np.ascontiguousarray(images[..., ::-1])) * signs,
        "JPEG": predictor.measure(np.stack([_compressed(image) for image in images])),
        "shifted": predictor.measure(np.roll(images, SHIFT, axis=(2, 3))),
    }
    repeat = {what: [icc(plain[:, a], other[:, a]) for a in range(len(CANDIDATES))] for what, other in again.items()}
    alike = np.abs(np.corrcoef(plain.T))
    chosen: list[int] = []
    rows = []
    for a, name in enumerate(CANDIDATES):
        nearest = max(chosen, key=lambda b, a=a: alike[a, b], default=None)
        worst = min(values[a] for values in repeat.values())
        enters = worst >= REPEATABLE and (nearest is None or alike[a, nearest] < DIFFERENT)
        close = "" if nearest is None else f"{CANDIDATES[nearest]} {alike[a, nearest]:.2f}"
        rows.append([name, *(f"{values[a]:.3f}" for values in repeat.values()), close, "yes" if enters else "no"])
        if enters:
            chosen.append(a)
    kept = tuple(CANDIDATES[a] for a in chosen)
    values = np.linalg.eigvalsh(np.corrcoef(plain[:, chosen].T))
    effective = float(values.sum() ** 2 / np.square(values).sum())
    halves = _halves(np.abs(np.corrcoef(plain[:, chosen].T)))
    held = {kept[a] for a in halves[1]}
    if held != set(HELD):
        print("the held half is not the one in use:", held)
    text = f"""
Intraclass correlation (absolute agreement, single measures) of {FACES} generated faces of {SIDE} px at psi {PSI:g} with
themselves mirrored, as JPEG of quality {QUALITY}, and shifted by {SHIFT} px; then the attribute before it that it
correlates with most. Enters: all three at least {REPEATABLE:g}, and the correlation below {DIFFERENT:g}.

{len(kept)} attributes enter; effective number (squared sum of the eigenvalues of their correlations over the sum of
squares): {effective:.1f}. The set in use: {", ".join(NAMES)}.

Clusters by average linkage at a correlation of {CLUSTERED:g}, dealt in turn, the largest first, make two halves. No
search of windows looks at the second: {", ".join(HELD)}.
"""
    if kept != NAMES:
        print("the chosen set is not the one in use:", kept)
    head = ["attribute", *repeat, "most like", "enters"]
    found = {"kept": list(kept), "effective": effective, "correlations": np.corrcoef(plain[:, chosen].T).tolist()}
    write("face_attributes", "Attributes of faces that can be measured again", text, head, rows, **found)


def _halves(alike: np.ndarray) -> tuple[list[int], list[int]]:
    """Numbers of attributes in two halves that correlate little."""
    distances = squareform(np.where(np.eye(len(alike)), 0, 1 - alike), checks=False)
    labels = fcluster(linkage(distances, "average"), 1 - CLUSTERED, "distance")
    clusters = [np.flatnonzero(labels == label).tolist() for label in np.unique(labels)]
    clusters.sort(key=lambda cluster: (-len(cluster), cluster))
    return [*chain(*clusters[::2])], [*chain(*clusters[1::2])]


def icc(one: np.ndarray, other: np.ndarray) -> float:
    """ICC(A, 1) of two measurements of n items (McGraw and Wong 1996, table 4)."""
    table = np.stack([one, other], axis=1)
    n, k = table.shape
    grand = table.mean()
    between = k * np.square(table.mean(axis=1) - grand).sum() / (n - 1)
    raters = n * np.square(table.mean(axis=0) - grand).sum() / (k - 1)
    residual = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + grand
    error = np.square(residual).sum() / ((n - 1) * (k - 1))
    return float((between - error) / (between + (k - 1) * error + k * (raters - error) / n))


def _compressed(image: np.ndarray) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))).save(buffer, format="JPEG", quality=QUALITY)
    return np.asarray(Image.open(buffer)).transpose(2, 0, 1)


if __name__ == "__main__":
    main()
