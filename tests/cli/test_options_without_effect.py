"""An option that would change nothing is refused with a sentence."""

import pytest
from typer.testing import CliRunner

from ghbench.cli.main import app
from ghbench.errors import UsageError


@pytest.mark.parametrize(("arguments", "fact"), [
    ("compare pixels hog -t orl --count 3", "about a picture"),
    ("compare pixels hog -t orl --force", "about a picture"),
    ("levels ghfeat -t orl --published --seed 3", "takes results as they are"),
    ("levels ghfeat -t orl --published --align tight", "takes results as they are"),
    ("similarity pixels hog --data digits --measure cka -k 9", "for mutual-knn"),
    ("distance digits digits -e pixels --metric kid --infinity", "only the Frechet distance"),
    ("doctor --images 5", "about --precision"),
    ("doctor --licences --precision pixels", "two questions"),
])  # fmt: skip
def test_it_is_refused(arguments, fact):
    done = CliRunner().invoke(app, arguments.split())
    assert isinstance(done.exception, UsageError)
    assert fact in str(done.exception)


def test_measures_may_be_spaced_and_intervals_stay_within_bounds(tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path))
    arguments = [
        "similarity",
        "pixels",
        "thumbnail",
        "--data",
        "digits",
        "--limit",
        "60",
        "--format",
        "csv",
        "--measure",
    ]
    done = CliRunner().invoke(app, [*arguments, "cka, mutual-knn"])
    assert done.exit_code == 0, done.output
    rows = [line.split(",") for line in done.stdout.splitlines()]
    assert [row[0] for row in rows[1:]] == ["cka", "mutual-knn"]
    assert all(-1 <= float(row[4]) <= float(row[5]) <= 1 for row in rows[1:])


def test_standard_errors_are_not_called_none():
    told = CliRunner().invoke(app, ["compare", "dinov2-small", "mobilenet-v2", "-t", "interventions"])
    assert "standard errors give no paired difference" in told.stdout


def test_a_task_of_which_nothing_is_drawn_says_so(tmp_path):
    task = "disentanglement:dataset=sprites,dataset.train=2000,dci=lgbm"
    done = CliRunner().invoke(app, ["figures", "-t", task, "-o", str(tmp_path), "--published"])
    assert done.exit_code == 0, done.output
    assert "nothing to draw" in done.stderr
    assert not list(tmp_path.iterdir())


def test_names_are_no_mathematics(tmp_path):
    name = r"thumbnail=$\frac{1}$"
    done = CliRunner().invoke(
        app, ["figures", "-t", "orl", "-e", "thumbnail", "-o", str(tmp_path), "--published", "--as", name]
    )
    assert done.exit_code == 0, done.output
