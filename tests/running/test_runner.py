"""The line from images to result: what is skipped, what is refused, what is recorded, and what names a result."""

import json
import re
import sys
from dataclasses import replace

import numpy as np
import pytest
from ghbench_tasks.verification.faces import lfw

from ghbench.data.subset import Subset
from ghbench.dataset import DatasetCard
from ghbench.errors import DataError, MissingError, PluginError, ProtocolError, UsageError
from ghbench.extraction import ExtractionOptions
from ghbench.extractor import ExtractorSpec, Level, Preprocessing, TrainingRecord
from ghbench.results import files
from ghbench.results.schema import Failure, Result
from ghbench.running import runner
from ghbench.running.overlap import check_overlap
from ghbench.running.pair import role_data
from ghbench.store import FeatureStore


class Brightness:
    """An extractor of which everything can be changed."""

    def __init__(self, **changes):
        self.changes, self.calls = changes, 0

    def spec(self):
        fields = {
            "name": "brightness",
            "version": "1",
            "levels": (Level("first", 2), Level("second", 3)),
            "default_levels": ("first",),
            "preprocessing": Preprocessing((8, 8)),
            "weights_digest": "0",
            "training": TrainingRecord(),
            "licence": "none",
            "similarity": "l2",
        }
        return ExtractorSpec(**{**fields, **self.changes})

    def extract(self, images):
        self.calls += 1
        flat = images.reshape(len(images), -1).astype(np.float32) / 255
        return {"first": flat[:, :2], "second": flat[:, 2:5]}


@pytest.fixture
def task(lfw_tree):
    return lfw(root=lfw_tree)


@pytest.fixture
def options(tmp_path):
    return runner.RunOptions(
        store=FeatureStore(tmp_path / "store"), results=tmp_path / "results", extraction=ExtractionOptions(workers=0)
    )


def only_result(options):
    (folder,) = options.results.iterdir()
    (path,) = files.result_files(folder.name, options.results)
    return path


def test_a_finished_pair_is_read_back_without_extracting_or_evaluating(task, options, monkeypatch):
    extractor = Brightness()
    first = runner.run(extractor, task, options)
    calls = extractor.calls
    assert first.timing.extraction_cached is False
    monkeypatch.setattr(type(task), "evaluate", lambda *_: pytest.fail("evaluated again"))
    assert runner.run(extractor, task, options) == first
    assert extractor.calls == calls


@pytest.mark.parametrize("limit", [None, 2])
def test_what_cannot_be_judged_is_refused_before_anything_is_extracted(lfw_tree, options, limit):
    if limit is None:
        (lfw_tree / "pairs.txt").write_text("1\t1\nAnn_Lee\t1\t2\nAnn_Lee\t1\tBo_Diaz\t1\n")
    extractor = Brightness()
    with pytest.raises(DataError, match=r"in one fold|first 2 images"):
        runner.run(extractor, lfw(root=lfw_tree), options, limit=limit)
    assert extractor.calls == 0


def test_overwrite_evaluates_again_on_stored_features(task, options, monkeypatch):
    extractor, evaluated = Brightness(), []
    first = runner.run(extractor, task, options)
    calls = extractor.calls
    evaluate = type(task).evaluate
    monkeypatch.setattr(type(task), "evaluate", lambda *args: evaluated.append(1) or evaluate(*args))
    second = runner.run(extractor, task, options, overwrite=True)
    assert (extractor.calls, evaluated) == (calls, [1])
    assert second.metrics == first.metrics
    assert second.timing.extraction_cached is True
    assert second.timing.encoding_memory_mb == first.timing.encoding_memory_mb
    if sys.platform == "linux":
        assert 10 < first.timing.encoding_memory_mb < first.timing.peak_memory_mb + 16  # the system counts roughly


@pytest.mark.parametrize("damage", ["json", "records", "other result"])
def test_an_unreadable_result_is_made_anew(task, options, damage):
    first = runner.run(Brightness(), task, options)
    path = only_result(options)
    if damage == "json":
        path.write_text("{")
    elif damage == "records":
        path.with_suffix(".parquet").write_bytes(b"PAR1")
    else:  # same first eight digits, another result
        path.write_text(path.read_text().replace(first.digest, first.digest[:8] + "f" * 56))
    assert runner.run(Brightness(), task, options).metrics == first.metrics
    assert files.finished(path).digest == first.digest


