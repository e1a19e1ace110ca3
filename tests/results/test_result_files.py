"""Result files: what is written is read back, and nothing else is believed."""

import errno
import json

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from ghbench.errors import DataError
from ghbench.results import files
from ghbench.results.schema import MetricValue, Result


@pytest.fixture
def saved(tmp_path, result, records):
    path = files.path_of(result, tmp_path)
    return path, files.save(result, files.as_stored(records, "orl")[0], path)


def test_a_result_and_its_records_are_read_back_as_written(saved, records, result):
    path, written = saved
    assert path.name == "hand-01234567.json"
    assert files.load(path) == written == files.finished(path)
    assert written.records_sha256
    pd.testing.assert_frame_equal(files.load_records(path, written), records)
    assert written.metric("accuracy").value == 0.5
    with pytest.raises(KeyError):
        written.metric("auc")


def test_a_full_disk_leaves_the_older_result(saved, records, result, monkeypatch):
    path, written = saved
    real, calls = files.os.fsync, []

    def full(descriptor):
        calls.append(descriptor)
        if len(calls) > 1:  # one of two files fits
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor)

    monkeypatch.setattr(files.os, "fsync", full)
    other = records.assign(similarity=0.5)
    with pytest.raises(OSError, match="No space"):
        files.save(result, files.as_stored(other, "orl")[0], path)
    assert files.finished(path) == written
    pd.testing.assert_frame_equal(files.load_records(path, written), records)


def test_the_file_is_plain_json_without_nan(saved, result):
    path, _ = saved
    json.loads(path.read_text(), parse_constant=lambda name: pytest.fail(name))
    odd = MetricValue(metric="m", value=float("nan"))
    assert '"value":null' in odd.model_dump_json()


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content.update(surprise=1),
        lambda content: content["task"].update(surprise=1),
        lambda content: content.update(schema_version=1),
        lambda content: content.update(status="failed"),
        lambda content: content.pop("digest"),
        lambda content: content.update(counts={"records": 1, "units": 1, "unit": "people <script>[x](http://y)"}),
    ],
)
def test_a_file_of_another_schema_is_refused(saved, change):
    path, _ = saved
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match="not a readable result") as caught:
        files.load(path)
    assert "--overwrite" in caught.value.fix
    assert files.finished(path) is None
    with pytest.raises(ValidationError):
        Result.model_validate(content)


def test_records_that_were_changed_or_are_missing_are_refused(saved):
    path, written = saved
    parquet = path.with_suffix(".parquet")
    pd.DataFrame({"same": [True], "similarity": [1.0]}).to_parquet(parquet)
    with pytest.raises(DataError, match="changed after its result was written"):
        files.load_records(path, written)
    assert files.finished(path) is None
    parquet.unlink()
    with pytest.raises(DataError, match="no records beside it"):
        files.load_records(path, written)


def test_names_of_tasks_become_names_of_folders():
    assert files.slug("orl:pairs=official") == "orl-pairs=official"
    assert "/" not in files.slug("pairs:path=/a b/c,images=../x")
    assert not files.failure_path("orl", "../../x", "r").name.startswith("..")


def test_failures_are_not_among_the_results(saved, tmp_path):
    path, _ = saved
    path.with_name("x.failed.json").write_text("{}")
    assert list(files.result_files("orl", tmp_path)) == [path]


def test_real_numbers_are_stored_in_less_than_their_own_bytes():
    numbers = np.random.default_rng(0).normal(0.5, 0.1, 20_000).astype(np.float32)
    records = pd.DataFrame({"item": np.arange(20_000, dtype=np.int32) // 50, "similarity": numbers})
    content, back = files.as_stored(records, "orl")
    assert len(content) < 0.95 * numbers.nbytes
    pd.testing.assert_frame_equal(back, records)


def test_numbers_of_rows_cost_next_to_nothing():
    records = pd.DataFrame({"image": np.arange(20_000, dtype=np.int32), "class": np.int32(0)})
    content, back = files.as_stored(records, "linear")
    assert len(content) < 0.1 * records["image"].to_numpy().nbytes
    pd.testing.assert_frame_equal(back, records)
