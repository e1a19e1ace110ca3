"""Networks as people write them: odd outputs, odd weights, levels by module name, and their identity."""

import collections
import sys

import numpy as np
import pytest

import ghbench
from ghbench.errors import PluginError, UsageError
from ghbench.running import request
from ghbench.running.initial_weights import looks_untrained
from ghbench.running.pair import Pair

torch = pytest.importorskip("torch")
nn = torch.nn


class Returning(nn.Module):
    """Gives a convolution's map [N, 8, 4, 4] to a function."""

    def __init__(self, output, **attributes):
        super().__init__()
        self.conv, self.output = nn.Conv2d(3, 8, 4, stride=4), output
        vars(self).update(attributes)

    def forward(self, images):
        return self.output(self.conv(images))


Named = collections.namedtuple("Named", "first second")  # noqa: PYI024 - as networks of torchvision return it


def images(count=3):
    return np.random.default_rng(0).integers(0, 256, (count, 3, 16, 16), dtype=np.uint8)


def wrapped(output, **options):
    return ghbench.wrap(Returning(output), size=16, **options)


@pytest.mark.parametrize(
    ("output", "levels"),
    [
        (lambda maps: (maps, maps.flatten(1)), {"output.0": 8, "output.1": 128}),
        (lambda maps: [maps], {"features": 8}),
        (lambda maps: {"a": maps, "deep": {"b": maps.flatten(1), "none": None}}, {"a": 8, "deep.b": 128}),
        (lambda maps: Named(maps, maps), {"first": 8, "second": 8}),
        (lambda maps: {"x": maps, "loss": maps.mean(), "mask": maps > 0}, {"x": 8}),
    ],
)
def test_nested_outputs_are_levels(output, levels):
    encoder = wrapped(output)
    assert {level.name: level.dim for level in encoder.spec().levels} == levels
    assert {name: values.shape[1] for name, values in encoder.extract(images()).items()} == levels


def test_what_is_left_out_is_said():
    (note, *_) = wrapped(lambda maps: {"x": maps, "loss": maps.mean()}).notes()
    assert note == "level loss: left out: () of torch.float32"


def test_libraries_outputs_are_evaluated_where_they_are_meant_to_be():
    encoder = wrapped(lambda maps: {"last_hidden_state": maps, "pooler_output": maps, "hidden_states": (maps, maps)})
    assert encoder.spec().default_levels == ("pooler_output",)
    assert len(encoder.spec().levels) == 4


@pytest.mark.parametrize("count", [16, 17, 21])
def test_tokens_become_class_token_or_mean_of_patches_and_it_is_said(count):
    def tokens(maps):
        patches = maps.flatten(2).transpose(1, 2)
        return torch.cat([torch.full_like(patches[:, : count - 16], 7.0), patches], dim=1)

    means = wrapped(tokens, pool="mean")
    found = means.extract(images())["features"]
    assert found.shape == (3, 8)
    assert not np.isclose(found, 7).any()  # neither class token nor registers are patches
    default = wrapped(tokens)
    if count == 16:
        assert "mean of 16 tokens" in default.notes()[0]
    else:
        assert f"class token of {count} tokens" in default.notes()[0]
        assert (default.extract(images())["features"] == 7).all()
    assert default.spec().weights_digest != means.spec().weights_digest


def test_a_choice_of_pooling_that_means_nothing_is_refused():
    with pytest.raises(UsageError, match="returns no tokens"):
        wrapped(lambda maps: maps, pool="cls")
    with pytest.raises(UsageError, match="expected cls or mean"):
        wrapped(lambda maps: maps, pool="gem")


@pytest.mark.parametrize("output", [lambda maps: maps.mean((2, 3)).squeeze(), lambda maps: {"a": maps.squeeze()}])
def test_an_output_squeezed_on_a_batch_of_one_is_that_of_a_larger_batch(output):
    encoder = wrapped(output)
    many, (one,) = encoder.extract(images()), encoder.extract(images()[:1]).values()
    np.testing.assert_allclose(one, next(iter(many.values()))[:1], rtol=1e-6)
    assert any("loses the first axis" in note for note in encoder.notes())
    assert not any("loses" in note for note in wrapped(lambda maps: maps).notes())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_precisions_are_computed_in_float32_and_stay_as_they_are(dtype):
    net = Returning(lambda maps: maps).to(dtype)
    encoder = ghbench.wrap(net, size=16)
    (values,) = encoder.extract(images()).values()
    expected = ghbench.wrap(Returning(lambda maps: maps), size=16)
    expected.module.load_state_dict(net.state_dict())
    np.testing.assert_array_equal(values, next(iter(expected.extract(images()).values())))
    assert net.conv.weight.dtype == dtype
    assert any(f"weights are {dtype}" in note for note in encoder.notes())