@pytest.mark.parametrize(
    "change",
    [
        {"similarity": "cosine"},
        {"mean": {"first": np.ones(2, np.float32), "second": np.ones(3, np.float32)}},
        {"weights_digest": "1"},
        {"version": "2"},
        {"backend": "torch-float32"},
        {"default_levels": ("second",)},
        {"preprocessing": Preprocessing((8, 8), normalise="otherwise")},
        {"preprocessing": Preprocessing((8, 9))},
    ],
)
def test_whatever_changes_numbers_changes_the_name_of_the_result(task, options, change):
    first, second = runner.run(Brightness(), task, options), runner.run(Brightness(**change), task, options)
    assert first.digest != second.digest


@pytest.mark.parametrize("change", [{"seed": 1}, {"dtype": "float16"}, {"limit": 9}])
def test_options_that_change_numbers_change_the_name_of_the_result(task, options, change):
    first, second = runner.run(Brightness(), task, options), runner.run(Brightness(), task, options, **change)
    assert first.digest != second.digest


def test_what_changes_no_number_does_not_change_the_name(task, options, tmp_path):
    first = runner.run(Brightness(), task, options)
    other = Brightness(licence="another", citation="another")
    again = runner.run(
        other, task, options, extraction=ExtractionOptions(batch_size=3, workers=0), results=tmp_path / "elsewhere"
    )
    assert again.digest == first.digest
    assert again.metrics == first.metrics
    assert other.calls == 0  # the features are the same too


def test_the_same_seed_gives_the_same_result(task, options, tmp_path):
    first = runner.run("thumbnail:size=4", task, options)
    second = runner.run(
        "thumbnail:size=4", task, options, results=tmp_path / "b", store=FeatureStore(tmp_path / "other-store")
    )
    assert first.metrics == second.metrics
    assert first.records_sha256 == second.records_sha256


def test_a_result_tells_how_to_make_it_again(task, options):
    named = runner.run("thumbnail:size=4", task, options, limit=9)
    assert named.provenance.command == f"ghbench run --extractor thumbnail:size=4 --task {task.name} --limit 9"
    assert (named.subject.package, named.status) == ("ghbench", "partial")
    given = runner.run(Brightness(), task, options, dtype="float16")
    assert given.provenance.command == f"ghbench.run(Brightness(...) as brightness, {task.name!r}, dtype='float16')"
    assert str(options.results) not in given.model_dump_json()


class Buggy(Brightness):
    mended = False

    def extract(self, images):
        return super().extract(images) if self.mended else 1 / 0


class BuggySpec(Brightness):
    def spec(self):
        if self.calls:
            raise KeyError("weights")
        self.calls += 1
        return super().spec()


def test_a_failed_pair_is_recorded_stops_no_other_and_goes_when_it_succeeds(task, options):
    broken = Buggy()
    failure, fine = runner.run_pairs([broken, "thumbnail:size=4"], [task], options)
    assert isinstance(failure, Failure)
    assert isinstance(fine, Result)
    assert (failure.error_type, failure.exit_code) == ("PluginError", 1)
    assert "ZeroDivisionError: division by zero" in failure.error
    (path,) = options.results.glob("*/*.failed.json")
    assert json.loads(path.read_text())["status"] == "failed"
    broken.mended = True
    runner.run_pairs([broken], [task], replace(options, seed=1))
    assert path.exists()  # another seed is another pair
    runner.run_pairs([broken], [task], options)
    assert not path.exists()


def test_a_bug_in_a_plugin_is_that_pair_s_failure_and_names_its_line(task, options, monkeypatch):
    failure, fine = runner.run_pairs([BuggySpec(), "thumbnail:size=4"], [task], options)
    assert failure.error.startswith("KeyError: 'weights'\n")
    assert re.search(r'test_runner\.py, line \d+, in spec\n    raise KeyError\("weights"\)', failure.error)
    assert isinstance(fine, Result)
    with pytest.raises(KeyError):
        runner.run(BuggySpec(), task, options)


def test_a_missing_dataset_fails_its_own_pairs_only(task, options, tmp_path):
    gone = lfw(version="original", root=tmp_path / "nowhere")
    outcomes = runner.run_pairs(["thumbnail:size=4", Buggy()], [gone, task], options)
    assert [getattr(outcome, "exit_code", 0) for outcome in outcomes] == [3, 3, 0, 1]


def test_wrong_usage_is_found_before_anything_runs(task, options):
    for wrong in ("no-such-thing", "pixels:sise=3", "pixels:size=big", "timm", "pixels:policy=average"):
        with pytest.raises(UsageError):
            runner.run_pairs(["thumbnail:size=4", wrong], [task], options)
    with pytest.raises(UsageError):
        runner.run_pairs(["thumbnail:size=4"], [task, "no-such-task"], options)
    assert not options.results.exists()


