"""Every synthesis network goes through `torch.compile` whole: no graph breaks, the same images."""

from __future__ import annotations

import pytest
import torch

from ghbench.generators.mobile_stylegan import MobileStyleGAN
from ghbench.generators.stylegan1 import StyleGAN1
from ghbench.generators.stylegan2 import StyleGAN2

CHANNELS = {4: 4, 8: 4, 16: 4}
NETWORKS = {
    "StyleGAN1": lambda: StyleGAN1(CHANNELS, z_dim=4, w_dim=4, mapping_layers=1),
    "StyleGAN2": lambda: StyleGAN2(CHANNELS, z_dim=4, w_dim=4, mapping_layers=1),
    "MobileStyleGAN": lambda: MobileStyleGAN(64, channels=dict.fromkeys((4, 8, 16, 32), 8), z_dim=4, w_dim=4),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_compiles_whole(name):
    torch.manual_seed(0)
    generator = NETWORKS[name]().eval().requires_grad_(requires_grad=False)
    ws = generator.mapping(torch.randn(2, 4))
    # The graph is what is tested; making machine code of it would take minutes.
    compiled = torch.compile(generator.synthesis, fullgraph=True, backend="aot_eager")
    torch.testing.assert_close(compiled(ws), generator.synthesis(ws), rtol=1e-4, atol=1e-5)
