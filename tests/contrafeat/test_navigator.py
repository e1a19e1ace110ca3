"""The navigator against arrays of the author's program, and against cases computed by hand."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from ghbench.contrafeat.network.attention import Attention, gaussian, smooth
from ghbench.contrafeat.network.config import NavigatorConfig
from ghbench.contrafeat.network.directions import Directions
from ghbench.contrafeat.network.navigator import NavigatorNetwork
from ghbench.errors import DataError, UsageError

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "zhu_navigator.npz", allow_pickle=False)
VARIANTS = sorted({name.split("/")[0] for name in GOLDEN.files if name.startswith("nav=")})
NAMES = {
    "att_net.att_logits_2": "attention.ends", "att_net.att_logits": "attention.logits",
    "att_net.net.": "attention.network.layers.", "nav_net.nav_logits.": "directions.parts.",
    "nav_net.nav_logits": "directions.coordinates", "nav_net.net.": "directions.network.layers.",
}  # fmt: skip


def golden(name):
    return torch.from_numpy(np.array(GOLDEN[name])).double()


def golden_navigator(variant):
    parts = dict(part.split("=") for part in variant.split("|"))
    count, rows, width, attended, attention_layers, direction_layers, components, copies = GOLDEN[
        f"{variant}/cfg_nv_numws_wdim_attlayers_attfc_navfc_neigen_ndup"
    ].tolist()
    blocks = tuple(zip(GOLDEN["nv_sep"].tolist(), GOLDEN["eigen_sep"].tolist(), strict=True))
    config = NavigatorConfig(
        count, rows, width, attention=parts["att"], attended=attended, temperature=float(GOLDEN["fixedT_temp"][0]),
        smoothing=int(parts["filt"]), sigma=float(parts["std"]), source=parts["nav"], components=components,
        blocks=blocks if parts["nav"] == "fixedES" else (), copies=copies, hidden=20,
        attention_layers=attention_layers, direction_layers=direction_layers,
    )  # fmt: skip
    axes = {"sefa": golden("sefa_v"), "fixed": None, "ada1w": None, "adaALLw": None}.get(
        parts["nav"], golden("v_mat").T
    )
    network = NavigatorNetwork(config, axes).double()
    state = network.state_dict()
    for name in GOLDEN.files:
        if not name.startswith(f"{variant}/param/") or "filter" in name or GOLDEN[name].ndim == 0:
            continue
        ours = name.removeprefix(f"{variant}/param/")
        for theirs, mine in NAMES.items():
            if ours.startswith(theirs):
                ours = mine + ours.removeprefix(theirs)
                break
        assert state[ours].shape == golden(name).shape
        state[ours] = golden(name)
    network.load_state_dict(state)
    return network


def test_the_golden_file_has_the_variants_that_it_should():
    assert len(VARIANTS) == 15


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_variant_gives_the_authors_numbers(variant):
    network, ws = golden_navigator(variant), golden("ws_in")
    with torch.no_grad():
        for found, name in (
            (network.attention(ws), "att"), (network.directions(ws), "per_w_dir"), (network(ws), "dirs")
        ):  # fmt: skip
            torch.testing.assert_close(found, golden(f"{variant}/{name}"), rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize(("size", "sigma"), [(3, 1.0), (5, 1.0), (5, 1.7)])
def test_smoothing_is_the_authors(size, sigma):
    x = golden("smooth/x")
    torch.testing.assert_close(
        gaussian(size, sigma, x), golden(f"smooth/kernel_k{size}_s{sigma}"), rtol=1e-6, atol=1e-7
    )
    torch.testing.assert_close(
        smooth(x, size, sigma), golden(f"smooth/y_reflect_k{size}_s{sigma}"), rtol=1e-6, atol=1e-6
    )


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ((1.0, 0, 0, 0), (0.45186276, 0.27406862, 0, 0)),
        ((0.0, 1, 0, 0), (0.54813724, 0.45186276, 0.27406862, 0)),
        ((0.25, 0.25, 0.25, 0.25, 0, 0), (0.25, 0.25, 0.25, 0.18148285, 0.06851715, 0)),
    ],
)
def test_smoothing_by_hand(weights, expected):
    found = smooth(torch.tensor(weights, dtype=torch.float64), 3, 1.0)
    torch.testing.assert_close(found, torch.tensor(expected, dtype=torch.float64), rtol=1e-6, atol=1e-7)


def test_fixed_attention_by_hand_leaks_into_the_first_row_it_may_not_choose():
    attention = Attention(NavigatorConfig(1, 5, 4, attended=3, source="fixed"))
    attention.logits.data = torch.tensor([[0.0, np.log(2), np.log(4)]], dtype=torch.float32)
    found = attention(torch.zeros(2, 5, 4))
    expected = torch.tensor([0.221162, 0.324867, 0.336513, 0.156611, 0.0]).expand(2, 1, 5)
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


def test_a_soft_window_by_hand():
    attention = Attention(NavigatorConfig(1, 4, 4, attention="fixedCM", source="fixed"))
    attention.logits.data.zero_()
    attention.ends.data.zero_()
    torch.testing.assert_close(attention(torch.zeros(1, 4, 4))[0, 0], torch.tensor([0.1875, 0.25, 0.1875, 0.0]))


def test_no_smoothing_is_the_identity():
    attention = Attention(NavigatorConfig(2, 6, 4, smoothing=0, source="fixed"))
    torch.testing.assert_close(attention(torch.zeros(1, 6, 4))[0], attention.logits.softmax(1))


def test_directions_have_unit_mean_square_whatever_their_source():
    directions = Directions(NavigatorConfig(1, 2, 2, source="fixed"))
    directions.coordinates.data = torch.tensor([[3.0, 4.0]])
    torch.testing.assert_close(directions(torch.zeros(1, 2, 2))[0], torch.tensor([[0.848528, 1.131371]]))
    axes = torch.linalg.qr(torch.randn(16, 16)).Q
    for source in ("fixedE", "adaALLwE", "pca", "sefa", "ada1w"):
        made = Directions(NavigatorConfig(4, 3, 16, source=source, components=5), axes)(torch.randn(2, 3, 16))
        torch.testing.assert_close(made.norm(dim=2), torch.full((2, 4), 4.0), rtol=1e-4, atol=1e-4)


@torch.no_grad()
def test_directions_in_a_subspace_stay_in_it_and_blocks_in_theirs():
    axes = torch.linalg.qr(torch.randn(16, 16)).Q
    inside = Directions(NavigatorConfig(4, 3, 16, source="fixedE", components=5), axes)(torch.zeros(1, 3, 16))[0]
    assert float((inside @ axes[5:].T).abs().max()) < 1e-5
    config = NavigatorConfig(4, 3, 16, source="fixedES", blocks=((1, 3), (3, 4)))
    found = Directions(config, axes)(torch.zeros(1, 3, 16))[0] @ axes.T
    assert float(found[:1, 3:].abs().max()) < 1e-5
    assert float(found[1:, :3].abs().max()) < 1e-5
    assert float(found[1:, 7:].abs().max()) < 1e-5


def test_copies_repeat_all_given_directions():
    axes = torch.eye(8)[:3]
    found = Directions(NavigatorConfig(6, 3, 8, source="pca", copies=2), axes)(torch.zeros(1, 3, 8))[0]
    torch.testing.assert_close(found[:3], found[3:])


@pytest.mark.parametrize("variant", VARIANTS[:3])
def test_a_description_comes_back(variant):
    config = golden_navigator(variant).config
    assert NavigatorConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    "wrong",
    [
        {"attention": "query"}, {"source": "best"}, {"smoothing": 2}, {"smoothing": 13}, {"attended": 9},
        {"components": 0}, {"components": 17}, {"sigma": 0.0}, {"directions": 0},
        {"source": "fixedES", "blocks": ((1, 2),)}, {"source": "pca", "copies": 4}, {"attention_layers": 99},
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused(wrong):
    with pytest.raises(UsageError):
        NavigatorConfig(**{"directions": 6, "rows": 6, "w_dim": 16, "components": 4, **wrong})
    with pytest.raises(DataError):
        NavigatorConfig.from_json({"directions": 6, "rows": 6, "w_dim": 16, "components": 4, **wrong})


@pytest.mark.parametrize("wrong", [{"attention_layers": math.nan}, {"rows": 6.0}, {"copies": True}, {"w_dim": None}])
def test_counts_of_a_file_are_whole_numbers(wrong):
    with pytest.raises(DataError, match=f"{next(iter(wrong))}=.* is no whole number"):
        NavigatorConfig.from_json({"directions": 6, "rows": 6, "w_dim": 16, "components": 4, **wrong})


def test_codes_of_another_shape_are_refused():
    network = NavigatorNetwork(NavigatorConfig(2, 4, 8, source="fixed"))
    with pytest.raises(ValueError, match="expected"):
        network(torch.zeros(1, 5, 8))
