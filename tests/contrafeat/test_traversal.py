"""Navigators as plugins, and pictures along their directions."""

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_encoders import save_tiny_encoder
from typer.testing import CliRunner

from ghbench import registry
from ghbench.cli.main import app
from ghbench.contrafeat.files import name_directions, save_navigator
from ghbench.contrafeat.navigators import Contrafeat
from ghbench.contrafeat.network.config import NavigatorConfig
from ghbench.contrafeat.network.navigator import NavigatorNetwork
from ghbench.contrafeat.traversal import Traversal, find_direction, load_navigator
from ghbench.errors import DataError, MissingError, UsageError
from ghbench.extractor import Navigator, TrainingRecord
from ghbench.generators.first_party import TinyRandom
from ghbench.generators.loading import load_generator, shared_rows
from ghbench.generators.pictures import pictures_of_seeds
from ghbench.generators.tiny import tiny_generator
from ghbench.ghfeat.codec import Codec
from ghbench.testing import ConformanceError, check_navigator

CLOSED_FORM = ("random-directions", "ganspace", "sefa")
ROWS = tiny_generator().rows
DIGEST = TinyRandom().spec().weights_digest


@pytest.fixture
def file(tmp_path):
    torch.manual_seed(0)
    network = NavigatorNetwork(NavigatorConfig(4, ROWS, 16, source="fixed"))
    path = tmp_path / "navigator.safetensors"
    save_navigator(
        path, network, licence="Apache-2.0", record=TrainingRecord(networks=(DIGEST,)),
        about={"generator": "tiny", "generator_digest": DIGEST, "names": {"smile": [2, -1.0]}},
    )  # fmt: skip
    return path


@pytest.mark.parametrize("name", CLOSED_FORM)
def test_closed_forms_have_directions_of_equal_norm_in_their_window(name):
    navigator = registry.build("extractor", f"{name}:generator=tiny,directions=5,rows=1-2")
    assert isinstance(navigator, Navigator)
    found = navigator.directions()
    assert found.shape == (5, ROWS, 16)
    assert not found[:, 0].any()
    assert not found[:, 3:].any()
    np.testing.assert_allclose(np.linalg.norm(found[:, 1], axis=1), 4 / 2, rtol=1e-5)
    assert np.shape(navigator.directions(np.zeros((3, ROWS + 2, 16)))) == (3, 5, ROWS + 2, 16)
    again = registry.build("extractor", f"{name}:generator=tiny,directions=5,rows=1-2")
    assert again.spec() == navigator.spec()
    np.testing.assert_array_equal(again.directions(), found)
    other = registry.build("extractor", f"{name}:generator=tiny,directions=5,rows=2")
    assert other.spec().weights_digest != navigator.spec().weights_digest


def test_each_direction_may_have_a_window_of_its_own():
    whole, own = (
        registry.build("extractor", f"sefa:generator=tiny,directions=3,rows={rows}").directions()
        for rows in ("", "0.1-2.3")
    )
    for direction, rows in enumerate(([0], [1, 2], [3])):
        used = np.flatnonzero(np.abs(own[direction]).sum(axis=1))
        assert used.tolist() == rows
        np.testing.assert_allclose(own[direction, rows].sum(axis=0), whole[direction].sum(axis=0), rtol=1e-4)
    with pytest.raises(UsageError, match="expected one, or one for each of 3"):
        registry.build("extractor", "sefa:generator=tiny,directions=3,rows=0.1").directions()


def test_sefa_looks_at_the_rows_of_its_window_only():
    one, two = (registry.build("extractor", f"sefa:generator=tiny,directions=3,rows={rows}") for rows in ("0", "3"))
    assert not np.allclose(one.directions()[:, 0], two.directions()[:, 3])


@pytest.mark.parametrize("wrong", ["directions=0", "rows=a", "rows=3-1", "rows=99", "directions=17"])
def test_closed_forms_that_cannot_be(wrong):
    with pytest.raises(UsageError):
        registry.build("extractor", f"ganspace:generator=tiny,{wrong}").directions()


