"""A stranger's path, timed: from a fresh clone to an own plugin on a leaderboard, by the commands of the docs.

`python benchmarks/strangers_path.py [REPOSITORY]`: a path or a URL, by default this checkout. Environment, caches and
results are new; packages, data and weights are fetched as pip and ghbench are set up to fetch them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from record import write

ROOT = Path(__file__).parents[1]
PAGE = 'file = "knn-orl.md"'
NETWORK = (ROOT / "docs" / "quickstart.md").read_text().partition("```python\n")[2].partition("```")[0]
"""The quickstart's own network."""
STEPS = (
    ("a clone", "git clone --quiet --depth 1 {repository} ghbench", "."),
    (
        "an environment",
        "python3 -m venv .venv && pip install --quiet -c constraints.txt -e '.[cpu,faces,backbones,report]'",
        "ghbench",
    ),
    ("own network from a file, with reference rows", "ghbench run -e ./my_net.py:Net -t orl --references", "ghbench"),
    (
        "a package for a plugin",
        "ghbench plugin new my-features && pip install --quiet --no-deps ./my-features",
        "ghbench",
    ),
    ("the conformance kit", "ghbench plugin check my-features", "ghbench"),
    ("its row on the page knn-orl", "python leaderboards/publish.py --keep knn-orl", "ghbench"),
    ("the row verified", "ghbench verify leaderboards/knn-dataset=orl-e3bcc784", "ghbench"),
)  # fmt: skip
"""What is done, by which command, in which folder."""


def main() -> None:
    """Go the path, and write the table."""
    repository = sys.argv[1] if sys.argv[1:] else f"file://{ROOT}"
    rows, seconds = [], []
    with tempfile.TemporaryDirectory(prefix="ghbench-stranger-") as name:
        folder = Path(name)
        own = {"GHBENCH_HOME": str(folder / "home"), "GHBENCH_CACHE": str(folder / "cache")}
        path = f"{folder / 'ghbench' / '.venv' / 'bin'}:{os.environ['PATH']}"
        environment = {**os.environ, **own, "PATH": path, "PYTHONPATH": ""}
        for title, command, place in STEPS:
            if title.startswith("own network"):
                (folder / "ghbench" / "my_net.py").write_text(NETWORK)
            if title.startswith("its row"):
                add_row(folder / "ghbench" / "leaderboards" / "published.toml")
            began = time.perf_counter()
            words = ["bash", "-c", command.format(repository=repository)]
            subprocess.run(words, check=True, cwd=folder / place, env=environment)
            seconds.append(time.perf_counter() - began)
            rows.append([title, f"`{command.format(repository='REPOSITORY')}`", f"{seconds[-1]:.0f}"])
        page = (folder / "ghbench" / "leaderboards" / "knn-orl.md").read_text()
    (row,) = [line for line in page.splitlines() if "`my-features`" in line]
    text = f"""
Together {sum(seconds) / 60:.1f} minutes, without reading. The row in the end: rank {row.split("|")[1].strip()} of the
page, {row.split("|")[4].strip()}.
"""
    write("strangers_path", "A stranger's path", text, ["what", "command", "seconds"], rows, seconds=seconds)


def add_row(manifest: Path) -> None:
    """Write the plugin's name into a page, as its README asks."""
    before, page, after = manifest.read_text().partition(PAGE)
    manifest.write_text(before + page + after.replace("systems = [", 'systems = [\n  "my-features",', 1))


if __name__ == "__main__":
    main()
