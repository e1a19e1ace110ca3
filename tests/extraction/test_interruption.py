"""Whatever stops an extraction, the next one goes on at the next missing shard and ends with the same features."""

from __future__ import annotations

import json
import multiprocessing
import os
import secrets
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
from tiny_encoder import PROBED, ROWS, Encoder, open_features, pictures, run

from ghbench.data.imagefolder import ImageFolder
from ghbench.errors import PluginError, UserError
from ghbench.store import filling

HERE = Path(__file__).parent
KILLS = 20


def test_killed_at_twenty_random_moments_the_features_are_those_of_an_uninterrupted_run(tmp_path):
    seed = int(os.environ.get("GHBENCH_TEST_SEED") or secrets.randbelow(2**32))
    print(f"GHBENCH_TEST_SEED={seed}")
    done = subprocess.run(
        [sys.executable, str(HERE / "killed_extraction.py"), str(tmp_path), str(seed), str(KILLS)],
        env={**os.environ, "PYTHONPATH": str(HERE), "GHBENCH_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        start_new_session=True,
    )
    assert done.returncode == 0, done.stderr
    counts = json.loads(done.stdout)
    print(counts)
    assert counts["killed"] == KILLS
    assert counts["partial"] > 0, "no kill fell into the middle of the work"
    assert counts["same"] == counts["finished"] == counts["stores"] > 0, counts


@pytest.mark.parametrize("workers", [0, 2])
def test_ctrl_c_leaves_a_store_that_goes_on_and_no_workers(tmp_path, dataset, workers):
    def interrupt(features, _images):
        if len(encoder.calls) == 8:  # the second was the probe
            raise KeyboardInterrupt
        return features

    before = {child.pid for child in psutil.Process().children()}
    encoder = Encoder(interrupt)
    stored = open_features(tmp_path, dataset)
    with pytest.raises(KeyboardInterrupt):
        run(encoder, dataset, stored, workers=workers)
    assert {child.pid for child in psutil.Process().children()} <= before
    assert stored.missing_rows("high") == stored.missing_rows("low") == [(24, 32), (32, 40)]
    again = Encoder()
    assert run(again, dataset, open_features(tmp_path, dataset), workers=workers) == 16
    whole = open_features(tmp_path / "whole", dataset)
    run(Encoder(), dataset, whole)
    for level in ("low", "high"):
        np.testing.assert_array_equal(stored.read(level), whole.read(level))


def test_a_failing_extractor_leaves_no_workers_while_its_error_is_held(tmp_path, dataset):
    def fail(_features, _images):
        raise ValueError("no")

    before = {child.pid for child in psutil.Process().children()}
    with pytest.raises(PluginError, match="extractor 'tiny' failed on rows 0 to 3: ValueError: no") as held:
        run(Encoder(fail), dataset, open_features(tmp_path, dataset), workers=2)
    assert {child.pid for child in psutil.Process().children()} <= before, held


class Lethal(ImageFolder):
    """Pictures one of which ends a process that was started to decode it."""

    def image(self, row):
        if row == 30 and multiprocessing.parent_process() is not None:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().image(row)


def test_a_killed_worker_is_told_and_what_is_finished_stays(tmp_path):
    pictures(tmp_path / "pictures")
    lethal = Lethal(tmp_path / "pictures")
    with pytest.raises(UserError, match="a process that decodes images was killed") as told:
        run(Encoder(), lethal, open_features(tmp_path, lethal), workers=1)
    assert "--workers 0" in told.value.fix
    assert 0 < run(Encoder(), lethal, open_features(tmp_path, lethal)) < ROWS


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGKILL])
def test_workers_leave_when_the_process_that_asked_is_killed(tmp_path, sign):
    code = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from tiny_encoder import Encoder, open_features, pictures, run
def slow(features, images):
    print("encoding", flush=True)
    time.sleep(60)
dataset = pictures(Path({str(tmp_path)!r}) / "pictures", 200)
run(Encoder(slow), dataset, open_features(Path({str(tmp_path)!r}), dataset), workers=1)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "encoding\n"
        workers = psutil.Process(process.pid).children(recursive=True)
        assert workers
        process.send_signal(sign)
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert not alive


