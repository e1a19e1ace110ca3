"""How long the site takes to build and to load with 200 extractors on 20 tasks.

One extractor is evaluated on 20 small tasks, and each of these results kept under 200 names: all of them have the same
values, which makes drawing no faster. Needs Debian's chromium and chromium-driver; three minutes.
"""

from __future__ import annotations

import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from record import write
from selenium import webdriver

from ghbench.digests import digest_json
from ghbench.results import files
from ghbench.running import runner
from ghbench.site import build_site
from ghbench.tables.select import Choice

EXTRACTORS, TASKS, LOADS = 200, 20, 5
PAGES = {
    "matrix": "index.html", "a task": "tasks/*.html", "an extractor": "systems/*.html", "a result": "results/*.html",
}  # fmt: skip
FINISHED = "const one = performance.getEntriesByType('navigation')[0]; return one.loadEventEnd - one.startTime"
"""Milliseconds from the start of a navigation to the end of its load event, when all is laid out and sorted."""


def main() -> None:
    """Make the results, build the site, load its pages, and write the table."""
    with tempfile.TemporaryDirectory(prefix="ghbench-site-") as home:
        os.environ["GHBENCH_HOME"] = home
        for place in range(TASKS):
            _repeat(f"knn:dataset=digits,test={100 + place}")
        site, began = Path(home) / "site", time.perf_counter()
        build_site(site, Choice(own=True))
        built = time.perf_counter() - began
        size = sum(path.stat().st_size for path in site.rglob("*") if path.is_file())
        loaded = _loaded(site, Path(home) / "profile")
    rows = [[name, f"{kilobytes:,}", f"{seconds:.2f}"] for name, (kilobytes, seconds) in loaded.items()]
    text = f"""
Median of {LOADS} loads from files in Chromium without a screen, each to the end of the load event. The site of
{EXTRACTORS} extractors on {TASKS} tasks has {size / 1e6:,.0f} MB and was built in {built / 60:.1f} minutes.
"""
    numbers = {name: {"kilobytes": size, "seconds": seconds} for name, (size, seconds) in loaded.items()}
    write(
        "site_size", f"The site of {EXTRACTORS} extractors", text, ["page", "kB", "seconds to load"], rows,
        numbers=numbers, build_seconds=built,
    )  # fmt: skip


def _repeat(task: str) -> None:
    """Evaluate once, and keep the result under as many names."""
    result = runner.run("random-projection", task)
    records = files.path_of(result).with_suffix(".parquet")
    for seed in range(1, EXTRACTORS):
        subject = result.subject.model_copy(update={"spec_string": f"random-projection:seed={seed}"})
        digest = digest_json([result.digest, seed])
        copy = result.model_copy(update={"subject": subject, "digest": digest})
        path = files.path_of(copy)
        shutil.copy(records, path.with_suffix(".parquet"))
        files.save_sealed(copy, path)


def _loaded(site: Path, profile: Path) -> dict[str, tuple[int, float]]:
    """Size in kB and median seconds of each kind of page."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    for flag in ("headless", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", f"user-data-dir={profile}"):
        options.add_argument(f"--{flag}")
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver") or ""))
    try:
        found = {}
        for name, pattern in PAGES.items():
            path = max(site.glob(pattern), key=lambda one: one.stat().st_size)
            seconds = []
            for _ in range(LOADS):
                browser.get(path.as_uri())
                seconds.append(float(browser.execute_script(FINISHED)) / 1000)
            found[name] = round(path.stat().st_size / 1000), statistics.median(seconds)
        return found
    finally:
        browser.quit()


if __name__ == "__main__":
    main()
