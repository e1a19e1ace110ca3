"""How benchmarks take time and write down what they found: a table, the machine, and that nothing else was promised."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ghbench.results.provenance import provenance

RESULTS = Path(__file__).parent / "results"


def interleaved_seconds(calls: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median wall-clock seconds of each call; the calls take turns, so that a busy machine slows all of them.

    Args:
        calls: What to time, by name; each is called once beforehand to warm caches.
        repeats: Timed calls of each.
    """
    for call in calls.values():
        call()
    taken: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            began = time.perf_counter()
            call()
            taken[name].append(time.perf_counter() - began)
    return {name: statistics.median(seconds) for name, seconds in taken.items()}


def write(
    name: str,
    title: str,
    text: str,
    head: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    command: str = "",
    **data: Any,
):
    """Print a table and write it to `results/NAME.md`, with the numbers in `results/NAME.json`.

    Args:
        name: Name of the benchmark.
        title: Heading.
        text: What stands below the table, in Markdown.
        head: Column names.
        rows: Cells.
        command: What makes it again, if arguments belong to it.
        **data: Numbers for the JSON file.
    """
    made = provenance(command or f"python benchmarks/{name}.py", 0)
    packages = {key: made.packages[key] for key in ("numpy", "scikit-learn", "torch") if key in made.packages}
    machine = ", ".join(f"{key} {value}" for key, value in made.hardware.items() if value)
    lines = [
        f"# {title}",
        "",
        f"| {' | '.join(head)} |",
        "|" + "---|" * len(head),
        *(f"| {' | '.join(row)} |" for row in rows),
        "",
        text.strip(),
        "",
        f"Machine: {machine}; not guaranteed idle, so read the ratios and not the seconds.",
        f"Python {made.python}, {', '.join(f'{key} {value}' for key, value in packages.items())}.",
        f"Made by `{made.command}`.",
    ]
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.md").write_text("\n".join(lines) + "\n")
    content = {"benchmark": name, **data, "hardware": made.hardware, "python": made.python, "packages": packages}
    (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")
    print("\n".join(lines))