def test_a_file_is_a_navigator_with_names(file):
    navigator, spec = load_navigator(str(file))
    assert spec.generator == "tiny"
    assert navigator.directions().shape == (4, ROWS, 16)
    assert navigator.attention().shape == (4, ROWS)
    named = find_direction(navigator, "smile")
    assert (named.number, named.sign, named.label) == (2, -1.0, "smile")
    assert find_direction(navigator, "3").sign == 1
    with pytest.raises(UsageError, match="smile"):
        find_direction(navigator, "frown")


def test_what_is_no_navigator_or_not_there(tmp_path):
    with pytest.raises(UsageError, match="no navigator"):
        load_navigator("pixels")
    with pytest.raises(MissingError, match="no navigator nobody"):
        Contrafeat("nobody").spec()


def test_no_step_is_the_picture_itself_and_a_step_adds_to_its_code(file):
    navigator, spec = load_navigator(str(file))
    traversal = Traversal(navigator, spec)
    direction = find_direction(navigator, "smile")
    made = traversal.of_seed(5, 0.7, direction, [0.0, 2.0])
    generator = tiny_generator()
    np.testing.assert_array_equal(made[0].transpose(1, 2, 0), pictures_of_seeds(generator, [5], psi=0.7)[0])
    with torch.no_grad():
        ws = generator.mapping(torch.from_numpy(np.random.RandomState(5).randn(1, 16)).float(), 0.7)
        move = -torch.from_numpy(navigator.directions()[2])
        expected = generator.synthesis(ws + 2 * move).clamp(-1, 1)
    difference = np.abs(made[1] / 127.5 - 1 - expected[0].numpy())
    assert difference.max() < 0.01
    with pytest.raises(UsageError, match="no direction 4"):
        traversal.of_seed(5, 0.7, find_direction(navigator, "4"), [0.0])


def test_directions_for_other_codes_are_refused_with_both_shapes(file):
    navigator, spec = load_navigator(str(file))
    navigator.directions = lambda codes: np.zeros((len(codes), 4, ROWS - 1, 16), np.float32)
    with pytest.raises(DataError, match=f"{ROWS - 1} x 16.*{ROWS} x 16"):
        Traversal(navigator, spec).of_seed(0, 1.0, find_direction(navigator, "1"), (0.0,))


def test_a_photograph_is_moved_as_its_code_would_be(file, tmp_path):
    navigator, spec = load_navigator(str(file))
    traversal = Traversal(navigator, spec)
    codec = Codec.load(str(save_tiny_encoder(tmp_path / "encoder.safetensors")))
    images = np.random.default_rng(0).integers(0, 256, (1, 3, 32, 32), np.uint8)
    codes = codec.encode(images)
    made = traversal.of_codes(codec, codes, find_direction(navigator, "1"), [-2.0, 0.0, 2.0])
    np.testing.assert_array_equal(made[1], codec.decode(codes)[0])
    assert (made[0] != made[1]).mean() > 0.2
    # From the generator's mean the step is exactly that of its W+ code.
    mean = codec.layout.codes(codec.generator, codec.generator.w_mean.expand(1, ROWS, 16))
    moved = traversal.of_codes(codec, mean, find_direction(navigator, "1"), [2.0])
    with torch.no_grad():
        step = 2 * torch.from_numpy(navigator.directions()[1])
        expected = codec.generator.synthesis(codec.generator.w_mean + step[None]).clamp(-1, 1)
    assert np.abs(moved[0] / 127.5 - 1 - expected[0].numpy()).max() < 0.02


def test_the_command_draws_seeds_and_photographs(file, tmp_path):
    encoder = save_tiny_encoder(tmp_path / "encoder.safetensors")
    photo = tmp_path / "photo.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)).save(photo)
    arguments = ["edit", "traverse", "seed:0-1", "--navigator", str(file), "-d", "smile", "--size", "32"]
    out = tmp_path / "drawn.png"
    done = CliRunner().invoke(app, [*arguments, "--out", str(out), "-d", "0", "--columns", "3"])
    assert done.exit_code == 0, done.output
    assert Image.open(out).size[0] > 3 * 128
    folder = ["--weights", str(encoder), "--refine", "0", "--align", "none", "--out", str(tmp_path / "folder")]
    done = CliRunner().invoke(app, [*arguments, str(photo), *folder])
    assert done.exit_code == 0, done.output
    assert len(list((tmp_path / "folder").glob("*.png"))) == 3 * 5


