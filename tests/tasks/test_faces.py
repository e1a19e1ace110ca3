"""The first-party tasks: pairs and folds of ORL, LFW's protocol on a small tree, and any pairs file."""

import json

import numpy as np
import pytest
from ghbench_tasks.verification.faces import johns, lfw, orl, pairs
from PIL import Image

from ghbench import assets
from ghbench.dataset import labels
from ghbench.errors import MissingError
from ghbench.running import runner
from ghbench.store.imported import import_features
from ghbench.task import Task


def test_orl_pairs_within_folds_of_people_that_share_nobody(orl):
    dataset = orl
    task = Orl()
    found = task.load_pairs(dataset)
    person = labels(dataset).values
    assert len(found.draws) == 20
    assert int(found.same.sum()) == 1800
    for draw in found.draws:
        same = found.same[draw.pairs]
        assert (int(same.sum()), int((~same).sum())) == (1800, 6000)
        people = [
            set(person[found.left[draw.pairs[draw.fold == k]]]) | set(person[found.right[draw.pairs[draw.fold == k]]])
            for k in range(10)
        ]
        assert [len(group) for group in people] == [4] * 10
        assert len(set.union(*people)) == 40
    # The draws differ, and each matched pair is in all of them.
    assert len({tuple(draw.pairs) for draw in found.draws}) == 20
    often = np.bincount(np.concatenate([draw.pairs for draw in found.draws]), minlength=len(found.left))
    assert set(often[found.same]) == {20}
    assert often.min() >= 1


def test_orl_official_is_ten_folds_of_180_and_180(orl):
    found = Orl(pairs="official").load_pairs(orl)
    (draw,) = found.draws
    for k in range(10):
        same = found.same[draw.pairs[draw.fold == k]]
        assert (int(same.sum()), int((~same).sum())) == (180, 180)


def test_orl_all_people_is_every_pair_without_folds(orl):
    found = Orl(pairs="all-people").load_pairs(orl)
    assert (int(found.same.sum()), int((~found.same).sum()), found.draws) == (1800, 78000, ())
    assert Orl(pairs="all-people").metrics[0].name == "auc"
    assert Orl(pairs="all-people", flip=True).metrics[0].name == "auc-flip"


def test_johns_is_every_pair_of_those_who_are_there_more_than_once(tmp_path, monkeypatch):
    people = {"faces": ["a", "b"], "johns/John_A": ["1", "2", "3"], "johns/John_B": ["4", "5"]}
    for folder, names in people.items():
        (tmp_path / folder).mkdir(parents=True)
        for name in names:
            Image.new("RGB", (8, 8)).save(tmp_path / folder / f"{name}.jpg")
    monkeypatch.setattr(assets, "path", lambda name: tmp_path)
    task = johns(align="ffhq")
    found = task.load_pairs(task.load_dataset())
    assert (task.name, task.metrics[0].name) == ("johns:align=ffhq", "auc")
    assert (int(found.same.sum()), int((~found.same).sum()), found.draws) == (4, 6, ())


Orl = orl  # the fixture `orl` (the pictures) has the name of the task


@pytest.mark.parametrize(
    ("task", "name"),
    [
        (Orl(), "orl"),
        (Orl(pairs="official", flip=True), "orl:flip=true,pairs=official"),
        (Orl(align="ffhq"), "orl:align=ffhq"),
        (lfw(), "lfw"),
        (lfw(version="original"), "lfw:version=original"),
    ],
)
def test_tasks_bear_their_canonical_name_and_describe_themselves_without_data(task, name):
    assert isinstance(task, Task)
    assert task.name == name
    assert json.loads(json.dumps(task.protocol())) == task.protocol()


@pytest.fixture
def options(tmp_path):
    from ghbench.extraction import ExtractionOptions
    from ghbench.store import FeatureStore

    return runner.RunOptions(
        store=FeatureStore(tmp_path / "store"), results=tmp_path / "results", extraction=ExtractionOptions(workers=0)
    )


def test_lfw_protocol_on_a_tree_in_its_format(lfw_tree, options):
    result = runner.run("thumbnail:size=4", lfw(root=lfw_tree), options)
    assert (result.counts.records, result.counts.unit, result.counts.units) == (8, "people", 4)
    assert result.metric("accuracy[LFW convention]").standard_error is not None
    assert result.task.name == f"lfw:root={lfw_tree}"  # pictures of the user's own are not simply called LFW


