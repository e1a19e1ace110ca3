"""Every path on which ghbench writes, small enough to be interrupted often, and what must be there in the end.

Used by the test that ends a process before each of its changes to the disk, and by `benchmarks/crashes.py`, which kills
at random moments. A work is called with a folder of its own, which may hold what an interrupted one has left.
"""

from __future__ import annotations

import hashlib
import http.server
import io
import json
import os
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from pathlib import Path

import numpy as np

from ghbench.digests import digest_bytes, digest_file

ROWS, WIDTH, SHARD = 24, 64, 8
FEATURES = np.random.default_rng(0).random((ROWS, WIDTH), dtype=np.float32)
IDS = tuple(map(str, range(ROWS)))
TOY = bytes(range(256)) * 8_192
"""Content of the asset that is downloaded, 2 MB."""
TEMPORARY = (".*.tmp", ".*.making", ".*.removed", ".making/*", ".partial/*/*")


@dataclass(frozen=True)
class WritePath:
    """One path on which ghbench writes.

    Args:
        work: Does it all, or what is missing of it.
        content: What is there afterwards, as a digest.
        alone: Whether only one process at a time may do it, and the others are told so.
        kept: Whether an ended work has lost nothing that was there before; None where it replaces nothing.
    """

    work: Callable[[Path], object]
    content: Callable[[Path], str]
    alone: bool = False
    kept: Callable[[Path], bool] | None = None


def left_behind(folder: Path) -> list[Path]:
    """Temporary files and folders below a folder."""
    return sorted(path for pattern in TEMPORARY for path in folder.rglob(pattern))


def _files(*patterns: str) -> Callable[[Path], str]:
    def content(folder: Path) -> str:
        found = sorted(path for pattern in patterns for path in folder.glob(pattern) if path.is_file())
        return digest_bytes("\n".join(f"{path.relative_to(folder)} {digest_file(path)}" for path in found).encode())

    return content


def _stored(folder: Path, store: str = "features", *, elsewhere: bool = False):
    from ghbench.store import FeatureKey, FeatureStore, RemoteStore

    key = FeatureKey("x", "1", "", "0", {}, {}, "plain", "numpy-float32", "float32", "x", "0", 1)
    place = RemoteStore(str(folder / store)) if elsewhere else FeatureStore(folder / store)
    return place.open(key, IDS, SHARD)


def _fill_store(folder: Path) -> None:
    _fill(_stored(folder))


def _fill(stored) -> None:
    with stored.writing():
        for level in ("low", "high"):
            if stored.is_ready(level):
                continue
            for start, end in stored.missing_rows(level):
                stored.write_shard(level, start, FEATURES[start:end])
            stored.complete(level)


def _of_store(folder: Path, store: str = "features") -> str:
    stored = _stored(folder, store)
    return digest_bytes(b"".join(stored.read(level).tobytes() for level in ("low", "high")))


def _fill_elsewhere(folder: Path) -> None:
    _fill(_stored(folder, elsewhere=True))


def _there_and_back(folder: Path) -> None:
    from ghbench.store import FeatureStore
    from ghbench.store.remote import pull, push

    _fill_store(folder)
    for _ in push(FeatureStore(folder / "features"), str(folder / "there"), lambda _: True):
        pass
    for _ in pull(FeatureStore(folder / "back"), str(folder / "there"), lambda _: True):
        pass


def _index(folder: Path) -> None:
    import faiss

    from ghbench.probes.indexed import open_index

    faiss.omp_set_num_threads(1)  # more would link the graph in an order of their own
    open_index(FEATURES, "cosine", "HNSW8", folder / "indices")


def _convert(folder: Path) -> None:
    import torch

    from ghbench.atomic import write_bytes
    from ghbench.generators.conversion.converting import convert

    source = folder.with_name(f"{folder.name}.pt")
    if not source.exists():
        network, buffer = {"weight": torch.from_numpy(FEATURES)}, io.BytesIO()
        torch.save({"g_ema": network, "d": network}, buffer)
        write_bytes(source, buffer.getvalue())
    convert(source, folder / "model.safetensors", network="d", force=True)