def test_the_digest_is_made_of_weights_source_and_configuration():
    def digest(**attributes):
        torch.manual_seed(0)
        return ghbench.wrap(Returning(torch.relu, **attributes), size=16).spec().weights_digest

    class Config:
        def __init__(self, depth):
            self.depth, self.own = depth, object()

    assert digest(config=Config(2)) == digest(config=Config(2)) != digest(config=Config(3))
    assert len({digest(), digest(scale=1.0), digest(scale=np.ones(2)), digest(scale=torch.ones(2))}) == 4
    assert digest(kinds={"a", "b"}) == digest(kinds={"b", "a"})


SCALE = 1.0


def scaled(values):
    return values * SCALE


class Global(nn.Module):
    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, images):
        self.calls += 1
        self.last = images.mean(dim=(2, 3))
        return scaled(self.last)


def test_globals_count_and_what_a_forward_pass_leaves_behind_does_not(monkeypatch):
    encoder = ghbench.wrap(Global(), size=8)
    before = encoder.spec().weights_digest
    encoder.extract(images())
    assert encoder.spec().weights_digest == before == ghbench.wrap(Global(), size=8).spec().weights_digest
    monkeypatch.setattr(sys.modules[__name__], "SCALE", 2.0)
    assert ghbench.wrap(Global(), size=8).spec().weights_digest != before


def stages():
    return nn.Sequential(
        collections.OrderedDict(
            stem=nn.Conv2d(3, 4, 4, stride=4), act=nn.ReLU(inplace=True), deep=nn.Sequential(nn.Conv2d(4, 6, 2))
        )
    )


def test_levels_are_named_by_module():
    net = stages()
    named = ghbench.wrap(net, size=16, levels={"early": "stem", "late": "deep.0"})
    assert [(level.name, level.dim) for level in named.spec().levels] == [("early", 4), ("late", 6)]
    assert named.spec().default_levels == ("late",)
    found = named.extract(images())
    assert found["early"].min() < 0  # before the activation that works in place
    whole = ghbench.wrap(net, size=16)
    np.testing.assert_array_equal(found["late"], whole.extract(images())["features"])
    assert len({named.spec().weights_digest, whole.spec().weights_digest}) == 2
    assert not net.stem._forward_hooks
    assert [level.name for level in ghbench.wrap(net, size=16, levels=["act"]).spec().levels] == ["act"]


def test_wrong_module_names_are_told_with_near_ones():
    with pytest.raises(UsageError, match=r"has no module 'deep\.1'; did you mean deep\.0"):
        ghbench.wrap(stages(), size=16, levels="stem+deep.1")
    net = stages()
    net.deep.append(nn.Identity())
    net.forward = lambda values: net.stem(values)
    with pytest.raises(PluginError, match=r"'deep\.1' takes no part"):
        ghbench.wrap(net, size=16, levels=["deep.1"])


@pytest.mark.parametrize(
    "make",
    [
        lambda: Returning(lambda maps: maps),
        lambda: nn.Sequential(nn.Conv2d(3, 64, 3, bias=False), nn.BatchNorm2d(64)),
        lambda: nn.Sequential(nn.Linear(48, 32), nn.LayerNorm(32)),
        lambda: Returning(lambda maps: maps).half(),
    ],
)
def test_a_fresh_initialisation_is_recognised_and_training_ends_it(make):
    net = make()
    assert looks_untrained(net)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += 0.05 * torch.randn(parameter.shape).to(parameter.dtype)
    assert not looks_untrained(net)