def test_any_pairs_file_is_a_task_and_other_pairs_are_another_protocol(lfw_tree, options):
    path = lfw_tree / "pairs.txt"
    first = runner.run("thumbnail:size=4", pairs(path, lfw_tree), options)
    assert first.counts.records == 8
    lines = path.read_text().splitlines()
    assert lines[6] == "Di_Roe\t1\t2"
    lines[3] = "Ann_Lee\t1\tBo_Diaz\t2"  # the same pictures in other pairs
    lines[4] = "Ann_Lee\t3\tBo_Diaz\t1"
    path.write_text("\n".join(lines) + "\n")
    second = runner.run("thumbnail:size=4", pairs(path, lfw_tree), options)
    assert second.datasets["pairs"].content_digest == first.datasets["pairs"].content_digest
    assert second.digest != first.digest


def test_a_pairs_file_that_is_not_there_is_missing(lfw_tree):
    with pytest.raises(MissingError, match="does not exist"):
        pairs(lfw_tree / "none.txt", lfw_tree).roles()


def test_a_limit_makes_a_partial_result_of_fewer_pairs(orl, options):
    whole = runner.run("thumbnail:size=4", Orl(pairs="official"), options)
    part = runner.run("thumbnail:size=4", Orl(pairs="official"), options, limit=120)
    assert (whole.status, part.status) == ("complete", "partial")
    assert (part.limit, part.datasets["pairs"].images) == (120, 120)
    assert 0 < part.counts.records < whole.counts.records
    assert part.digest != whole.digest


def test_false_accept_rates_are_reported_where_780_couples_of_people_carry_them(orl, options):
    result = runner.run("thumbnail:size=4", Orl(pairs="all-people"), options)
    assert {metric.metric for metric in result.metrics} == {"auc", "eer", "tar@far=1e-1"}
    assert result.counts.records == 79800


def test_flip_extracts_both_views(lfw_tree, options):
    result = runner.run("thumbnail:size=4", lfw(root=lfw_tree, flip=True), options)
    assert result.metric("accuracy-flip").interval is not None
    assert sorted(folder.name.split("-")[2] for folder in options.store.folders()) == ["flipped", "plain"]


def test_lfw_with_other_pairs_is_another_result(lfw_tree):
    before = lfw(root=lfw_tree).roles()["pairs"].annotations_digest
    lines = (lfw_tree / "pairs.txt").read_text(encoding="utf-8").splitlines()
    lines[3] = "Ann_Lee\t1\tBo_Diaz\t2"
    (lfw_tree / "pairs.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert lfw(root=lfw_tree).roles()["pairs"].annotations_digest != before


def test_both_views_of_a_picture_are_one_picture_in_the_counts(lfw_tree, options):
    plain = runner.run("thumbnail:size=4", lfw(root=lfw_tree), options, align="tight")
    flipped = runner.run("thumbnail:size=4", lfw(root=lfw_tree, flip=True), options, align="tight")
    for result in (plain, flipped):
        data = result.datasets["pairs"]
        assert (data.images, data.faces_not_detected) == (10, 10)  # noise holds no face


def test_policies_that_learn_report_only_accuracy_where_a_pair_has_many_similarities(
    orl, options, tmp_path, monkeypatch
):
    monkeypatch.setenv("GHBENCH_HOME", str(tmp_path))
    rng = np.random.default_rng(0)
    identity = np.eye(40)[labels(orl).values]
    np.savez(tmp_path / "two.npz", **{name: identity + rng.normal(0, 0.3, (400, 40)) for name in ("one", "other")})
    import_features(tmp_path / "two.npz", "two", orl)
    result = runner.run("imported:name=two,policy=best", Orl(), options)
    assert [metric.metric for metric in result.metrics] == ["accuracy"]
    assert result.metric("accuracy").interval is not None


def test_the_overlap_with_pictures_of_no_name_is_said_to_be_unknown(lfw_tree, options):
    result = runner.run("eigenfaces", pairs(lfw_tree / "pairs.txt", lfw_tree), options)
    assert result.overlap.startswith("not checked: neither")
