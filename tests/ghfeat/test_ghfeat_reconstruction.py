"""The extractor in the task `reconstruction`: reconstructions, and codes compared with the true ones."""

import numpy as np
import pytest
from ghbench_tasks.pictures.reconstruction import reconstruction

from ghbench.data.renders import Renders
from ghbench.extraction import ExtractionOptions
from ghbench.extractor import CodePredictor
from ghbench.ghfeat.extractor import Ghfeat
from ghbench.running import runner
from ghbench.store import FeatureStore


@pytest.fixture
def options(tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path / "cache"))
    extraction = ExtractionOptions(workers=0, device="cpu")
    return runner.RunOptions(store=FeatureStore(tmp_path / "s"), results=tmp_path / "r", extraction=extraction)


DATA, JUDGE = "renders:generator=tiny,count=6", "thumbnail:size=8"


def test_an_untrained_encoder_has_a_row_with_r2_by_level(encoder_file, options):
    result = runner.run(f"ghfeat:weights={encoder_file}", reconstruction(DATA, judge=JUDGE, training=0), options)
    extractor = Ghfeat(str(encoder_file))
    levels = [level.name for level in extractor.spec().levels]
    r2 = {metric.level: metric.value for metric in result.metrics if metric.metric == "code-r2"}
    assert list(r2) == levels
    whole = Renders("tiny", count=6, size=32)
    true, found = extractor.features_of_codes("tiny", whole.codes(range(6))), extractor.extract(whole.pixels())
    for level in levels:
        error, spread = np.square(found[level] - true[level]).sum(), np.square(true[level]).sum()
        assert r2[level] == pytest.approx(1 - error / spread, rel=1e-3)
    assert result.metric("mse").value > 0
    assert result.metric("mse").interval is not None


def test_one_level_alone_stands_on_the_mean_of_the_others(encoder_file, options):
    subject = f"ghfeat:weights={encoder_file},level=r8.conv+r16.conv,policy=each"
    result = runner.run(subject, reconstruction(DATA, judge=JUDGE, training=0), options)
    assert [metric.level for metric in result.metrics if metric.metric == "mse"] == ["r8.conv", "r16.conv"]
    assert result.metric("code-r2", "r8.conv").value is not None


def test_true_codes_are_the_features_that_draw_the_image(encoder_file, options):
    dataset = Renders("tiny", count=3, size=32)
    extractor = Ghfeat(str(encoder_file))
    assert isinstance(extractor, CodePredictor)
    true = extractor.features_of_codes("tiny", dataset.codes(range(3)))
    assert np.abs(extractor.decode(true).astype(int) - dataset.pixels()).max() <= 2
    assert extractor.features_of_codes("dcgan-faces", dataset.codes(range(3))) is None


@pytest.mark.parametrize("generator", ["tiny", "tiny:seed=0", "ghbench/tiny"])
def test_the_generator_is_known_however_its_spec_string_is_written(encoder_file, generator):
    codes = Renders("tiny", count=1, size=32).codes([0])
    assert Ghfeat(str(encoder_file), generator=generator).features_of_codes("tiny", codes) is not None
    assert Ghfeat(str(encoder_file), generator="./tiny:elsewhere").features_of_codes("tiny", codes) is None
