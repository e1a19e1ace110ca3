"""Adaptive augmentation: nothing at p = 0, each part against its closed form, gradients, and the controller's moves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from ghbench.errors import UsageError
from ghbench.training import augmentation
from ghbench.training.augmentation import AdaptiveProbability, Strengths, augment, resample

NOTHING = Strengths(
    flip=False,
    integer_shift=0,
    scale=0,
    turn=0,
    fractional_shift=0,
    brightness=0,
    contrast=0,
    luma_flip=False,
)
ONE = torch.tensor(1.0)


def pictures(count=4, channels=3, height=16, width=12, seed=0):
    """Uniform noise within [-1, 1]."""
    return torch.rand(count, channels, height, width, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def matrix(x=1.0, xy=0.0, dx=0.0, yx=0.0, y=1.0, dy=0.0):
    return torch.tensor([[[x, xy, dx], [yx, y, dy]]])


def test_at_probability_zero_every_image_comes_back_bit_by_bit():
    for channels in (1, 3):
        images = pictures(channels=channels)
        assert torch.equal(augment(images, torch.tensor(0.0), generator=seeded()), images)


def test_at_probability_one_with_all_strengths_zero_too():
    images = pictures(count=64)
    assert torch.equal(augment(images, ONE, generator=seeded(), strengths=NOTHING), images)


def test_flips_are_exact_and_half_of_the_images_are_flipped():
    images = pictures(count=2000, channels=1, height=3, width=4)
    changed = augment(images, ONE, generator=seeded(), strengths=replace(NOTHING, flip=True))
    same = (changed == images).all(dim=(1, 2, 3))
    assert torch.equal(changed[~same], images[~same].flip(3))
    assert same.float().mean().item() == pytest.approx(0.5, abs=0.04)
    assert torch.equal(augment(images, ONE, generator=seeded(), strengths=NOTHING), images)


@pytest.mark.parametrize(("dx", "dy"), [(3, 0), (0, -2), (-5, 7), (40, -100)])
def test_whole_pixel_shifts_are_exact_and_mirrored_beyond_the_edge(dx, dy):
    images = pictures()
    shifted = resample(images, matrix(dx=-float(dx), dy=-float(dy)).expand(4, -1, -1))
    margin = 120
    padded = np.pad(images.numpy(), ((0, 0), (0, 0), (margin, margin), (margin, margin)), mode="reflect")
    expected = padded[:, :, margin - dy : margin - dy + 16, margin - dx : margin - dx + 12]
    np.testing.assert_array_equal(shifted.numpy(), expected)


@pytest.mark.parametrize(
    "inverse",
    [
        matrix(0.8, 0, 0, 0, 0.8),  # larger
        matrix(1.2, 0, 0, 0, 0.9),
        matrix(0.8, 0.6, 0, -0.6, 0.8),  # turned
        matrix(1.0, 0, 0.37, 0, 1.0, -0.81),
    ],
)
def test_sampling_is_exact_for_quadratic_pictures_as_keys_derives(inverse):
    side = 33
    y, x = np.mgrid[:side, :side] - (side - 1) / 2

    def quadratic(x, y):
        return 0.3 + 0.1 * x - 0.2 * y + 0.01 * x * x - 0.02 * x * y + 0.005 * y * y

    images = torch.from_numpy(quadratic(x, y)).float()[None, None]
    result = resample(images, inverse)[0, 0].numpy()
    m = inverse[0].numpy()
    source_x, source_y = m[0, 0] * x + m[0, 1] * y + m[0, 2], m[1, 0] * x + m[1, 1] * y + m[1, 2]
    inside = np.maximum(np.abs(source_x), np.abs(source_y)) < (side - 1) / 2 - 2
    assert inside.sum() > 300
    np.testing.assert_allclose(result[inside], quadratic(source_x, source_y)[inside], atol=2e-5)


def test_smooth_pictures_are_sampled_as_scipy_does_edges_included():
    image = ndimage.gaussian_filter(np.random.default_rng(0).normal(size=(32, 24)), 3, mode="mirror") * 10
    inverse = matrix(0.9, 0.5, 3.3, -0.4, 1.1, -6.2)
    result = resample(torch.from_numpy(image).float()[None, None], inverse)[0, 0].numpy()
    m = inverse[0].numpy().astype(np.float64)
    swapped = m[::-1, 1::-1]  # scipy has rows before columns
    centre = (np.array(image.shape) - 1) / 2
    offset = centre + m[::-1, 2] - swapped @ centre
    expected = ndimage.affine_transform(image, swapped, offset, order=3, mode="mirror")
    assert np.abs(result - expected).max() < 0.02 * np.ptp(image)


def forward_matrices(numbers, row, p, height, width, s):
    """The transform of one image by plain matrices, the first transform rightmost."""
    gate = numbers.gates[:, row].double().numpy()
    uniform, normal = numbers.uniforms[:, row].double().numpy(), numbers.normals[:, row].double().numpy()

    def turn(angle):
        return np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])

    def shift(x, y):
        return np.array([[1, 0, x], [0, 1, y], [0, 0, 1]])

    p_turn = 1 - np.sqrt(1 - p)
    stretch = 2 ** (s.scale * normal[1])
    sides = np.array([width, height])
    steps = [
        (gate[0] < p and uniform[0] < 0.5, np.diag([-1.0, 1, 1])),
        (gate[1] < p, shift(*np.round((2 * uniform[1:3] - 1) * s.integer_shift * sides))),
        (gate[2] < p, np.diag([2 ** (s.scale * normal[0])] * 2 + [1])),
        (gate[3] < p_turn, turn((2 * uniform[3] - 1) * np.pi * s.turn)),
        (gate[4] < p, np.diag([stretch, 1 / stretch, 1])),
        (gate[5] < p_turn, turn((2 * uniform[4] - 1) * np.pi * s.turn)),
        (gate[6] < p, shift(*normal[2:4] * s.fractional_shift * sides)),
    ]
    result = np.eye(3)
    for applied, step in steps:
        result = (step if applied else np.eye(3)) @ result
    return result


@pytest.mark.parametrize("p", [0.3, 1.0])
def test_the_merged_transform_is_the_inverse_of_all_parts_in_order(p):
    numbers = augmentation._Numbers.draw(50, torch.device("cpu"), seeded(1))
    inverse = augmentation._inverse_transform(numbers, torch.tensor(p), 16, 12, Strengths()).numpy()
    for row in range(50):
        expected = np.linalg.inv(forward_matrices(numbers, row, p, 16, 12, Strengths()))
        np.testing.assert_allclose(inverse[row], expected[:2], atol=1e-4)


@pytest.mark.parametrize(
    "part",
    [{"integer_shift": 0.4}, {"scale": 0.5}, {"fractional_shift": 0.125}, {"brightness": 0.2}, {"contrast": 0.5}],
)
def test_each_part_changes_its_share_of_the_images(part):
    images = pictures(count=1000, height=24, width=24)
    p = 0.3
    changed = augment(images, torch.tensor(p), generator=seeded(), strengths=replace(NOTHING, **part))
    share = (changed != images).flatten(1).any(dim=1).float().mean().item()
    # Two scalings share one strength; a whole-pixel shift may round to nothing.
    expected = 1 - (1 - p) ** 2 if "scale" in part else p
    assert share == pytest.approx(expected, abs=0.05)


def test_images_are_turned_with_probability_p_although_there_are_two_rotations():
    numbers = augmentation._Numbers.draw(20_000, torch.device("cpu"), seeded())
    inverse = augmentation._inverse_transform(numbers, torch.tensor(0.4), 16, 16, replace(NOTHING, turn=1.0))
    assert (inverse[:, 0, 1] != 0).float().mean().item() == pytest.approx(0.4, abs=0.015)


def test_colour_changes_are_their_formulas():
    images = pictures(count=500)
    added = augment(images, ONE, generator=seeded(), strengths=replace(NOTHING, brightness=0.2)) - images
    per_image = added.flatten(1)
    assert (per_image - per_image[:, :1]).abs().max() < 1e-6
    assert per_image[:, 0].std().item() == pytest.approx(0.2, abs=0.02)
    factor = (augment(images, ONE, generator=seeded(), strengths=replace(NOTHING, contrast=0.5)) / images).flatten(1)
    assert torch.allclose(factor, factor[:, :1].expand_as(factor), rtol=1e-4)
    assert factor[:, 0].log2().std().item() == pytest.approx(0.5, abs=0.05)


def test_luma_flip_changes_the_sign_of_grey_and_keeps_colour():
    images = pictures(count=200)
    changed = augment(images, ONE, generator=seeded(), strengths=replace(NOTHING, luma_flip=True))
    flipped = (changed != images).flatten(1).any(dim=1)
    assert flipped.float().mean().item() == pytest.approx(0.5, abs=0.12)
    before, after = images[flipped], changed[flipped]
    torch.testing.assert_close(after.mean(dim=1), -before.mean(dim=1))
    torch.testing.assert_close(after - after.mean(dim=1, keepdim=True), before - before.mean(dim=1, keepdim=True))


def test_grey_images_keep_their_values():
    images = torch.full((50, 1, 8, 8), 0.25)
    torch.testing.assert_close(augment(images, ONE, generator=seeded()), images)


def test_gradients_are_right_and_can_be_differentiated_again():
    images = pictures(count=2, channels=1, height=5, width=4).double().requires_grad_()
    inverse = torch.cat([matrix(0.8, 0.3, 0.4, -0.2, 1.1, 0.7), matrix(dx=9.3)])
    assert torch.autograd.gradcheck(lambda x: resample(x, inverse), images)
    assert torch.autograd.gradgradcheck(lambda x: resample(x, inverse), images)


def test_r1_through_the_augmentation_reaches_the_discriminator():
    images = pictures(channels=1).requires_grad_()
    weight = torch.ones(1, requires_grad=True)
    score = (augment(images, torch.tensor(0.8), generator=seeded()) * weight).square().sum()
    (slope,) = torch.autograd.grad(score, images, create_graph=True)
    slope.square().sum().backward()
    assert weight.grad.item() > 0


def test_autocast_and_the_dtype_of_the_images_change_nothing_inside():
    images = pictures()
    plain = augment(images, ONE, generator=seeded())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(augment(images, ONE, generator=seeded()), plain)
    short = augment(images.bfloat16(), ONE, generator=seeded())
    assert short.dtype == torch.bfloat16
    assert torch.equal(short, augment(images.bfloat16().float(), ONE, generator=seeded()).bfloat16())


def test_the_same_seed_gives_the_same_images_from_either_generator():
    torch.manual_seed(3)
    assert torch.equal(augment(pictures(), ONE), augment(pictures(), ONE, generator=seeded(3)))


# ---- the controller


def test_p_rises_when_the_discriminator_is_too_sure_and_falls_when_it_is_not():
    control = AdaptiveProbability(target=0.6, images=1000, interval=100)
    for _ in range(5):
        control.observe(torch.tensor(0.9), 100)
    assert control.p.item() == pytest.approx(0.5)
    control.observe(torch.tensor(0.1), 100)
    assert control.p.item() == pytest.approx(0.4)


def test_p_stays_within_its_bounds():
    control = AdaptiveProbability(images=100, interval=100, maximum=0.8)
    control.observe(torch.tensor(-1.0), 100)
    assert control.p.item() == 0
    for _ in range(3):
        control.observe(torch.tensor(1.0), 100)
    assert control.p.item() == pytest.approx(0.8)


def test_p_moves_once_an_interval_by_the_mean_over_it():
    control = AdaptiveProbability(target=0.6, images=1000, interval=100)
    control.observe(torch.tensor(1.0), 50)
    assert control.p.item() == 0
    control.observe(torch.tensor(0.0), 50)
    assert control.p.item() == 0  # the mean, 0.5, is below the target, and p cannot fall
    control.observe(torch.tensor(1.0), 150)
    assert control.p.item() == pytest.approx(0.15)


def test_an_interrupted_controller_goes_on_as_if_nothing_had_been():
    whole, first = (AdaptiveProbability(images=500, interval=96) for _ in range(2))
    signs = torch.linspace(0.2, 1, 12)
    for sign in signs[:5]:
        first.observe(sign, 32)
    second = AdaptiveProbability(images=500, interval=96)
    second.load_state_dict(first.state_dict())
    for sign in signs[5:]:
        second.observe(sign, 32)
    for sign in signs:
        whole.observe(sign, 32)
    assert torch.equal(second.p, whole.p)
    assert second.state_dict() == whole.state_dict()


def test_the_controller_moves_whole_to_another_device():
    control = AdaptiveProbability(start=0.25).to("meta")
    assert control.p.device.type == "meta"
    control.observe(torch.ones((), device="meta"), 300)


def test_numbers_out_of_range_are_refused():
    with pytest.raises(UsageError, match=r"maximum 1\.5"):
        AdaptiveProbability(maximum=1.5)
    with pytest.raises(UsageError, match="images 0"):
        AdaptiveProbability(images=0)