def _of_converted(folder: Path) -> str:
    from safetensors.numpy import load_file

    arrays = load_file(folder / "model.safetensors")
    return digest_bytes(b"".join(name.encode() + arrays[name].tobytes() for name in sorted(arrays)))


def _write_result(folder: Path) -> None:
    import pandas as pd

    from ghbench.results import files
    from ghbench.tables import published_folder

    source = min((published_folder() / "orl").glob("pixels-*.json"))
    target = folder / "results" / "orl" / source.name
    if files.finished(target) is not None:
        return
    result = files.load(source)
    records, _ = files.as_stored(pd.read_parquet(source.with_suffix(".parquet")), "orl")
    files.save(result, records, target)


def _of_result(folder: Path) -> str:
    from ghbench.results import files

    (path,) = (folder / "results" / "orl").glob("*.json")
    return digest_bytes(
        files.load(path).content_seal().encode() + files.load_records(path, files.load(path)).to_csv().encode()
    )


def _export(folder: Path) -> None:
    from ghbench.store.feature_files import write_features

    write_features(folder / "features.parquet", {"high": FEATURES}, IDS, {"made": "here"}, force=True)


def prepare() -> None:
    """Import and make what every work needs, so that processes forked afterwards need not."""
    import torch

    from ghbench.store import filling

    filling.SECONDS = -1  # a commit a shard: all of them together take less
    for room in (
        "assets.download",
        "generators.conversion.converting",
        "probes.indexed",
        "site",
        "store.feature_files",
        "store.image_shards",
        "store.remote",
        "tables.overview",
        "training.loop",
    ):
        import_module(f"ghbench.{room}")
    for package in ("faiss", "jinja2", "pyarrow.parquet"):
        import_module(package)
    torch.set_num_threads(1)  # threads do not survive a fork
    images()


@cache
def images():
    """As many images as there are rows."""
    from ghbench import registry
    from ghbench.data.subset import first_rows

    return first_rows(registry.build("dataset", "digits"), ROWS)


def _import(folder: Path) -> None:
    from ghbench.store.imported import import_features

    os.environ["GHBENCH_HOME"] = str(folder)
    for name, features in {"first": FEATURES, "second": -FEATURES}.items():
        source = folder.with_name(f"{folder.name}-{name}.npy")
        if not source.exists():
            np.save(source, features)
        import_features(source, "mine", images(), replace=True)
        (folder / "imported before").touch()


def _keeps_imported(folder: Path) -> bool:
    """Whether features are there, if any were, when the next process to write there has failed."""
    from ghbench.atomic import atomic_folder

    mine = folder / "imported" / "mine"
    with suppress(InterruptedError), atomic_folder(mine, replace=True):
        raise InterruptedError
    return (mine / "manifest.json").is_file() or not (folder / "imported before").is_file()


def _draw(folder: Path) -> None:
    from ghbench.store.image_shards import ImageShards

    def made(seeds: range) -> Iterator[np.ndarray]:
        for seed in seeds:
            yield np.full((1, 3, 16, 16), seed % 256, np.uint8)

    ImageShards(folder / "images", range(32), 16, shard=8).fill(made, lambda *_: None)


def _train(folder: Path) -> None:
    import torch

    from ghbench.atomic import write_bytes
    from ghbench.training.averages import MovingAverage
    from ghbench.training.loop import Schedule, train
    from ghbench.training.machine import Machine
    from ghbench.training.recipe import Recipe
    from ghbench.training.run_folder import RunFolder

    class Line(Recipe):
        """Fits a line to points, with noise from the loop's seeds."""

        name, items, batch = "line", 10, 4

        def __init__(self) -> None:
            torch.manual_seed(0)
            self.model = torch.nn.Linear(1, 64)
            self.networks = {"model": self.model}
            self.averages = {"model": MovingAverage(self.model, 20)}
            self.optimisers = {"model": torch.optim.Adam(self.model.parameters(), 0.05)}

        def describe(self):
            return {"rate": 0.05}

        def prepare(self, machine):
            self.machine = machine

        def step(self, batch):
            x = torch.tensor(batch.rows, dtype=torch.float32)[:, None] / 10
            loss = (self.model(x + 0.1 * torch.randn_like(x)) - x).square().mean()
            self.machine.update(self.optimisers["model"], loss)
            return {"loss": loss}

        def pictures(self):
            return np.zeros((2, 3, 3), dtype=np.uint8)

        def export(self, folder, history):
            arrays = [value.numpy().tobytes() for value in self.averages["model"].module.state_dict().values()]
            write_bytes(folder / "model.bin", b"".join(arrays))

    schedule = Schedule(images=24, checkpoint_minutes=0.0, log_every=8, pictures_every=16)
    train(Line(), schedule, RunFolder(folder / "run"), Machine(accelerator="cpu", precision="32-true", compiled=False))


