"""A generator small enough for unit tests."""

from __future__ import annotations

import torch

from ghbench.generators.stylegan2 import StyleGAN2


def tiny_generator(seed: int = 0) -> StyleGAN2:
    """A random StyleGAN2 of 32 px, with 16 channels everywhere and 16 dimensions of z and w, determined by the seed.

    Noise strengths, biases and the mean of w are random too, so that every part of the network matters. It is frozen,
    in evaluation mode, on the CPU in float32.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        generator = StyleGAN2(dict.fromkeys((4, 8, 16, 32), 16), z_dim=16, w_dim=16, mapping_layers=2)
        for name, parameter in generator.named_parameters():
            if name.endswith("noise.strength"):
                torch.nn.init.normal_(parameter, std=0.1)
            elif name.endswith("bias") and "mapping" not in name and not name.endswith("style.bias"):
                torch.nn.init.normal_(parameter, std=0.2)
        generator.mapping_network.estimate_w_mean(1000, seed)
    return generator.eval().requires_grad_(requires_grad=False)