NETS = """
import torch

class Net(torch.nn.Module):
    def __init__(self, width=8):
        super().__init__()
        self.trunk = torch.nn.Conv2d(3, width, 8, stride=8)
        torch.nn.init.trunc_normal_(self.trunk.weight)

    def forward(self, images):
        early = self.trunk(images)
        return {"early": early, "late": early.relu()}

class Loaded(Net):
    def __init__(self):
        super().__init__()
        self.head = torch.nn.Linear(4, 4)
        with torch.no_grad():
            self.trunk.weight.fill_(1.0).view(-1)[::2] = 2.0
            self.trunk.bias.fill_(1.0).view(-1)[::2] = 2.0

class Broken(torch.nn.Module):
    def forward(self, images):
        return images.reshape(7, -1)

class Needy(Net):
    def __init__(self, width):
        super().__init__(width)

class Nvm:
    def __init__(self):
        raise RuntimeError("operator torchvision::nms does not exist")

net = Net()
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "nets.py"
    path.write_text(NETS)
    return path


def test_the_seed_covers_building_and_the_row_is_called_untrained(file, lfw_tree, tmp_path, monkeypatch, caplog):
    monkeypatch.setenv("GHBENCH_HOME", str(tmp_path / "home"))
    task = f"lfw:root={lfw_tree}"
    first, again, other = (ghbench.run(f"{file}:Net,size=32", task, seed=seed) for seed in (0, 0, 1))
    assert first.digest == again.digest
    assert first.subject.weights_digest == again.subject.weights_digest != other.subject.weights_digest
    assert any(text.startswith("untrained") for text in first.warnings)
    assert first.overlap == "none: untrained"
    assert any("evaluated by default: level late; also there: early (level=early" in text for text in first.warnings)
    assert "level late; also there: early" in caplog.text
    early = ghbench.run(request.load_extractor(f"{file}:Net,size=32"), task, level="early")
    assert early.features.levels == ["early"]


def test_weights_that_only_the_seed_determines_are_named(file):
    notes = request.load_extractor(f"{file}:Loaded,size=32").notes()
    assert "2 weights are a random initialisation: head.bias, head.weight" in notes
    assert request.load_extractor(f"{file}:net,size=32").spec().name == "Net"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("Nett", "no 'Nett'; did you mean Net. Its classes: Net, Loaded, Broken"),
        ("Needy", "Needy of .* needs width=...\n  fix: write .*nets.py:Needy,width=..."),
        ("net,width=3", "net is a Net that is already made; it takes no options"),
        ("Net:level=early", "fix: write .*nets.py:Net,level=early"),
        ("Net,level=early:policy=each", "fix: write .*nets.py:Net,level=early,policy=each"),
        ("torch", "fix: name a class"),
        ("Broken,size=8", r"nets.py, line \d+, in forward\n    return images.reshape\(7, -1\)"),
        ("Nvm", r"nets.py, line .*\n.*\n  fix: this torchvision .* was built for another torch"),
        ("Net,layers=trnk", "did you mean trunk"),
    ],
)
def test_each_mistake_is_told_with_what_to_write(file, spec, message):
    with pytest.raises((UsageError, PluginError), match=message):
        request.load_extractor(f"{file}:{spec}")


def test_a_file_without_a_class_and_a_class_instead_of_an_instance(file):
    with pytest.raises(UsageError, match=r"fix: write .*nets\.py:Net"):
        request.subject_request(str(file))
    with pytest.raises(UsageError, match=r"fix: write Returning\(...\)"):
        request.subject_request(Returning)


def test_modules_are_listed_with_their_shapes(file):
    tree = request.load_extractor(f"{file}:Net,size=32").module_tree()
    assert tree == [{"module": "trunk", "class": "Conv2d", "output": "[8, 4, 4]"}]


def test_a_network_is_where_its_owner_had_it_after_a_run(lfw_tree, tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_HOME", str(tmp_path / "home"))
    moves = []
    encoder = wrapped(lambda maps: maps)
    monkeypatch.setattr(type(encoder.module), "to", lambda self, device: moves.append(str(device)))
    encoder.to("meta")
    monkeypatch.setattr(Pair, "result", lambda pair: None)
    ghbench.run(encoder, f"lfw:root={lfw_tree}")
    assert moves == ["meta", "cpu"]
