"""Classification by neighbours: split or each among all others, constants of the protocol, the conformance kit."""

from __future__ import annotations

import numpy as np
import pytest
from ghbench_tasks.classification.knn import knn
from PIL import Image

from ghbench.errors import UsageError
from ghbench.extraction import ExtractionOptions
from ghbench.running import runner
from ghbench.running.options import RunOptions
from ghbench.spec_string import parse
from ghbench.store import FeatureStore
from ghbench.testing import check_task


def folder_of(root, splits, per_class=8):
    """Pictures of two classes, dark and bright, with noise."""
    rng = np.random.default_rng(0)
    for split in splits:
        for label, level in {"dark": 40, "bright": 200}.items():
            for number in range(per_class):
                path = root / split / label / f"{number}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(np.clip(rng.normal(level, 20, (16, 16, 3)), 0, 255).astype(np.uint8)).save(path)
    return root


@pytest.fixture
def options(tmp_path):
    return RunOptions(
        store=FeatureStore(tmp_path / "s"), results=tmp_path / "r", extraction=ExtractionOptions(workers=0)
    )


@pytest.mark.parametrize("splits", [("train", "test"), ("",)])
def test_classes_that_differ_are_told_apart(tmp_path, options, splits):
    root = folder_of(tmp_path / "images", splits)
    result = runner.run("pixels:size=8", f"knn:dataset=imagefolder,dataset.path={root}", options)
    found = {metric.metric: metric.value for metric in result.metrics}
    assert found["top1-k5"] == found["top1-k1"] == 1.0
    assert result.counts.unit == "images"
    assert result.counts.records == 16


def test_the_kit_accepts_the_task(tmp_path):
    check_task(knn(parse(f"imagefolder:path={folder_of(tmp_path / 'images', ('train', 'test'))}")))


def test_fewer_images_are_drawn_and_named(tmp_path):
    source = parse(f"imagefolder:path={folder_of(tmp_path / 'images', ('train', 'test'))}")
    task = knn(source, training=6, test=4)
    assert "test=4,training=6" in task.name
    sizes = {name: len(role.dataset.splits[role.split]) for name, role in task.roles().items()}
    assert sizes == {"train": 6, "test": 4}


def test_odd_numbers_are_refused():
    with pytest.raises(UsageError, match="0 for all"):
        knn(training=-1)