def _of_training(folder: Path) -> str:
    from ghbench.training.run_folder import RunFolder

    lines = [(line["shown"], line["loss"]) for line in RunFolder(folder / "run").history() if "loss" in line]
    return digest_bytes((folder / "run" / "model.bin").read_bytes() + json.dumps(lines).encode())


def _site(folder: Path) -> None:
    import shutil

    from ghbench.site import build_site
    from ghbench.tables import published_folder
    from ghbench.tables.select import Choice

    results = Path(os.environ["GHBENCH_HOME"]) / "results" / "orl"
    if not results.exists():
        results.mkdir(parents=True)
        for path in (published_folder() / "orl").glob("pixels-*"):
            shutil.copy(path, results)
    build_site(folder / "site", Choice(own=True))


class _Server(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        start = int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        if start:
            self.send_header(
                "Content-Range", f"bytes {start}-{len(self.server.content) - 1}/{len(self.server.content)}"
            )
        self.send_header("Content-Length", str(len(self.server.content) - start))
        self.end_headers()
        self.wfile.write(self.server.content[start:])

    def log_message(self, *_):
        pass


@contextmanager
def served() -> Iterator[WritePath]:
    """The download of an asset from a server in this process."""
    from ghbench.assets import manifest, store

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(zipfile.ZipInfo("pkg/a.bin"), TOY)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Server)
    server.content = packed.getvalue()
    server.handle_error = lambda *_: None  # killed clients
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sha = hashlib.sha256(server.content).hexdigest()
    text = (
        '[toy]\nversion = "1"\ntitle = "Toy"\nlicence = "ours"\ncitation = ""\n'
        '[toy.members]\n"a.bin" = { path = "pkg/a.bin", '
        f'sha256 = "{digest_bytes(TOY)}", size = {len(TOY)} }}\n[[toy.sources]]\nkind = "url"\nfilename = "toy.zip"\n'
        f'sha256 = "{sha}"\nsize = {len(server.content)}\nmirrors = ["http://127.0.0.1:{server.server_port}/toy.zip"]\n'
    )

    def fetch(folder: Path) -> None:
        os.environ.update(GHBENCH_CACHE=str(folder), NO_PROXY="127.0.0.1", PIP_CONFIG_FILE="/dev/null")
        os.environ.pop("GHBENCH_OFFLINE", None)
        manifest.MANIFEST = folder.with_suffix(".toml")
        manifest.MANIFEST.write_text(text, encoding="utf-8")
        manifest._read.cache_clear()
        store._verified.clear()
        store.path("toy", "a.bin")

    try:
        yield WritePath(fetch, _files("assets/toy*/a.bin"))
    finally:
        server.shutdown()
        server.server_close()


PATHS = {
    "feature store": WritePath(_fill_store, _of_store),
    "feature store elsewhere": WritePath(_fill_elsewhere, _of_store),
    "features copied there and back": WritePath(_there_and_back, partial(_of_store, store="back")),
    "index of neighbours": WritePath(_index, _files("indices/*.faiss")),
    "converted checkpoint": WritePath(_convert, _of_converted),
    "result": WritePath(_write_result, _of_result),
    "features for other programs": WritePath(_export, _files("features.parquet")),
    "imported features": WritePath(_import, _files("imported/mine/*"), alone=True, kept=_keeps_imported),
    "drawn images": WritePath(_draw, _files("images/*")),
    "training, resumed": WritePath(_train, _of_training, alone=True),
    "site": WritePath(_site, _files("site/**/*")),
}
"""All but the asset, which needs `served`."""
