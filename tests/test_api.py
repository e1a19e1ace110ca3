"""The Python face: five lines from a module to a row in a table."""

import numpy as np
import pytest
from ghbench_tasks.verification.faces import lfw

import ghbench
from ghbench.errors import PluginError, UsageError
from ghbench.extraction import ExtractionOptions
from ghbench.extractor import Encoder
from ghbench.results.schema import Failure, Result
from ghbench.running.module_digest import module_digest

torch = pytest.importorskip("torch")


class TinyNet(torch.nn.Module):
    def __init__(self, seed=0, width=4):
        super().__init__()
        torch.manual_seed(seed)
        self.first = torch.nn.Conv2d(3, width, 3, stride=4)
        self.normal = torch.nn.BatchNorm2d(width)
        self.drop = torch.nn.Dropout(0.5)

    def forward(self, images):
        maps = self.normal(self.first(images))
        return {"maps": maps, "features": self.drop(maps.mean(dim=(2, 3)))}


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def small():
    return ghbench.wrap(TinyNet(), name="tiny", size=32)


def test_a_module_is_evaluated_beside_the_references_and_the_table_is_printed(orl, home, small, capsys):
    results = ghbench.evaluate(small, tasks="orl:pairs=official")
    assert [result.subject.spec_string for result in results if isinstance(result, Result)][:2] == ["tiny", "pixels"]
    assert len(results) == 5
    shown = capsys.readouterr().out
    assert "orl:pairs=official: ranked by accuracy" in shown
    for name in ("tiny", "pixels", "random-trunk"):
        assert name in shown
    assert "95 % interval" in shown


def test_references_can_be_left_out_and_are_not_run_twice(home, lfw_tree, capsys):
    task = lfw(root=lfw_tree)
    (alone,) = ghbench.evaluate("thumbnail:size=4", [task], references=False, show=False)
    assert alone.subject.name == "thumbnail"
    assert capsys.readouterr().out == ""
    names = [result.subject.spec_string for result in ghbench.evaluate("pixels", task, show=False)]
    assert names.count("pixels") == 1


def test_a_failure_is_returned_and_told_on_stderr(home, lfw_tree, capsys):
    class Broken:
        def spec(self):
            return ghbench.load_extractor("thumbnail").spec()

        def extract(self, images):
            raise ValueError("no")

    (failure,) = ghbench.evaluate(Broken(), [lfw(root=lfw_tree)], references=False)
    assert isinstance(failure, Failure)
    assert "ValueError: no" in capsys.readouterr().err


def test_run_takes_names_and_options_by_keyword(orl, home):
    result = ghbench.run(
        extractor="thumbnail:size=4", task="orl:pairs=official", align="tight", limit=120,
        extraction=ExtractionOptions(workers=0),
    )  # fmt: skip
    assert (result.features.align["name"], result.limit, result.status) == ("tight", 120, "partial")
    assert 0 <= result.metric("accuracy").value <= 1
    with pytest.raises(UsageError, match="no task is called 'orll'; did you mean orl"):
        ghbench.run("pixels", "orll")


def test_the_leaderboard_holds_what_was_run(home, lfw_tree, monkeypatch):
    import sys

    monkeypatch.setattr(sys.modules["ghbench.tables.collect"], "published_folder", lambda: home / "none")
    task = lfw(root=lfw_tree)
    ghbench.run("thumbnail:size=4", task)
    ghbench.run("thumbnail:size=8", task)
    table = ghbench.leaderboard(task)  # the function, although a package has the same name
    assert {row.system for row in table.rows} == {"thumbnail:size=4", "thumbnail:size=8"}
    found = ghbench.compare("thumbnail:size=4", "thumbnail:size=8", task.name)
    assert found.difference.value == pytest.approx(found.values[0] - found.values[1])


def test_names_are_listed_and_loaded():
    assert {"pixels", "mobilenet-v2"} <= set(ghbench.list_extractors())
    assert {"orl", "lfw", "pairs"} <= set(ghbench.list_tasks())
    assert "orl" in ghbench.list_datasets()
    assert isinstance(ghbench.load_extractor("pixels"), Encoder)


