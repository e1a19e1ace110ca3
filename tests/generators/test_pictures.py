"""Images for seeds: the same whatever stands beside them, at any size, of any generator."""

import copy

import numpy as np
import pytest
import torch

from ghbench.errors import DataError, PluginError, UsageError
from ghbench.generators.pictures import in_rgb, on_device, pictures_of_seeds, resize, seed_list
from ghbench.generators.stylegan1 import StyleGAN1
from ghbench.generators.stylegan2 import StyleGAN2
from ghbench.generators.tiny import tiny_generator


@pytest.fixture(scope="module")
def generator():
    return tiny_generator(2)


def alike(one, two):
    """Rounding may differ by one where the batch changes the order of additions."""
    return int(np.abs(one.astype(int) - two.astype(int)).max()) <= 1


@pytest.mark.parametrize(
    ("text", "seeds"), [("0-3", [0, 1, 2, 3]), ("7", [7]), ("5,1", [5, 1]), (" 0-1, 9 ", [0, 1, 9])]
)
def test_seeds_are_written_as_ranges_and_lists(text, seeds):
    assert seed_list(text) == seeds


@pytest.mark.parametrize("text", ["", "a", "3-1", "-1", "1.5", "0-", "4294967296", "0-5000", "0-3000,0-3000", "1,,2"])
def test_other_seeds_are_refused(text):
    with pytest.raises(UsageError):
        seed_list(text)


@pytest.mark.parametrize("noise", ["const", "random", "none"])
def test_a_seed_is_one_picture_whatever_stands_beside_it(generator, noise):
    many = pictures_of_seeds(generator, [4, 1, 9, 2, 7], noise=noise, batch=3)
    assert many.shape == (5, 32, 32, 3)
    assert many.dtype == np.uint8
    for row, seed in ((0, 4), (3, 2)):
        assert alike(many[row], pictures_of_seeds(generator, [seed], noise=noise)[0])
    assert not alike(many[0], many[1])


def test_a_seed_is_the_official_programs_z(generator):
    z = torch.from_numpy(np.random.RandomState(5).randn(1, 16)).float()
    expected = ((generator(z, psi=0.5).clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1)
    assert alike(pictures_of_seeds(generator, [5], psi=0.5), expected.numpy())


def test_fresh_noise_leaves_the_global_state_alone(generator):
    state = torch.get_rng_state()
    pictures_of_seeds(generator, [1, 2], noise="random")
    assert torch.equal(torch.get_rng_state(), state)


def test_smaller_pictures_are_averages():
    images = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert resize(images, 2).flatten().tolist() == [2.5, 4.5, 10.5, 12.5]
    assert resize(images, 4) is images
    flat = torch.full((1, 3, 8, 8), 0.25)
    for size in (3, 5, 8, 11, 20):
        assert resize(flat, size).shape == (1, 3, size, size)
        assert torch.allclose(resize(flat, size), torch.tensor(0.25), atol=1e-6)


def test_grey_generators_make_grey_pictures():
    torch.manual_seed(0)
    grey = StyleGAN1({4: 8, 8: 6}, z_dim=5, w_dim=7, colours=1).eval()
    pictures = pictures_of_seeds(grey, [0, 1], size=16)
    assert pictures.shape == (2, 16, 16, 3)
    assert np.array_equal(pictures[..., 0], pictures[..., 2])


def test_classes_are_asked_for_where_there_are_some(generator):
    torch.manual_seed(0)
    conditional = StyleGAN2({4: 8, 8: 6}, z_dim=5, w_dim=7, labels=3).eval()
    zero, two = (pictures_of_seeds(conditional, [0, 1], label=label) for label in (0, 2))
    assert not np.array_equal(zero, two)
    with pytest.raises(UsageError, match="3 classes"):
        pictures_of_seeds(conditional, [0])
    with pytest.raises(UsageError, match="no class 3"):
        pictures_of_seeds(conditional, [0], label=3)
    with pytest.raises(UsageError, match="no classes"):
        pictures_of_seeds(generator, [0], label=0)


def test_broken_weights_and_absent_devices_are_told():
    broken = tiny_generator()
    broken.const.fill_(float("nan"))
    with pytest.raises(DataError, match="not finite"):
        pictures_of_seeds(broken, [0])
    broken.synthesis = lambda _ws, **_options: broken.style_codes(torch.zeros(1, 2, 3))
    with pytest.raises(PluginError, match=r"ValueError: .*\(1, 2, 3\)"):
        pictures_of_seeds(broken, [0])
    with pytest.raises(UsageError, match="'nowhere'"):
        on_device(broken, "nowhere")


def test_progress_is_told(generator):
    told = []
    pictures_of_seeds(generator, range(5), batch=2, report=lambda done, total: told.append((done, total)))
    assert told == [(2, 5), (4, 5), (5, 5)]


@pytest.mark.parametrize("colours", [1, 2, 3, 4])
def test_generators_of_any_colours_and_one_class_are_taken_as_rgb(colours):
    torch.manual_seed(0)
    generator = StyleGAN2({4: 8, 8: 6}, z_dim=5, w_dim=7, labels=3, colours=colours).eval()
    z = torch.randn(2, 5)
    with torch.no_grad():
        ws = generator.mapping(z, 0.7, labels=torch.eye(3)[[2, 2]])
        images = generator.synthesis(ws)
        taken = in_rgb(generator, 2)
        assert torch.equal(taken.mapping(z, 0.7), ws)
        for made in (taken.synthesis(ws), taken.synthesis_from_styles(taken.style_codes(ws, raw=True))):
            assert made.shape == (2, 3, 8, 8)
            shown = images[:, :3] if colours >= 3 else images[:, :1].expand(-1, 3, -1, -1)
            torch.testing.assert_close(made, shown)


@pytest.mark.parametrize(("labels", "label"), [(3, None), (3, 3), (0, 1)])
def test_a_class_that_is_missing_or_unknown_is_refused_where_the_generator_is_taken(labels, label):
    generator = StyleGAN2({4: 8, 8: 6}, z_dim=5, w_dim=7, labels=labels)
    with pytest.raises(UsageError, match="class"):
        in_rgb(generator, label)


def test_a_copy_of_a_generator_in_rgb_draws_with_its_own_weights():
    generator = in_rgb(tiny_generator())
    ws = generator.mapping(torch.randn(2, generator.z_dim))
    before, made = generator.synthesis(ws), copy.deepcopy(generator)
    for parameter in made.parameters():
        torch.nn.init.zeros_(parameter)
    assert torch.equal(generator.synthesis(ws), before)
    assert not made.synthesis(ws).any()
    assert not made.synthesis_from_styles(generator.style_codes(ws, raw=True)).any()
