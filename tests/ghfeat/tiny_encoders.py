"""Encoders for the tiny generator, as files."""

import functools

import torch

from ghbench.extractor import TrainingRecord
from ghbench.generators.first_party import TinyRandom
from ghbench.generators.tiny import tiny_generator
from ghbench.ghfeat.files.weights import save_encoder
from ghbench.ghfeat.network.config import compact
from ghbench.ghfeat.network.encoder import Encoder
from ghbench.ghfeat.network.layout import layout_of
from ghbench.ghfeat.network.statistics import layout_statistics

GENERATOR = TinyRandom().spec().weights_digest
RECORD = TrainingRecord((), None, (GENERATOR,), "self-supervised", "in-generator")
ABOUT = {"generator": "tiny", "generator_digest": GENERATOR}


@functools.cache
def tiny_encoder(space=None, *, statistics=True):
    """Untrained but for the statistics of its norms, in evaluation mode."""
    torch.manual_seed(0)
    generator = tiny_generator()
    layout = layout_of(generator, space)
    # Heads that end in a norm: codes of an untrained affine layer hardly vary.
    encoder = Encoder(compact(layout, 32, width=1 / 8, pyramid_width=8, output="norm"))
    if statistics:
        encoder.use_statistics(layout_statistics(generator, layout, samples=200))
    for module in encoder.modules():
        if isinstance(module, torch.nn.modules.batchnorm._BatchNorm):
            module.momentum = None  # plain means over all that it sees
    encoder(generator.synthesis(generator.mapping(torch.randn(64, 16))).clamp(-1, 1))
    return encoder.eval()


def save_tiny_encoder(path, space=None, *, statistics=True, **about):
    encoder = tiny_encoder(space, statistics=statistics)
    save_encoder(path, encoder, licence="Apache-2.0", record=RECORD, about={**ABOUT, **about}, half=True)
    return path
