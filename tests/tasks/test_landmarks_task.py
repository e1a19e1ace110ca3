"""Landmarks and pose: errors by hand, photographs with points, generated faces with their oracles, the kit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from ghbench_tasks.regression.landmarks import landmarks
from ghbench_tasks.regression.pose import BINS, pose
from PIL import Image

from ghbench.errors import DataError, MissingError, UsageError
from ghbench.running import runner
from ghbench.spec_string import parse
from ghbench.testing import check_task


@pytest.fixture
def heads(tmp_path):
    """Sixty photographs of a bright disc, its 68 points around it; a third to test on."""
    draw, root = np.random.default_rng(0), tmp_path / "heads"
    angles = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    for number in range(60):
        across, down, radius = draw.uniform([30, 30, 12], [50, 50, 20])
        rows, columns = np.indices((80, 80))
        inside = np.hypot(columns - across, rows - down) < radius
        folder = root / ("test" if number % 3 == 0 else "train")
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.repeat(np.uint8(40 + 180 * inside)[:, :, None], 3, axis=2)).save(folder / f"{number}.png")
        # The square around the points is not where the disc is: a border of its own on each side.
        points = np.stack([across + radius * np.cos(angles), down + radius * np.sin(angles)], axis=1)
        points[0], points[1] = [2, 2 + draw.uniform(0, 4)], [76, 76 - draw.uniform(0, 4)]
        lines = "\n".join(f"{x + 1} {y + 1}" for x, y in points)
        (folder / f"{number}.pts").write_text(f"n_points: 68\n{{\n{lines}\n}}\n")
    return f"dataset=ibug,dataset.path={root},dataset.size=32"


def test_scores_by_hand():
    records = pd.DataFrame({"image": [0, 1], "error": [0.02, 0.12]})
    assert {score.metric: score.value for score in landmarks().score(records)} == pytest.approx({
        "nme": 7, "failure": 0.5, "ced-auc": 0.4,
    })  # fmt: skip
    turned = pd.DataFrame({"yaw-true": [5, -15, 12], "yaw": [1, 2, 4], "pitch": [0, 0, 3], "roll": [1, 1, 1]})
    scores = {score.metric: score.value for score in pose().score(turned, np.array([1.0, 1.0, 2.0]))}
    assert scores["yaw"] == pytest.approx(11 / 4)
    assert scores["yaw-0-10"] == 1
    assert scores["yaw-10-20"] == pytest.approx(10 / 3)
    assert np.isnan(scores["yaw-20-90"]), "nobody is turned so far"
    assert len(BINS) == 3


def test_replicates_and_lists_of_errors_are_what_scores_are_made_of():
    draw = np.random.default_rng(0)
    records = pd.DataFrame({"image": np.arange(9), "error": draw.uniform(0, 0.2, 9), "yaw-true": np.arange(9) * 4 - 9})
    records[["yaw", "pitch", "roll"]] = draw.uniform(0, 30, (9, 3))
    multiplicity = np.vstack([draw.multinomial(9, np.full(9, 1 / 9), size=5), np.eye(9)[0] * 9]).astype(float)
    for task in (landmarks(), pose()):
        found = task.score_replicates(records, multiplicity)
        for row, weight in enumerate(multiplicity):
            for score in task.score(records, weight):
                assert found[score.metric, None][row] == pytest.approx(score.value, abs=1e-12, nan_ok=True)
        assert list(task.score_replicates(records, multiplicity, [task.metrics[0].name])) == [
            (task.metrics[0].name, None)
        ]
    (worst,) = landmarks().errors(records)
    assert worst.error.max() == records["error"].max()


def test_pixels_know_where_a_disc_is(heads, options):
    found, mean, plain = (
        runner.run(subject, f"landmarks:{heads}{protocol}", options).metrics
        for subject, protocol in (("pixels:size=16", ""), ("mean-answer", ""), ("pixels:size=4", ",protocol=imm"))
    )
    assert found[0].value < 0.5 * mean[0].value
    assert found[2].value > mean[2].value
    assert plain[0].value < mean[0].value


def test_the_kit_accepts_the_tasks(heads):
    spec = parse(f"ibug:{heads.split(',', 1)[1].replace('dataset.', '')}")
    check_task(landmarks(spec), answers=["points"])
    check_task(pose(spec), answers=["points"])


def test_names_are_canonical(heads):
    assert landmarks().name == "landmarks"
    assert (
        landmarks(parse("generated-faces:jitter=true")).name == "landmarks:dataset=generated-faces,dataset.jitter=true"
    )
    assert landmarks(parse("mafl"), "imm").name == "landmarks:dataset=mafl,protocol=imm"
    assert pose().name == "pose"
    with pytest.raises(UsageError, match="expected one of ridge, imm"):
        landmarks(protocol="lasso")


def test_oracles_stand_only_where_codes_say_what_is_seen():
    def rows(task):
        return {reference.name for reference in task.references}

    assert {"true-w", "true-y", "dlib-again"} <= rows(landmarks())
    for jittered in ("true", "on"):
        assert not {"true-w", "true-y"} & rows(landmarks(parse(f"generated-faces:jitter={jittered}")))
    assert not {"true-w", "dlib-again"} & rows(landmarks(parse("mafl")))
    assert "dlib-again" not in rows(pose())


def test_a_dataset_without_points_is_refused(options):
    task = landmarks(parse("fashion-mnist"))
    with pytest.raises(DataError, match="has no points"):
        task.check_datasets({"train": task.dataset})
    with pytest.raises(UsageError, match="without training or test images"):
        landmarks(parse("generated-faces:test=0")).roles()


@pytest.mark.network
def test_generated_faces_are_measured_with_their_oracles(options):
    """The real generator and dlib's real points, on a handful of faces."""
    few = "dataset=generated-faces,dataset.test=6,dataset.train=12"
    try:
        again = runner.run("dlib-again", f"landmarks:{few}", options).metrics
    except MissingError as error:
        pytest.skip(str(error))
    oracle, pixels = (runner.run(name, f"landmarks:{few}", options).metrics for name in ("true-y", "pixels:size=8"))
    assert 0 < again[0].value < 4, "dlib agrees with itself"
    assert again[0].value < oracle[0].value < 12
    assert again[0].value < pixels[0].value < 20
    angles = runner.run("true-w", f"pose:{few}", options).metrics
    assert 0 < angles[0].value < 30
