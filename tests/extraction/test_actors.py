"""Extraction by Ray's actors on a cluster of two nodes: the bytes of the local engine, whatever dies on the way."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import fsspec
import numpy as np
import pytest
from tiny_encoder import ROWS, Encoder, key_of, open_features, pictures, run

from ghbench.errors import FeatureError, PluginError, UsageError
from ghbench.extraction import ExtractionOptions
from ghbench.extraction.actors import ATTEMPTS, _Crew
from ghbench.extraction.plan import Plan, Shard
from ghbench.store import FeatureStore, RemoteStore, remote

ray = pytest.importorskip("ray")


@pytest.fixture(scope="module")
def cluster(s3):
    from ray.cluster_utils import Cluster

    # Where the processes of the nodes find the encoder.
    paths = os.pathsep.join([str(Path(__file__).parent), *os.environ.get("PYTHONPATH", "").split(os.pathsep)])
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"PYTHONPATH": paths, **(s3 or {})}.items():
            patch.setenv(name, value)
        made = started(Cluster)
    yield made
    ray.shutdown()
    made.shutdown()


def started(kind):
    made = kind(initialize_head=True, head_node_args={"num_cpus": 1, "object_store_memory": 10**8})
    made.second = made.add_node(num_cpus=1, object_store_memory=10**8, env_vars={"SLOWER": "15"})
    ray.init(address=made.address, log_to_driver=False)
    return made


@dataclass
class Mortal(Encoder):
    """Its process ends when it meets the picture that begins with these bytes, so often as there are no marks yet."""

    fatal: bytes = b""
    marks: Path = Path()
    times: int = 1
    slow: float = 0.0

    def extract(self, images):
        time.sleep(self.slow * float(os.environ.get("SLOWER", "1")))
        if (
            any(image.tobytes().startswith(self.fatal) for image in images)
            and len(list(self.marks.iterdir())) < self.times
        ):
            (self.marks / f"{os.getpid()}-{time.time_ns()}").touch()
            os._exit(1)
        return super().extract(images)


@pytest.fixture
def dataset(tmp_path):
    return pictures(tmp_path / "pictures", copies=[(9, 8), (23, 1)])


@pytest.fixture
def local(tmp_path, dataset):
    stored = open_features(tmp_path / "local", dataset)
    run(Encoder(), dataset, stored)
    return stored


def mortal(tmp_path, dataset, **options):
    marks = tmp_path / "marks"
    marks.mkdir()
    first = np.ascontiguousarray(dataset.image(17).transpose(2, 0, 1)).tobytes()
    return Mortal(fatal=first[:8], marks=marks, **options)


def shards_of(stored):
    """Content of all files of features, by name."""
    return {path.relative_to(stored.folder): path.read_bytes() for path in sorted(stored.folder.rglob("*.npy"))}


@pytest.mark.usefixtures("cluster")
def test_actors_make_the_bytes_of_the_local_engine(tmp_path, dataset, local):
    stored, seen = open_features(tmp_path / "ray", dataset), []
    encoded = run(
        Encoder(), dataset, stored, engine="ray", progress=lambda done, total, label: seen.append((done, total))
    )
    assert encoded == ROWS - 1, "a copy within a shard is encoded once"
    assert shards_of(stored) == shards_of(local)
    assert seen[0][0] == 0
    assert seen[-1] == (encoded, encoded)
    assert run(Encoder(), dataset, stored, engine="ray") == 0, "nothing is missing any more"


@pytest.mark.usefixtures("cluster")
def test_a_killed_actor_costs_its_shards_only(tmp_path, dataset, local):
    stored, encoder = open_features(tmp_path / "ray", dataset), mortal(tmp_path, dataset)
    assert run(encoder, dataset, stored, engine="ray") == ROWS - 1
    assert len(list(encoder.marks.iterdir())) == 1
    assert shards_of(stored) == shards_of(local)


def test_a_killed_driver_is_started_again_and_goes_on(tmp_path, dataset, local, cluster):
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
import ray
from test_actors import Mortal
from tiny_encoder import open_features, pictures, run
ray.init(address={cluster.address!r}, log_to_driver=False)
folder = Path({str(tmp_path)!r})
dataset = pictures(folder / "pictures", copies=[(9, 8), (23, 1)])
run(Mortal(fatal=b"none of them", slow=0.3), dataset, open_features(folder / "ray", dataset), engine="ray")
"""
    stored = open_features(tmp_path / "ray", dataset)
    with subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True) as driver:
        while not (kept := [rows for rows in range(0, ROWS, 8) if (rows, rows + 8) not in split(stored)]):
            assert driver.poll() is None, driver.stderr.read()
            time.sleep(0.1)
        driver.kill()
    assert 0 < len(kept) < ROWS // 8
    assert 0 < run(Encoder(), dataset, open_features(tmp_path / "ray", dataset), engine="ray") < ROWS - 1
    assert shards_of(stored) == shards_of(local)


def split(stored):
    """Missing shards of eight rows."""
    missing = stored.missing_rows("low")
    return [(first, first + 8) for start, end in missing for first in range(start, end, 8)]


@pytest.mark.usefixtures("cluster")
def test_a_picture_that_always_kills_is_named_and_the_rest_is_kept(tmp_path, dataset, local):
    stored, encoder = open_features(tmp_path / "ray", dataset), mortal(tmp_path, dataset, times=100)
    with pytest.raises(PluginError, match=f"rows 16 to 23 have ended {ATTEMPTS} processes"):
        run(encoder, dataset, stored, engine="ray")
    kept = [rows for rows in range(0, ROWS, 8) if (rows, rows + 8) not in stored.missing_rows("low")]
    encoder.times = 0
    assert run(encoder, dataset, stored, engine="ray") <= ROWS - 1 - 8 * len(kept) + 1
    assert shards_of(stored) == shards_of(local)


