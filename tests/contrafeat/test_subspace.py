"""Principal components of w, SeFa's axes, and the segments of mixed codes."""

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from ghbench.contrafeat.subspace import principal_axes, sefa_axes
from ghbench.contrafeat.training.latents import NoiseSource, mixed_ws, segment_starts
from ghbench.errors import UsageError
from ghbench.generators.tiny import tiny_generator

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "zhu_discover_loss.npz", allow_pickle=False)


def test_principal_axes_are_those_of_scikit_learn():
    generator = tiny_generator()
    found = principal_axes(generator, samples=700)
    z = torch.randn(700, generator.z_dim, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        pca = PCA().fit(generator.mapping(z)[:, 0].double().numpy())
    np.testing.assert_allclose(
        found.deviations,
        np.sqrt(pca.explained_variance_ * 699 / 700),
        rtol=1e-3,
        atol=1e-4 * float(found.deviations[0]),
    )
    cosines = np.abs((found.axes[:4].numpy() * pca.components_[:4]).sum(axis=1))
    np.testing.assert_allclose(cosines, 1, atol=1e-3)
    torch.testing.assert_close(found.axes @ found.axes.T, torch.eye(len(found.axes)), atol=1e-4, rtol=0)


def test_sefa_of_affine_codes_is_the_eigenvectors_of_the_joined_weights():
    class Affine:
        levels = tiny_generator().levels[:2]
        w_mean = torch.zeros(6)
        weights = (torch.randn(5, 6), torch.randn(9, 6))

        def style_codes(self, ws):
            return {
                one.name: ws[:, one.layer] @ weight.T + 1 for one, weight in zip(self.levels, self.weights, strict=True)
            }

    generator = Affine()
    found = sefa_axes(generator)
    joined = torch.cat([weight / weight.norm(dim=1, keepdim=True) for weight in generator.weights]).double()
    values, vectors = torch.linalg.eigh(joined.T @ joined)
    assert bool((values.diff() > 0).all())
    cosines = (found.double() * vectors.flip(1).T).sum(dim=1).abs()
    torch.testing.assert_close(cosines, torch.ones(6, dtype=torch.float64), atol=1e-4, rtol=0)
    assert bool((found.gather(1, found.abs().argmax(1, keepdim=True)) > 0).all())


def test_sefa_of_a_real_generator_has_orthonormal_axes_and_knows_levels():
    generator = tiny_generator()
    axes = sefa_axes(generator, [generator.levels[0].name])
    torch.testing.assert_close(axes @ axes.T, torch.eye(len(axes)), atol=1e-4, rtol=0)
    with pytest.raises(UsageError, match="no level 'r999'"):
        sefa_axes(generator, ["r999"])


def test_segments_are_the_authors():
    for (parts, rows), cuts in zip(GOLDEN["color/args"].tolist(), GOLDEN["color/cuts"].tolist(), strict=True):
        assert segment_starts(parts, rows) == [cut for cut in cuts if cut >= 0]


def test_mixed_codes_have_equal_rows_within_a_segment_and_others_between():
    ws = mixed_ws(tiny_generator(), 3, 2, rows := tiny_generator().mapping(torch.zeros(1, 16)).shape[1])
    cut = segment_starts(2, rows)[1]
    assert torch.equal(ws[:, 0], ws[:, cut - 1])
    assert torch.equal(ws[:, cut], ws[:, -1])
    assert not torch.allclose(ws[:, 0], ws[:, -1])


def test_noise_is_drawn_as_strong_as_the_stored_one():
    generator = tiny_generator()
    source = NoiseSource(generator)
    assert len(source.shapes) == generator.convolutions
    drawn = source.draw(64, torch.device("cpu"))
    for (side, spread), one in zip(source.shapes, drawn, strict=True):
        assert one.shape == (64, 1, side, side)
        assert float(one.std()) == pytest.approx(spread, rel=0.1)
    with torch.no_grad():
        assert generator.synthesis(torch.zeros(64, generator.rows, 16), noise=drawn).shape[0] == 64
