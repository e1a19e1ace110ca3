"""Attributes: CelebA's format, scores by hand, generated faces judged by networks, the kit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from ghbench_tasks.regression.attributes import attributes
from PIL import Image

from ghbench.data.celeba import Celeba
from ghbench.data.expressions import NAMES
from ghbench.data.generated_faces import _said_of_face
from ghbench.errors import DataError, MissingError, UsageError
from ghbench.running import runner
from ghbench.spec_string import parse
from ghbench.testing import check_task


@pytest.fixture
def celeba(tmp_path):
    """Forty pictures that are bright or dark, warm or cold, in CelebA's layout."""
    draw, root = np.random.default_rng(0), tmp_path / "celeba"
    (root / "img_align_celeba").mkdir(parents=True)
    rows, parts = ["40", "Bright Warm"], []
    for number in range(40):
        bright, warm = draw.random(2) < 0.5
        level = np.array([150, 120, 120 - 60 * warm]) + 60 * bright
        pixels = np.clip(draw.normal(level, 8, (16, 16, 3)), 0, 255).astype(np.uint8)
        name = f"{number:06}.png"
        Image.fromarray(pixels).save(root / "img_align_celeba" / name)
        rows.append(f"{name} {1 if bright else -1:2} {1 if warm else -1:2}")
        parts.append(f"{name} {(0, 0, 1, 2)[number % 4]}")
    (root / "list_attr_celeba.txt").write_text("\n".join(rows) + "\n")
    (root / "list_eval_partition.txt").write_text("\n".join(parts) + "\n")
    return root


def test_celeba_is_read_as_published(celeba):
    faces = Celeba(str(celeba))
    assert {name: len(rows) for name, rows in faces.splits.items()} == {"train": 20, "val": 10, "test": 10}
    assert tuple(faces.targets["attributes"].names) == ("Bright", "Warm")
    assert set(np.unique(faces.targets["attributes"].values)) == {0, 1}


def test_what_is_wrong_with_its_files_is_told(celeba):
    attributes_file = celeba / "list_attr_celeba.txt"
    attributes_file.write_text(attributes_file.read_text() + "000041.png 1\n")
    with pytest.raises(DataError, match=r"'000041.png' has no 2 values"):
        Celeba(str(celeba))
    attributes_file.write_text("0\n")
    with pytest.raises(DataError, match="holds no faces"):
        Celeba(str(celeba))
    attributes_file.unlink()
    with pytest.raises(MissingError, match="list_attr_celeba"):
        Celeba(str(celeba))


def test_scores_by_hand():
    records = pd.DataFrame({
        "image": range(4), "a": [1, 0, 1, 0], "a-predicted": [0.9, 0.8, 0.7, 0.1], "b": 0, "b-predicted": 0.5,
        "age": [10, 20, 30, 40], "age-predicted": [12, 20, 26, 40],
    })  # fmt: skip
    scores = {score.metric: score.value for score in attributes().score(records)}
    assert scores["ap"] == pytest.approx((1 + 2 / 3) / 2), "nobody has b"
    assert scores["age"] == pytest.approx(1.5)
    draws = np.array([[1.0, 1, 1, 1], [0, 2, 2, 0], [3, 1, 0, 0], [0, 2, 0, 2]])
    together = attributes().score_replicates(records, draws)
    for row, draw in enumerate(draws):
        each = {score.metric: score.value for score in attributes().score(records, draw)}
        assert [together[name, None][row] for name in each] == pytest.approx(list(each.values()), nan_ok=True)
    assert np.isnan(together["ap", None][3]), "nobody has an attribute"


def test_colours_are_told_from_pixels(celeba, options):
    task = f"attributes:dataset=celeba,dataset.path={celeba}"
    found, mean = (runner.run(subject, task, options).metrics for subject in ("pixels:size=4", "mean-answer"))
    assert [metric.metric for metric in found] == ["ap"]
    assert found[0].value > 0.95
    assert mean[0].value < 0.9


def test_the_kit_accepts_the_task(celeba):
    check_task(attributes(parse(f"celeba:path={celeba}")), answers=["attributes"])


def test_datasets_without_splits_or_attributes_are_refused(options):
    with pytest.raises(UsageError, match="expected train and test"):
        runner.run("pixels:size=4", "attributes:dataset=orl", options)
    with pytest.raises(DataError, match="has no attributes"):
        check_task(attributes(parse("fashion-mnist")))


@pytest.mark.network
def test_the_networks_judge_a_man_and_a_woman_whom_everybody_knows():
    """NASA's portrait of Eileen Collins, about 40 at the time; a photograph of Barack Obama."""
    from skimage.data import astronaut

    from ghbench.data.real_faces_mini import RealFacesMini

    try:
        photographs = RealFacesMini("face-recognition")
        woman, sex, *expression = _said_of_face(astronaut())
    except MissingError as error:
        pytest.skip(str(error))
    assert sex < 0.5
    assert 20 < woman < 60
    assert NAMES[np.argmax(expression)] == "happy"
    age, sex, *_ = _said_of_face(photographs.image(photographs.ids.index("face-recognition/obama.jpg")))
    assert sex > 0.5
    assert 30 < age < 70
    assert np.isnan(_said_of_face(np.zeros((200, 200, 3), np.uint8))).all(), "no face"
