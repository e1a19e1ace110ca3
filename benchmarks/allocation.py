"""What keeping freed memory is worth to a generator on the CPU: the same pictures, drawn with and without it."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from itertools import product

from record import write

GENERATOR, SIZES, BATCHES, PICTURES, REPEATS = "mobile-stylegan-ffhq", (64, 128, 256), (1, 16), 32, 3
DRAW = """
import sys, time
import torch
from ghbench.allocation import keep_freed_memory
from ghbench.generators.loading import load_generator
from ghbench.generators.rendering import seeded_z
generator, batch, pictures, kept = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "kept"
if kept:
    assert keep_freed_memory()
network = load_generator(generator)
with torch.no_grad():
    parts = torch.split(network.mapping(seeded_z(range(pictures), network.z_dim)), batch)
    network.synthesis(parts[0])
    began = time.perf_counter()
    for part in parts:
        network.synthesis(part)
print((time.perf_counter() - began) / pictures * 1000)
"""


def main() -> None:
    """Draw, and write the table."""
    rows, numbers = [], {}
    for size, batch in product(SIZES, BATCHES):
        taken: dict[str, list[float]] = {"mapped": [], "kept": []}
        for _ in range(REPEATS):
            for way, found in taken.items():
                found.append(_milliseconds(size, batch, way))
        mapped, kept = (statistics.median(found) for found in taken.values())
        rows.append([str(size), str(batch), f"{mapped:.1f}", f"{kept:.1f}", f"{mapped / kept:.2f}"])
        numbers[f"{size} px, batch {batch}"] = {"mapped": mapped, "kept": kept}
    text = f"""
Milliseconds a picture of `{GENERATOR}`, float32, {PICTURES} pictures, median of {REPEATS} processes each, taking turns.
*Mapped*: as glibc does by itself, each block above 32 MB at the latest from new pages. *Kept*: after
`ghbench.allocation.keep_freed_memory()`, which the command line calls.
"""
    head = ["px", "batch", "mapped", "kept", "times faster"]
    write("allocation", "Memory that is kept", text, head, rows, numbers=numbers)


def _milliseconds(size: int, batch: int, way: str) -> float:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    command = [sys.executable, "-c", DRAW, f"{GENERATOR}:size={size}", str(batch), str(PICTURES), way]
    return float(subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout)


if __name__ == "__main__":
    main()
