"""Random directions as the null of discovery: 600 of them, each tried on the first 20 test codes of the task."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
from evaluated import evaluated
from ghbench_tasks.discovery.face_attributes import FaceAttributes
from ghbench_tasks.discovery.pictures import Mover
from ghbench_tasks.discovery.task import PSI, attribute_spreads, discovery

from ghbench import locations, registry
from ghbench.digests import digest_json
from ghbench.generators.loading import load_generator
from ghbench.seeds import seeds_for

DIRECTIONS, CODES = 600, 20
ROW = "random-directions:seed=0"
"""The row of the task's table at whose scale they are tried: one of equal mean change of pictures."""
FACES = "mobile-stylegan-ffhq:size=128"
SYSTEM = f"random-directions:directions={DIRECTIONS},seed=1000"


def random_shifts() -> tuple[np.ndarray, np.ndarray]:
    """Shifts [codes, directions, attributes], and the attributes' standard deviations [attributes]."""
    found = np.array([shifts_of_code(seed) for seed in seeds_for("test", CODES)])
    return found, attribute_spreads(_mover(), FaceAttributes())


def shifts_of_code(seed: int) -> np.ndarray:
    """Shifts [directions, attributes] of one code, kept in the cache."""
    scale, predictor = _scale(), FaceAttributes()
    made_by = digest_json([SYSTEM, scale, predictor.digest, FACES, PSI])
    path = locations.cache() / "benchmarks" / f"random-null-{made_by[:16]}" / f"{seed}.npy"
    if not path.is_file():
        before, after = (predictor.measure(part) for part in _mover().pair(seed, scale, range(DIRECTIONS)))
        path.parent.mkdir(parents=True, exist_ok=True)
        np.save(path, (after - before).astype(np.float32))
        print(f"random directions: code {seed}", flush=True)
    return np.load(path)


@cache
def _scale() -> float:
    return float(evaluated(ROW, discovery())[1]["scale"].max())


@cache
def _mover() -> Mover:
    generator = load_generator(FACES)
    return Mover(generator, registry.build("extractor", SYSTEM).directions, PSI)


def shifts_in(records: pd.DataFrame) -> np.ndarray:
    """Shifts that the records of a navigator hold: [codes, directions, attributes]."""
    moved = records[(records["seed"] >= 0) & (records["attribute"] >= 0)]
    ordered = moved.sort_values(["seed", "direction", "attribute"])
    shape = [moved[name].nunique() for name in ("seed", "direction", "attribute")]
    return ordered["shift"].to_numpy(np.float64).reshape(shape)
