"""Data that several parts of the suite share."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def orl():
    """The real AT&T faces; skips where they cannot be had."""
    from ghbench.data.orl import Orl
    from ghbench.errors import MissingError

    try:
        return Orl()
    except MissingError as error:
        pytest.skip(f"ORL faces are not on this machine: {error}")


@pytest.fixture(scope="session")
def s3() -> Iterator[dict[str, str] | None]:
    """What the environment must say for fsspec to find a server that speaks S3, moto's; None without moto or s3fs."""
    if any(find_spec(name) is None for name in ("moto", "flask_cors", "s3fs")):
        yield None
        return
    from moto.server import ThreadedMotoServer

    running = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_ACCESS_KEY_ID": "any", "AWS_SECRET_ACCESS_KEY": "any"}
    running.stop()


@pytest.fixture(params=["memory", "folder", "s3"])
def elsewhere(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, s3: dict[str, str] | None
) -> str:
    """The URL of an empty place for features on each kind of file system."""
    if request.param == "folder":
        return str(tmp_path / "elsewhere")
    if request.param == "memory":
        fsspec.filesystem("memory").store.clear()
        return "memory://bucket/features"
    if s3 is None:
        pytest.skip("needs moto and s3fs")
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    bucket = f"bucket-{secrets.token_hex(4)}"
    fsspec.filesystem("s3").mkdir(bucket)
    return f"s3://{bucket}/features"


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Any]:
    """A browser without a screen; skips where there is none."""
    selenium = pytest.importorskip("selenium.webdriver")
    driver, binary = shutil.which("chromedriver"), shutil.which("chromium")
    if driver is None or binary is None:
        pytest.skip("needs Debian's chromium and chromium-driver")
    options = selenium.ChromeOptions()
    options.binary_location = binary
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in (
        "headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
        "disable-component-update", "disable-sync", "disable-dev-shm-usage", f"user-data-dir={tmp_path / 'profile'}",
    ):  # fmt: skip
        options.add_argument(f"--{flag}")
    found = selenium.Chrome(options=options, service=selenium.ChromeService(driver))
    yield found
    found.quit()


@pytest.fixture
def own_cache_with_textures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A cache of the test's own in which the textures of rooms are found; skips where they cannot be had."""
    from ghbench import assets
    from ghbench.data.rooms.textures import ASSET
    from ghbench.errors import MissingError

    try:
        folder = assets.path(ASSET)
    except MissingError as error:
        pytest.skip(f"textures are not on this machine: {error}")
    found = assets.path
    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(assets, "path", lambda name, *rest: folder if name == ASSET else found(name, *rest))


@pytest.fixture
def few_pictures(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Metrics are learned from a few pictures, in a cache of the test's own."""
    from ghbench.data import metric_lessons

    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path / "cache"))
    for name, count in {"FITTED": 24, "CHANGED": 8, "CHOSEN": 8}.items():
        monkeypatch.setattr(metric_lessons, name, count)


@pytest.fixture
def lfw_tree(tmp_path: Path) -> Path:
    """A small tree in LFW's format: four people, tiny generated pictures, `pairs.txt` with two folds of two."""
    rng = np.random.default_rng(0)
    root = tmp_path / "lfw"
    for person, pictures in {"Ann_Lee": 3, "Bo_Diaz": 2, "Cy_Ng": 3, "Di_Roe": 2}.items():
        (root / person).mkdir(parents=True)
        for number in range(1, pictures + 1):
            pixels = rng.integers(0, 256, (24, 20, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / person / f"{person}_{number:04d}.jpg", quality=95)
    rows = [
        *("2\t2", "Ann_Lee\t1\t2", "Bo_Diaz\t1\t2", "Ann_Lee\t1\tBo_Diaz\t1", "Ann_Lee\t3\tBo_Diaz\t2"),
        *("Cy_Ng\t1\t3", "Di_Roe\t1\t2", "Cy_Ng\t1\tDi_Roe\t1", "Cy_Ng\t2\tDi_Roe\t2"),
    ]
    (root / "pairs.txt").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return root


@pytest.fixture
def options(tmp_path: Path) -> object:
    """Options of a run that keeps everything in a folder of its own."""
    from ghbench.extraction import ExtractionOptions
    from ghbench.running.options import RunOptions
    from ghbench.store import FeatureStore

    return RunOptions(
        store=FeatureStore(tmp_path / "s"), results=tmp_path / "r", extraction=ExtractionOptions(workers=0)
    )


@pytest.fixture
def folder_of_classes(tmp_path: Path) -> object:
    """Makes a folder of noisy pictures of two classes, bright at the left or at the right, in some splits."""

    def make(splits: tuple[str, ...], per_class: int = 8) -> Path:
        rng, root = np.random.default_rng(0), tmp_path / "images"
        for split in splits:
            for label, sides in {"left": (200, 40), "right": (40, 200)}.items():
                level = np.repeat(sides, 8)[None, :, None]
                for number in range(per_class):
                    path = root / split / label / f"{number}.png"
                    path.parent.mkdir(parents=True, exist_ok=True)
                    Image.fromarray(np.clip(rng.normal(level, 20, (16, 16, 3)), 0, 255).astype(np.uint8)).save(path)
        return root

    return make
