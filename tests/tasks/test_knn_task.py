"""Classification by neighbours: split or each among all others, constants of the protocol, the conformance kit."""

from __future__ import annotations

from dataclasses import replace

import pytest
from ghbench_tasks.classification.knn import knn

from ghbench.errors import UsageError
from ghbench.running import runner
from ghbench.running.options import RunOptions
from ghbench.spec_string import parse
from ghbench.testing import check_task


@pytest.mark.parametrize("splits", [("train", "test"), ("",)])
def test_classes_that_differ_are_told_apart(folder_of_classes, options, splits):
    root = folder_of_classes(splits)
    result = runner.run("pixels:size=8", f"knn:dataset=imagefolder,dataset.path={root}", options)
    found = {metric.metric: metric.value for metric in result.metrics}
    assert found["top1-k5"] == found["top1-k1"] == 1.0
    assert "top1-k200" not in found or found["top1-k200"] is None
    assert result.counts.unit == "images"
    assert result.counts.records == 16


def test_the_kit_accepts_the_task(folder_of_classes):
    check_task(knn(parse(f"imagefolder:path={folder_of_classes(('train', 'test'))}")), answers=["label"])


def test_fewer_images_are_drawn_and_named(folder_of_classes):
    source = parse(f"imagefolder:path={folder_of_classes(('train', 'test'))}")
    task = knn(source, training=6, test=4)
    assert "test=4,training=6" in task.name
    sizes = {name: len(role.dataset.splits[role.split]) for name, role in task.roles().items()}
    assert sizes == {"train": 6, "test": 4}


def test_odd_numbers_are_refused():
    with pytest.raises(UsageError, match="0 for all"):
        knn(training=-1)


@pytest.mark.parametrize("index", ["", ",index=IVF2+Flat"])
def test_faiss_finds_the_same_neighbours(folder_of_classes, options, index):
    task = f"knn:dataset=imagefolder,dataset.path={folder_of_classes(('train', 'test'), per_class=60)}"
    plain = runner.run("pixels:size=4", task, options)
    by_faiss = runner.run("pixels:size=4", f"{task}{index}", replace(options, search="faiss", overwrite=True))
    assert by_faiss.metrics[0].value == plain.metrics[0].value
    assert (by_faiss.digest == plain.digest) == (not index), "an index that may be approximate has a name of its own"


def test_another_search_is_refused():
    with pytest.raises(UsageError, match="expected numpy or faiss"):
        RunOptions(search="annoy")