def test_names_are_written_into_the_file(file):
    before, known = Contrafeat(str(file)).directions(), Contrafeat(str(file)).spec()
    name_directions(file, {"yaw": (0, 1.0)}, "looking")
    assert Contrafeat(str(file)).spec() == known
    navigator = Contrafeat(str(file))
    assert navigator.names == {"yaw": (0, 1.0)}
    np.testing.assert_array_equal(navigator.directions(), before)


@pytest.mark.parametrize("name", CLOSED_FORM)
def test_closed_forms_keep_the_contract(name):
    check_navigator(registry.build("extractor", f"{name}:generator=tiny,directions=5"))


def test_navigators_from_files_keep_the_contract_adaptive_ones_too(file, tmp_path):
    check_navigator(Contrafeat(str(file)))
    torch.manual_seed(1)
    network = NavigatorNetwork(NavigatorConfig(4, ROWS, 16, source="ada1w", attention="adaALLw"))
    path = tmp_path / "adaptive.safetensors"
    save_navigator(
        path, network, licence="Apache-2.0", record=TrainingRecord(networks=(DIGEST,)),
        about={"generator": "tiny", "generator_digest": DIGEST},
    )  # fmt: skip
    check_navigator(Contrafeat(str(path)))  # with codes of the generator that the file names
    check_navigator(Contrafeat(str(path)), np.random.default_rng(0).normal(size=(4, ROWS, 16)).astype(np.float32))


def test_the_kit_says_why_a_navigator_gives_no_directions_and_does_not_ask_for_codes():
    class Lacking(type(registry.build("extractor", "ganspace:generator=tiny,directions=5"))):
        def directions(self, codes=None):
            raise UsageError("the sensor offers no network")

    with pytest.raises(UsageError, match="the sensor offers no network"):
        check_navigator(Lacking(generator=registry.parse("tiny"), directions=5))


def test_the_kit_finds_what_is_wrong():
    class Restless(type(registry.build("extractor", "ganspace:generator=tiny,directions=5"))):
        def directions(self, codes=None):
            return super().directions(codes) * np.random.default_rng().uniform(1, 2)

    with pytest.raises(ConformanceError):
        check_navigator(Restless(generator=registry.parse("tiny"), directions=5))


class Pixels(torch.nn.Module):
    """A sensor that looks at pixels."""

    def forward(self, images):
        return images.flatten(1)


@pytest.fixture
def sees_pixels(monkeypatch):
    monkeypatch.setattr("ghbench.ghfeat.training.perceptual.perceptual_network", lambda _: (Pixels(), "digest"))


@pytest.mark.usefixtures("sees_pixels")
def test_the_hessian_finds_what_changes_pictures_most():
    options = "generator=tiny,directions=12,components=12,codes=20,sensor=pixels"
    navigator = registry.build("extractor", f"hessian:{options}")
    check_navigator(navigator)
    changes = moved(navigator.directions())
    assert np.mean(changes[:3]) > 1.3 * np.mean(changes[-3:])


@pytest.mark.usefixtures("sees_pixels")
def test_a_channel_of_style_space_moves_most_and_those_that_change_images_most_come_first():
    navigator = registry.build("extractor", "stylespace:generator=tiny,directions=12,tried=40,sensor=pixels")
    check_navigator(navigator)
    found, generator = torch.from_numpy(navigator.directions()), tiny_generator()
    used = found.square().sum(dim=2) > 0
    assert bool((used.sum(dim=1) == 1).all())
    torch.testing.assert_close(found.square().sum(dim=(1, 2)), torch.full((12,), 16.0))
    mean = generator.w_mean.expand(1, ROWS, -1)
    before, after = (generator.style_codes(ws) for ws in (mean, mean + 1e-3 * found[:1]))
    alone = []
    for level in generator.levels:
        changed = (after[level.name] - before[level.name]).abs()[0]
        if level.layer == int(used[0].nonzero()) and changed.numel() <= 16:
            alone.append(float(changed.max() / changed.mean()))
    assert max(alone) > 4, "codes that always go together go together here too"
    overlap = np.abs(np.corrcoef(found.flatten(1)))[np.triu_indices(12, 1)]
    assert np.median(overlap) < 0.3
    changes = moved(navigator.directions())
    assert np.mean(changes[:4]) > np.mean(changes[-4:])
    with pytest.raises(UsageError, match="tried=5"):
        registry.build("extractor", "stylespace:generator=tiny,directions=12,tried=5")


