"""Where two systems differ most: worked out by hand, and drawn for pairs and for classes."""

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from ghbench.analysis.differing import Differing, differing
from ghbench.cli.main import app
from ghbench.data.array_images import ArrayImages
from ghbench.errors import UsageError
from ghbench.running import runner
from ghbench.running.request import load_task
from ghbench.task import Role
from ghbench.task_errors import ErrorList, of_whole

TASK = load_task("knn:dataset=digits")


def wrong(rows, errors, what="votes lost", title="wrong classes"):
    return [ErrorList(title, what, "images", np.array(rows)[:, None], np.array(errors, float), {})]


def test_half_are_worse_by_the_first_and_half_by_the_second():
    found = differing(TASK, wrong([1, 2, 3], [0.9, 0.5, 0.2]), wrong([2, 3, 4], [0.4, 0.9, 0.1]), 2)
    assert found == [
        Differing("wrong classes", "images", (1,), (0.9, 0.0)),
        Differing("wrong classes", "images", (2,), (0.5, 0.4)),
        Differing("wrong classes", "images", (3,), (0.2, 0.9)),
        Differing("wrong classes", "images", (4,), (0.0, 0.1)),
    ]


def test_errors_on_scales_of_their_own_are_shares_of_the_largest():
    first, second = wrong([1, 2], [10.0, 5.0], "distance from 3.1"), wrong([2, 3], [0.2, 0.1], "distance from 0.7")
    assert [one.errors for one in differing(TASK, first, second, 1)] == [(1.0, 0.0), (0.5, 1.0)]


def test_the_same_errors_leave_nothing_to_draw():
    with pytest.raises(UsageError, match="as much"):
        differing(TASK, wrong([1], [1.0]), wrong([1], [1.0]), 2)


def test_rows_of_the_judged_split_are_rows_of_its_dataset():
    images = ArrayImages(np.zeros((6, 1, 4, 4), np.uint8), "black")
    images.splits = {"train": np.arange(3), "test": np.array([5, 3, 4])}
    roles = {"train": Role(images, "train", judged=False), "test": Role(images, "test")}
    found = of_whole(ErrorList("wrong classes", "votes lost", None, np.array([[1], [0]]), np.ones(2), {}), roles)
    assert (found.role, found.images.tolist()) == ("test", [[3], [5]])
    assert of_whole(found, roles) is found


def test_the_command_draws_them_with_ids_and_errors(tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_HOME", str(tmp_path / "home"))
    task = "knn:dataset=digits,test=200"
    for extractor in ("thumbnail:size=2", "pixels:size=8"):
        runner.run(extractor, task)
    out = tmp_path / "differing.png"
    command = ["compare", "thumbnail:size=2", "pixels:size=8", "--task", task, "--count", "2"]
    told = CliRunner().invoke(app, [*command, "--images", str(out)])
    assert told.exit_code == 0, told.output
    assert "share of votes lost" in told.stderr
    image = Image.open(out)
    assert image.height >= 3 * 128
    assert image.info["Description"] == f"thumbnail:size=2 and pixels:size=8 on {task}"
    assert len(np.unique(np.asarray(image))) > 10
    refused = CliRunner().invoke(app, [*command, "--images", str(tmp_path / "differing.jpg")])
    assert isinstance(refused.exception, UsageError)
