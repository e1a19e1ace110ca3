"""Draws the site of the leaderboards in a browser without a screen, desktop and phone, light and dark.

ghbench run -e pixels:size=8 -e thumbnail:size=4 -t knn:dataset=digits,test=500
ghbench leaderboard build --out build/site
python docs/draw_site.py build/site docs/figures
"""
# ruff: noqa: INP001 - a script beside the pages, no package

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from selenium import webdriver

COLOURS = 96
"""Of a screenshot: its PNG stays small."""


@dataclass(frozen=True)
class Shot:
    """A screenshot.

    Args:
        page: Pattern of the page's path in the site.
        scheme: `light` or `dark`.
        size: Width and height of the window, in CSS pixels.
        phone: Whether it is a phone's, of two pixels each.
        start: Selector of what is at the top.
    """

    page: str
    scheme: str
    size: tuple[int, int]
    phone: bool = False
    start: str = "body"


SHOTS = {
    "site-matrix": Shot("index.html", "light", (1280, 1040), start="#matrix"),
    "site-task": Shot("tasks/attributes-*.html", "dark", (1280, 760)),
    "site-result": Shot("results/knn-dataset=digits*.html", "light", (900, 760), start=".worst"),
    "site-gallery": Shot("gallery.html", "dark", (1000, 480), start="h2:nth-of-type(2)"),
    "site-phone-task": Shot("tasks/orl-[0-9a-f]*.html", "light", (390, 760), phone=True),
    "site-phone-result": Shot("results/knn-dataset=digits*.html", "dark", (390, 760), phone=True, start=".worst"),
}


def main(site: Path, figures: Path) -> None:
    """Write the screenshots."""
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    with tempfile.TemporaryDirectory() as profile:
        for flag in ("headless", "no-sandbox", "disable-gpu", "disable-dev-shm-usage", f"user-data-dir={profile}"):
            options.add_argument(f"--{flag}")
        browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
        try:
            for name, shot in SHOTS.items():
                draw(browser, site, shot).save(figures / f"{name}.png", optimize=True)
        finally:
            browser.quit()


def draw(browser: webdriver.Chrome, site: Path, shot: Shot) -> Image.Image:
    """One screenshot, with few colours."""
    width, height = shot.size
    screen = {"width": width, "height": height, "deviceScaleFactor": 2 if shot.phone else 1, "mobile": shot.phone}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    scheme = {"features": [{"name": "prefers-color-scheme", "value": shot.scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", scheme)
    browser.get(min(site.glob(shot.page)).resolve().as_uri())
    browser.execute_script("document.querySelector(arguments[0]).scrollIntoView()", shot.start)
    image = Image.open(io.BytesIO(browser.get_screenshot_as_png())).convert("RGB")
    return image.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