def moved(directions):
    generator = tiny_generator()
    with torch.no_grad():
        ws = generator.mapping(torch.randn(20, 16, generator=torch.Generator().manual_seed(1)))
        start = generator.synthesis(ws)
        return [float((generator.synthesis(ws + 0.05 * torch.from_numpy(one)) - start).square().mean())
                for one in directions]  # fmt: skip


def stored(path, generator="tiny", digest=DIGEST, rows=ROWS):
    network = NavigatorNetwork(NavigatorConfig(3, rows, 16, source="fixed"))
    save_navigator(
        path, network, licence="Apache-2.0", record=TrainingRecord(),
        about={"generator": generator, "generator_digest": digest},
    )  # fmt: skip
    return str(path)


def test_a_file_cannot_name_code_or_another_generator(tmp_path):
    evil = tmp_path / "evil.py"
    evil.write_text("raise SystemExit('executed')")
    with pytest.raises(UsageError, match="--generator"):
        Traversal(*load_navigator(stored(tmp_path / "evil.safetensors", f"{evil}:G")))
    with pytest.raises(DataError, match="other weights"):
        Traversal(*load_navigator(stored(tmp_path / "other.safetensors", digest="0" * 64)))
    save = tmp_path / "incomplete.safetensors"
    save_navigator(
        save, NavigatorNetwork(NavigatorConfig(2, 3, 4, source="fixed")), licence="", record=TrainingRecord(), about={}
    )
    with pytest.raises(DataError, match="no navigator"):
        Contrafeat(str(save)).spec()


def test_a_photograph_is_not_moved_along_directions_of_another_generator(file, tmp_path):
    traversal = Traversal(*load_navigator("ganspace:generator=stylegan2-mnist32,directions=3"))
    codec = Codec.load(str(save_tiny_encoder(tmp_path / "encoder.safetensors")))
    codes = codec.encode(np.zeros((1, 3, 32, 32), np.uint8))
    with pytest.raises(UsageError, match="those of tiny"):
        traversal.of_codes(codec, codes, find_direction(Contrafeat(str(file)), "0"), [0.0])


def test_rows_that_codes_lack_are_left_out(tmp_path):
    codes = np.zeros((2, ROWS, 16), np.float32)
    for navigator in (
        Contrafeat(stored(tmp_path / "more.safetensors", rows=ROWS + 2)),
        registry.build("extractor", "ganspace:generator=tiny,directions=3"),
    ):
        assert navigator.directions(codes[:, :5]).shape == (2, 3, 5, 16)
        assert navigator.directions(codes).shape == (2, 3, ROWS, 16)


def test_a_shortened_generator_shares_all_rows_but_that_of_its_colours():
    for name, rows in (("mobile-stylegan-ffhq:size=64", 7), ("mobile-stylegan-ffhq", 16), ("tiny", ROWS)):
        assert shared_rows(load_generator(name), name) == rows


def test_controls_of_attention(file):
    learned, even, shuffled = (Contrafeat(str(file), attention) for attention in ("learned", "even", "shuffled"))
    np.testing.assert_allclose(even.attention(), 1 / ROWS, rtol=1e-6)
    own, other = learned.attention(), shuffled.attention()
    assert sorted(map(tuple, own.tolist())) == sorted(map(tuple, other.tolist()))
    assert not any(np.allclose(a, b) for a, b in zip(own, other, strict=True))
    assert len({one.spec().directions_digest for one in (learned, even, shuffled)}) == 3
    with pytest.raises(UsageError, match="attention"):
        Contrafeat(str(file), "none")