@pytest.mark.parametrize("change", [{"limit": 0}, {"limit": -3}, {"seed": -1}, {"dtype": "int4"}, {"align": "left"}])
def test_impossible_options_are_refused(change):
    with pytest.raises(UsageError):
        runner.RunOptions(**change)


def test_a_level_that_does_not_exist_is_named(task, options):
    with pytest.raises(UsageError, match=r"no level 'deep'\. Levels: thumbnail"):
        runner.run("thumbnail:level=deep", task, options)


def test_something_without_a_spec_or_levels_is_no_extractor(task, options):
    with pytest.raises(PluginError, match="object"):
        runner.run(object(), task, options)
    with pytest.raises(PluginError, match="is not a task"):
        runner.run(Brightness(), object(), options)


class TenPictures:
    def __init__(self, name="eleven", related=(), digests=("a", "b")):
        self._card = DatasetCard(name, name, "none", "none", "here", related=related)
        self._digests = digests
        self.splits = {}

    def card(self):
        return self._card

    def image_digests(self):
        return self._digests

    identities = image_digests


def spec_with(**record):
    return Brightness(training=TrainingRecord(**{"supervision": "class labels", **record})).spec()


@pytest.mark.parametrize(
    ("record", "dataset", "sentence"),
    [
        ({"datasets": ("lfw",)}, TenPictures("lfw"), "learned from lfw"),
        ({"datasets": ("lfw-subset",)}, TenPictures("lfw", ("lfw-subset",)), "learned from lfw-subset, which shares"),
        ({"image_digests": frozenset("bc")}, TenPictures(), "1 images of eleven are among its training images"),
    ],
)
def test_overlap_is_refused_or_flagged_as_the_protocol_says(record, dataset, sentence):
    spec = spec_with(**record)
    with pytest.raises(ProtocolError, match=sentence):
        check_overlap(spec, [(dataset, None)], {})
    assert sentence in check_overlap(spec, [(dataset, None)], {"training_overlap": "flag"})
    with pytest.raises(ProtocolError, match="expected refuse or flag"):
        check_overlap(spec, [(dataset, None)], {"training_overlap": "ignore"})


def test_a_network_does_not_judge_its_own_pupil():
    spec = spec_with(networks=("judge",))
    with pytest.raises(ProtocolError, match="cannot also judge"):
        check_overlap(spec, [(TenPictures(), None)], {"metric_networks": ["judge"], "training_overlap": "flag"})
    other = check_overlap(spec, [(TenPictures(), None)], {"metric_networks": ["another"]})
    assert other.startswith("none by name of dataset")


def test_what_is_not_known_is_said():
    assert check_overlap(Brightness().spec(), [(TenPictures(), None)], {}) == "none: untrained"
    assert "not checked image by image" in check_overlap(spec_with(image_digests=None), [(TenPictures(), None)], {})


def test_eigenfaces_are_refused_on_what_they_were_fitted_on(orl, task, options):
    from ghbench.assets import available

    with pytest.raises(ProtocolError, match="learned from orl"):
        runner.run("eigenfaces:fit=orl,components=4,size=8", "orl", options)
    if not available("lfw-subset"):
        pytest.skip("the faces that eigenfaces are fitted on are not on this machine")
    with pytest.raises(ProtocolError, match="learned from lfw"):
        runner.run("eigenfaces", task, options)
    assert "not checked image by image" in runner.run("eigenfaces", "orl:pairs=official", options).overlap


def test_missing_error_is_raised_by_a_single_run(options, tmp_path):
    with pytest.raises(MissingError):
        runner.run("thumbnail:size=4", lfw(root=tmp_path / "nowhere"), options)


def test_a_limit_that_cuts_nothing_is_none(task, options):
    whole = runner.run("thumbnail:size=4", task, options)
    same = runner.run("thumbnail:size=4", task, replace(options, limit=10_000))
    assert (same.digest, same.status, same.limit) == (whole.digest, "complete", None)


def test_a_row_keeps_its_label_when_it_is_made_again(task, options):
    made = runner.run("thumbnail:size=4", task, options)
    path = files.path_of(made, options.results)
    files.save_sealed(made.model_copy(update={"label": "Small (2)"}), path)
    assert runner.run("thumbnail:size=4", task, replace(options, overwrite=True)).label == "Small (2)"


def test_two_images_of_one_id_are_refused(task):
    (name, role), *_ = task.roles().items()
    first = Subset(role.dataset, np.arange(3))
    doubled = replace(role, dataset=first, split=None)
    first.ids = ("a", "b", "a")
    with pytest.raises(DataError, match="have the id"):
        role_data(name, doubled)
