"""A published row is made again, and what differs is named."""

import json

import pytest
from ghbench_leaderboards.publish import FOLDER
from typer.testing import CliRunner

from ghbench.cli.main import app
from ghbench.errors import DataError, UserError
from ghbench.results import files
from ghbench.results.schema import MetricValue
from ghbench.tables.reproduce import compared, reproduce


@pytest.fixture
def published(tmp_path, orl):
    """The published row of `pixels` on ORL, as a file of one's own."""
    for path in (FOLDER / "orl").glob("pixels-*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return next(tmp_path.glob("*.json"))


def changed(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    files.save_sealed(files.load(path, sealed=False), path)
    return path


def test_a_published_row_comes_out_the_same(published):
    done = CliRunner().invoke(app, ["reproduce", str(published), "--json"])
    assert done.exit_code == 0, done.output
    (row,) = json.loads(done.stdout)["results"]
    assert row == {"file": published.name, "outcome": "identical", "differences": []}


def test_what_differs_is_named(published):
    recorded = files.load(published)

    def told(**parts):
        metrics = [MetricValue(metric=recorded.metrics[0].metric, interval=(0.8, 0.9), **parts), *recorded.metrics[1:]]
        one = recorded.model_copy(update={"metrics": metrics})
        other = recorded.model_copy(
            update={"metrics": [metrics[0].model_copy(update={"value": 0.85}), *recorded.metrics[1:]]}
        )
        return compared(one, other)

    assert told(value=0.85).outcome == "identical"
    assert told(value=0.845).outcome == "close"
    inside = told(value=0.82)
    assert inside.outcome == "different", "inside the interval, which is about other people"
    assert inside.differences[0].endswith("different, but within the new interval")
    assert told(value=0.99).differences[0].endswith("different")
    half = recorded.metrics[0].model_copy(update={"interval": (0.825, 0.875), "value": 0.85})
    whole = half.model_copy(update={"interval": (0.8, 0.9)})
    one, other = (recorded.model_copy(update={"metrics": [each, *recorded.metrics[1:]]}) for each in (half, whole))
    assert compared(one, other).outcome == "different"
    assert compared(recorded, recorded.model_copy(update={"metrics": recorded.metrics[1:]})).outcome == "different"
    subject = recorded.subject.model_copy(update={"weights_digest": "0" * 64})
    found = compared(recorded, recorded.model_copy(update={"subject": subject}))
    assert found.outcome == "different"
    assert found.differences[0].startswith("weights:")


def test_a_number_that_never_was_is_found_out(published):
    def lie(content):
        content["metrics"][0].update(value=0.99, interval=[0.0, 1.0])

    done = CliRunner().invoke(app, ["reproduce", str(changed(published, lie))])
    assert done.exit_code == 1
    assert "0.99 (0.0, 1.0) in the file" in done.stdout


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content["subject"].update(spec_string="os:getcwd"),
        lambda content: content["subject"].update(spec_string="os:getcwd", constant=True),
        lambda content: content["task"].update(name="./evil.py:Task"),
        lambda content: content["task"].update(version=999),
    ],
)
def test_a_file_reaches_registered_plugins_only(published, change):
    with pytest.raises(UserError):
        reproduce(changed(published, change))


def test_a_file_that_was_changed_is_refused(published):
    published.write_text(published.read_text().replace('"limit":null', '"limit":3').replace('"seed": 0', '"seed": 1'))
    with pytest.raises(DataError, match="seal"):
        reproduce(published)