@pytest.mark.usefixtures("cluster")
def test_what_the_checks_refuse_is_told_as_it_is_here(tmp_path, dataset):
    def spoil(features, images):
        return {
            level: np.where(np.arange(len(values))[:, None] == 1, np.nan, values) for level, values in features.items()
        }

    with pytest.raises(FeatureError, match="NaN or Inf, rows"):
        run(Encoder(change=spoil), dataset, open_features(tmp_path / "ray", dataset), engine="ray")


def when_written(url):
    """When each shard of a level was written, by its path."""
    system, root = fsspec.core.url_to_fs(url)
    system.invalidate_cache()
    return {path: system.modified(path) for path in system.glob(f"{root}/*/low/shard-*.npy")}


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("elsewhere", ["folder", "s3"], indirect=True)
def test_actors_write_to_a_store_elsewhere_themselves(tmp_path, dataset, local, elsewhere):
    stored = RemoteStore(elsewhere).open(key_of(dataset), dataset.ids, 8)
    encoder = mortal(tmp_path, dataset, times=100)
    with pytest.raises(PluginError, match="have ended"):
        run(encoder, dataset, stored, engine="ray")
    kept = when_written(elsewhere)
    encoder.times = 0
    run(encoder, dataset, stored, engine="ray")
    there = when_written(elsewhere)
    assert len(there) == ROWS / 8
    assert kept.items() <= there.items(), "what was finished is not made again"
    theirs = FeatureStore(tmp_path / "theirs")
    assert len(list(remote.pull(theirs, elsewhere, lambda key: True))) == 2
    assert shards_of(theirs.open(key_of(dataset), dataset.ids)) == shards_of(local)


def test_a_node_that_is_removed_loses_nothing_even_when_the_others_are_done(tmp_path, dataset, local, cluster):
    stored, encoder = open_features(tmp_path / "ray", dataset), Mortal(fatal=b"none of them", marks=tmp_path, slow=0.2)
    removed = []

    def remove(done, total, label):
        if total - done <= 2 * 8 and not removed:  # the rest is in the hands of the slower one
            removed.append(cluster.second)
            cluster.remove_node(cluster.second, allow_graceful=False)

    assert run(encoder, dataset, stored, engine="ray", progress=remove) == ROWS - 1
    assert removed
    assert shards_of(stored) == shards_of(local)


@pytest.mark.usefixtures("cluster")
def test_a_cluster_without_room_for_an_actor_is_named_and_not_waited_for(tmp_path, dataset):
    with pytest.raises(UsageError, match=r"no machine .* has room for an actor, which takes 1 CPU and 1 GPU"):
        run(Encoder(), dataset, open_features(tmp_path, dataset), engine="ray", device="cuda")


class Script:
    """Ray as a crew sees it: each actor's start, and each shard, goes as the script says, and well afterwards."""

    exceptions = ray.exceptions

    def __init__(self, starts=(), shards=()):
        self.starts, self.shards, self.answers = list(starts), list(shards), []

    def nodes(self):
        return [{"Alive": True, "Resources": {"CPU": 4.0}}, {"Alive": False, "Resources": {"CPU": 64.0}}]

    def put(self, value):
        return value

    def remote(self, **_):
        ready = SimpleNamespace(remote=lambda: self.answer(self.starts, "ready"))
        encode = SimpleNamespace(remote=lambda shard: self.answer(self.shards, shard))
        return lambda _: SimpleNamespace(remote=lambda *_: SimpleNamespace(ready=ready, encode=encode))

    def answer(self, script, value):
        self.answers.append((script.pop(0) if script else None) or value)
        return len(self.answers) - 1

    def wait(self, references, num_returns):
        return references[:num_returns], references[num_returns:]

    def get(self, reference):
        if isinstance(self.answers[reference], Exception):
            raise self.answers[reference]
        return self.answers[reference]

    def kill(self, actor):
        pass


def crew(script, dataset, shards=6):
    plan = Plan(dataset, Encoder().spec(), "none", mirrored=False, batch_size=4, levels=("low",), shards=tuple(
        Shard(start, (start,), np.arange(1), ("low",)) for start in range(shards)
    ))  # fmt: skip
    return _Crew(script, Encoder(), plan, ExtractionOptions(), 1, None)


def test_a_shard_that_was_lost_with_its_machine_is_made_again(dataset):
    lost = ray.exceptions.ObjectLostError("ab" * 28, None, "")
    found = [shard.start for shard in crew(Script(shards=[lost, None, lost]), dataset).encoded()]
    assert sorted(found) == list(range(6))
    with pytest.raises(PluginError, match="rows 0 to 0 of extractor 'tiny' were lost 3 times on the way"):
        list(crew(Script(shards=[lost] * 9), dataset, shards=1).encoded())


def test_actors_that_cannot_start_end_the_work_only_where_none_can(dataset):
    dead = ray.exceptions.RayActorError()
    assert len(list(crew(Script(starts=[None, *[dead] * 9]), dataset).encoded())) == 6
    with pytest.raises(PluginError, match="cannot be loaded"):
        list(crew(Script(starts=[dead] * 30), dataset).encoded())


def test_a_cluster_that_is_not_there_is_named(tmp_path, dataset, monkeypatch):
    def refuse(**_: object) -> None:
        raise ConnectionError("nobody answers")

    monkeypatch.setattr(ray, "is_initialized", lambda: False)
    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(UsageError, match="no Ray cluster at 'auto': nobody answers"):
        run(Encoder(), dataset, open_features(tmp_path, dataset), engine="ray", address="auto")
