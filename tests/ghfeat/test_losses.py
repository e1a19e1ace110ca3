"""Losses and learning rate are the official program's."""

import math

import pytest
import torch
from torch import nn

from ghbench.generators.code_statistics import CodeStatistics
from ghbench.ghfeat.training import losses
from ghbench.ghfeat.training.schedule import decayed_rate
from ghbench.training import gan_losses


def test_pixel_and_perceptual_losses_are_means_over_all_numbers():
    images = torch.zeros(2, 3, 4, 4)
    assert float(losses.pixel_loss(images + 0.5, images)) == 0.25
    features = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
    assert float(losses.perceptual_loss(features.detach(), torch.zeros(2, 2))) == (1 + 4 + 9 + 16) / 4
    losses.perceptual_loss(features, features * 0).backward()
    torch.testing.assert_close(features.grad, features.detach() / 2)  # no gradient through the target


def test_adversarial_losses_are_logistic():
    def softplus(value):
        return math.log1p(math.exp(value))

    scores, others = torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [-1.0]])
    assert float(gan_losses.generator_loss(scores)) == pytest.approx((softplus(0) + softplus(-2)) / 2)
    expected = (softplus(1) + softplus(-1)) / 2 + (softplus(0) + softplus(-2)) / 2
    assert float(gan_losses.discriminator_loss(others, scores)) == pytest.approx(expected)


def test_r1_sums_over_pixels_and_averages_over_images():
    weight = torch.randn(1, 3 * 4 * 4)
    discriminator = nn.Linear(48, 1)
    discriminator.weight.data.copy_(weight)
    images = torch.randn(5, 3, 4, 4, requires_grad=True)
    penalty = gan_losses.r1_penalty(discriminator(images.flatten(1)), images)
    assert float(penalty.detach()) == pytest.approx(float(weight.square().sum()), rel=1e-5)
    penalty.backward()
    torch.testing.assert_close(discriminator.weight.grad, 2 * weight)


def test_losses_are_float32_for_any_input():
    half = torch.full((2, 3, 4, 4), 0.1, dtype=torch.bfloat16)
    assert losses.pixel_loss(half, torch.zeros(2, 3, 4, 4)).dtype == torch.float32
    assert gan_losses.generator_loss(half[:, 0, 0]).dtype == torch.float32


def test_code_loss_is_one_for_the_mean_code_and_leaves_out_constant_numbers():
    statistics = {"a": CodeStatistics(torch.tensor([1.0, 5.0]), torch.tensor([2.0, 0.0]))}
    drawn = torch.tensor([[3.0, 5.0], [-1.0, 5.0]])
    mean = torch.tensor([[1.0, 9.0], [1.0, 9.0]], requires_grad=True)
    loss = losses.code_loss({"a": mean}, {"a": drawn}, statistics)
    assert float(loss.detach()) == 1.0
    loss.backward()
    assert torch.isfinite(mean.grad).all()
    assert not mean.grad[:, 1].any()


def test_the_weight_gives_a_term_its_share():
    assert losses.weight_for_share(pixel=0.2, term=50.0, share=0.5) * 50.0 == pytest.approx(0.1)
    with pytest.raises(ValueError, match=r"0\.0"):
        losses.weight_for_share(0.2, 0.0, 0.5)


@pytest.mark.parametrize(("iteration", "rate"), [(0, 1e-4), (18_229, 8e-5), (145_833, 1.68e-5)])
def test_the_learning_rate_decays_twice_per_iteration(iteration, rate):
    assert decayed_rate(iteration) == pytest.approx(rate, rel=2e-3)


def test_without_a_discriminator_it_decays_once():
    assert decayed_rate(36_458, steps_an_iteration=1) == pytest.approx(8e-5)