def test_notes_on_alignment_survive_a_resume(tmp_path, dataset, monkeypatch):
    from ghbench.imaging import alignments
    from ghbench.imaging.alignment import Unaligned

    class Half(Unaligned):
        def apply(self, image, size, resize="crop-bilinear"):
            return replace(super().apply(image, size, resize), fallback=bool(image[0, 0, 0] % 2), padded=0.25)

    monkeypatch.setitem(alignments.ALIGNMENTS, "half", Half)
    expected = sum(int(dataset.image(row)[0, 0, 0] % 2) for row in range(ROWS))

    def stop(features, _images):
        if len(encoder.calls) == 5:
            raise KeyboardInterrupt
        return features

    encoder = Encoder(stop)
    stored = open_features(tmp_path, dataset)
    with pytest.raises(KeyboardInterrupt):
        run(encoder, dataset, stored, align="half")
    run(Encoder(), dataset, open_features(tmp_path, dataset), align="half")
    notes = open_features(tmp_path, dataset).notes("high")
    assert sum(note.fallbacks for note in notes) == expected
    assert sum(note.padded for note in notes) == pytest.approx(ROWS / 4)
    assert [note.rows for note in notes] == [(start, start + 8) for start in range(0, ROWS, 8)]


def _writer(root, pipe, dataset):
    def slow(features, _images):
        time.sleep(0.01)
        return features

    encoder = Encoder(slow)
    run(encoder, dataset, open_features(root, dataset))
    pipe.send(sum(encoder.calls))


def test_two_writers_on_one_key_do_the_work_once(tmp_path, dataset):
    context = multiprocessing.get_context("spawn")
    pipes, writers = [], []
    for _ in range(2):
        mine, theirs = context.Pipe()
        pipes.append(mine)
        writers.append(context.Process(target=_writer, args=(tmp_path, theirs, dataset)))
        writers[-1].start()
    counts = [pipe.recv() if pipe.poll(30) else None for pipe in pipes]
    for writer in writers:
        writer.join(10)
    assert sorted(counts) == [0, ROWS + PROBED]
    assert open_features(tmp_path, dataset).is_complete("high")


def test_a_damaged_byte_is_quarantined_and_only_its_shard_made_again(tmp_path, dataset):
    run(Encoder(), dataset, open_features(tmp_path, dataset))
    stored = open_features(tmp_path, dataset)
    whole = {level: np.array(stored.read(level)) for level in ("low", "high")}
    features = stored.folder / "low" / "features.npy"
    spoiled = np.lib.format.open_memmap(features, "r+")
    spoiled[17, 0] += 1
    spoiled.flush()
    damaged = np.array(spoiled[16:24])
    content = features.read_bytes()
    untouched = (stored.folder / "high" / "level.json").read_bytes()

    reader = open_features(tmp_path, dataset)
    assert reader.missing_rows("low") == [(16, 24)]
    assert features.read_bytes() == content, "a reader without the lock leaves everything as it is"
    encoder = Encoder()
    assert run(encoder, dataset, open_features(tmp_path, dataset)) == 8
    again = open_features(tmp_path, dataset)
    for level, values in whole.items():
        np.testing.assert_array_equal(again.read(level), values)
    (quarantined,) = (stored.folder / "quarantine").iterdir()
    np.testing.assert_array_equal(np.load(quarantined), damaged)
    assert (stored.folder / "high" / "level.json").read_bytes() == untouched


def test_a_full_disk_is_said_clearly_and_earlier_shards_are_kept(tmp_path, dataset, monkeypatch):
    from ghbench import atomic

    real, written = os.fsync, []

    def full(descriptor):
        written.append(descriptor)
        if len(written) > 30:
            raise OSError(28, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(atomic.os, "fsync", full)
    monkeypatch.setattr(filling, "SECONDS", -1)
    with pytest.raises(UserError, match="No space left on device; the shards so far are kept") as caught:
        run(Encoder(), dataset, open_features(tmp_path, dataset))
    assert "GHBENCH_CACHE" in caught.value.fix
    monkeypatch.undo()
    stored = open_features(tmp_path, dataset)
    left = {rows for level in ("low", "high") for rows in stored.missing_rows(level)}
    assert 0 < len(left) < 5
    assert not list(stored.folder.rglob("*.tmp"))
    assert run(Encoder(), dataset, stored) == 8 * len(left)