def test_a_wrapped_module_is_an_encoder_with_its_levels(small):
    spec = small.spec()
    assert isinstance(small, Encoder)
    assert [(level.name, level.dim) for level in spec.levels] == [("maps", 4), ("features", 4)]
    assert spec.default_levels == ("features",)
    images = np.random.default_rng(0).integers(0, 256, (3, 3, 32, 32), dtype=np.uint8)
    found = small.extract(images)
    assert {level: values.shape for level, values in found.items()} == {"maps": (3, 4), "features": (3, 4)}
    np.testing.assert_array_equal(found["features"], small.extract(images)["features"])  # no dropout


def test_the_digest_changes_with_a_weight_a_buffer_and_the_code(small):
    assert module_digest(TinyNet(0)) == module_digest(TinyNet(0))
    assert module_digest(TinyNet(0)) != module_digest(TinyNet(1))
    net = TinyNet(0)
    net.normal.running_mean += 1
    assert module_digest(net) != module_digest(TinyNet(0))

    class OtherCode(TinyNet):
        def forward(self, images):
            return super().forward(images)["maps"]

    assert module_digest(OtherCode(0)) != module_digest(TinyNet(0))
    module_digest(TinyNet(0).to(torch.bfloat16))


def test_a_module_trained_since_it_was_wrapped_has_another_digest():
    net = TinyNet()
    wrapped = ghbench.wrap(net, size=32)
    before = wrapped.spec().weights_digest
    with torch.no_grad():
        net.first.weight += 0.1
    assert wrapped.spec().weights_digest != before


def test_evaluation_leaves_every_part_in_its_mode():
    net = TinyNet().train()
    net.normal.eval()  # a frozen part
    ghbench.wrap(net, size=32).extract(np.zeros((2, 3, 32, 32), np.uint8))
    assert (net.training, net.drop.training, net.normal.training) == (True, True, False)


def test_what_is_said_when_wrapping_is_in_the_result_s_identity(home, lfw_tree):
    net, task = TinyNet(), lfw(root=lfw_tree)
    digests = {
        ghbench.run(ghbench.wrap(net, size=32, **changes), task).digest
        for changes in ({}, {"similarity": "l2"}, {"mean": (0, 0, 0)}, {"std": (1, 1, 1)})
    }
    assert len(digests) == 4


@pytest.mark.parametrize(
    "output", [torch.zeros(2), [torch.zeros(3, 3)], {"a": torch.zeros(2, 3, dtype=torch.int64)}, "text", None]
)
def test_a_module_that_gives_no_features_is_refused(output):
    class Odd(torch.nn.Module):
        def forward(self, images):
            return output

    with pytest.raises(PluginError, match="expected a tensor"):
        ghbench.wrap(Odd(), size=8)


def test_an_object_that_is_no_extractor_and_an_unknown_similarity_are_refused(home):
    with pytest.raises(PluginError, match="dict"):
        ghbench.evaluate({}, ["orl"])
    with pytest.raises(UsageError, match="expected cosine or l2"):
        ghbench.wrap(TinyNet(), size=32, similarity="euclid")


class Scaled(torch.nn.Module):
    """A network whose answer depends on things that no state dict and no source shows."""

    def __init__(self, factor=1.0, shift=0.0):
        super().__init__()
        self.factor = factor
        self.register_buffer("shift", torch.tensor(shift), persistent=False)

    def forward(self, images):
        return images.mean(dim=(2, 3)) * self.factor + self.shift


def test_attributes_and_unsaved_buffers_are_in_the_weights_digest():
    digests = [
        ghbench.wrap(Scaled(*values), size=8).spec().weights_digest for values in [(), (2.0,), (1.0, 3.0), (1.0, 0.0)]
    ]
    assert len(set(digests)) == 3
    assert digests[0] == digests[3]
