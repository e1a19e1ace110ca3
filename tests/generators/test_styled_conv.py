"""The styled convolution in the form that is fast, against the paper's: one modulated, demodulated weight an image."""

import math

import pytest
import torch
from torch.nn import functional

from ghbench.generators.resampling import filter_kernel
from ghbench.generators.stylegan2 import StyledConv, ToColours

INPUTS, OUTPUTS, W_DIM, SIDE = 6, 5, 4, 8


def weights_by_image(weight, style, scale):
    return weight[None] * scale * style[:, None, :, None, None]


def as_in_the_paper(layer, features, style, gain):
    """Karras et al. 2020, equations 1 to 3, image by image."""
    weights = weights_by_image(layer.weight, style, layer.scale)
    weights = weights * (weights.square().sum(dim=(2, 3, 4), keepdim=True) + 1e-8).rsqrt()
    maps = []
    for image, weight in zip(features, weights, strict=True):
        if layer.up:
            spread = functional.conv_transpose2d(image[None], weight.transpose(0, 1), stride=2)
            kernel = 4 * filter_kernel().expand(OUTPUTS, 1, 4, 4)
            maps.append(functional.conv2d(spread, kernel, padding=1, groups=OUTPUTS))
        else:
            maps.append(functional.conv2d(image[None], weight, padding=1))
    output = torch.cat(maps) + layer.noise.strength * layer.noise.const + layer.bias[:, None, None]
    output = functional.leaky_relu(output, 0.2) * math.sqrt(2) * gain
    return output if layer.clamp is None else output.clamp(-layer.clamp * gain, layer.clamp * gain)


@pytest.fixture(params=[1, 3], ids=["one image", "three images"])
def images(request):
    return request.param


@pytest.fixture(params=[torch.contiguous_format, torch.channels_last], ids=["contiguous", "channels-last"])
def features(request, images):
    torch.manual_seed(1)
    return torch.randn(images, INPUTS, SIDE, SIDE).contiguous(memory_format=request.param).requires_grad_()


@pytest.fixture
def style(images):
    return (torch.randn(images, INPUTS) + 1).requires_grad_()


@pytest.mark.parametrize("gain", [1.0, math.sqrt(0.5)])
@pytest.mark.parametrize("clamp", [None, 1.0])
@pytest.mark.parametrize("up", [False, True], ids=["same size", "up"])
def test_output_and_first_and_second_derivatives_are_the_papers(features, style, up, clamp, gain):
    layer = StyledConv(INPUTS, OUTPUTS, W_DIM, SIDE * (1 + up), up=up, clamp=clamp)
    torch.nn.init.constant_(layer.noise.strength, 0.3)
    torch.nn.init.normal_(layer.bias)
    leaves = [features, style, layer.weight, layer.bias, layer.noise.strength]
    outcomes = []
    for output in (layer(features, style, "const", 0, gain), as_in_the_paper(layer, features, style, gain)):
        seen = torch.randn(output.shape, generator=torch.Generator().manual_seed(2))
        first = torch.autograd.grad((output * seen).sum(), leaves, create_graph=True)
        lengths = first[1].square().sum()  # as in path-length regularisation, and R1 has the same form
        second = torch.autograd.grad(lengths, leaves[:3])
        outcomes.append([output, *first, *second])
    for ours, expected in zip(*outcomes, strict=True):
        assert torch.allclose(ours, expected, rtol=1e-3, atol=1e-5 * expected.abs().max().item())


@pytest.mark.parametrize("up", [False, True], ids=["same size", "up"])
def test_frozen_weights_change_neither_output_nor_gradients(features, style, up):
    layer = StyledConv(INPUTS, OUTPUTS, W_DIM, SIDE * (1 + up), up=up, clamp=None)
    outcomes = []
    for learning in (True, False):
        layer.requires_grad_(learning)
        output = layer(features, style, "none", 0)
        outcomes.append([output, *torch.autograd.grad(output.square().sum(), [features, style])])
    for learning, frozen in zip(*outcomes, strict=True):
        assert torch.allclose(learning, frozen, rtol=1e-4, atol=1e-4 * frozen.abs().max().item())


def test_inputs_are_left_as_they_are(features, style):
    layer = StyledConv(INPUTS, OUTPUTS, W_DIM, SIDE, up=False, clamp=None)
    before = features.detach().clone()
    with torch.no_grad():
        layer(features, style, "const", 0)
    assert torch.equal(features, before)


def test_colours_are_the_papers_without_demodulation(features, style):
    layer = ToColours(INPUTS, 3, W_DIM, clamp=None)
    torch.nn.init.normal_(layer.bias)
    weights = weights_by_image(layer.weight, style, layer.scale)
    maps = [functional.conv2d(image[None], weight) for image, weight in zip(features, weights, strict=True)]
    expected = torch.cat(maps) + layer.bias[:, None, None]
    output = layer(features, style)
    assert torch.allclose(output, expected, atol=1e-5)
    gradients = [torch.autograd.grad(value.square().sum(), [features, style]) for value in (output, expected)]
    for ours, theirs in zip(*gradients, strict=True):
        assert torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_maps_stay_channels_last(features, style):
    layer = StyledConv(INPUTS, OUTPUTS, W_DIM, 2 * SIDE, up=True, clamp=None)
    last = features.contiguous(memory_format=torch.channels_last)
    output = layer(last, style, "const", 0)
    assert output.is_contiguous(memory_format=torch.channels_last)
    (gradient,) = torch.autograd.grad(output.sum(), last)
    assert gradient.is_contiguous(memory_format=torch.channels_last)
