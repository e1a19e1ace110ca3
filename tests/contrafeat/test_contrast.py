"""The losses against arrays of the author's program, and against cases computed by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ghbench.contrafeat.training.changes import Agreement, agreement, change_masks, feature_changes
from ghbench.contrafeat.training.losses import (
    Weights,
    binary_contrast,
    diversity,
    prototype_contrast,
    prototype_likeness,
)
from ghbench.contrafeat.training.rivals import all_directions_contrast

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "zhu_discover_loss.npz", allow_pickle=False)
QUERY, POSITIVE, NEGATIVE = ((0, 1, 2, 4), (0, 0, 0, 0)), ((0, 2, 2, 0), (0, 0, 2, 4)), ((0, 0, 0, 4), (4, 2, 1, 0))


def golden(name):
    return torch.from_numpy(np.array(GOLDEN[name])).double()


def used(layers, row):
    count = int(row["sensor_used_layers"])
    return layers[-count:] if row["use_feat_from_top"] else layers[:count]


COLUMNS = (
    "norm_on_depth", "use_norm_mask", "divide_mask_sum", "use_norm_as_mask", "mask_after_square", "union_spatial",
    "abs_diff", "neg_on_self", "use_feat_from_top", "sensor_used_layers", "norm_lamb", "pos_lamb", "neg_lamb",
)  # fmt: skip


def how_of(row):
    return Agreement(
        masked=bool(row["use_norm_mask"]), jointly=bool(row["norm_on_depth"]), norms=bool(row["use_norm_as_mask"]),
        united=bool(row["union_spatial"]), weigh_squares=bool(row["mask_after_square"]), absolute=bool(row["abs_diff"]),
        divided=bool(row["divide_mask_sum"]),
    )  # fmt: skip


def changes_of(features, how, *, on_self=False):
    starts, others, ends, positive, negative = ([layer.split(4)[part] for layer in features] for part in range(5))
    return [
        feature_changes(ends, starts, how), feature_changes(positive, others, how),
        feature_changes(negative, starts if on_self else others, how),
    ]  # fmt: skip


def features(prefix="bin/feat"):
    return [golden(f"{prefix}{layer}") for layer in range(3)]


def test_all_switches_of_the_binary_loss_give_the_authors_numbers():
    table, expected = GOLDEN["bin/cfg"], golden("bin/loss_per_pair")
    found = []
    for values in table:
        row = dict(zip(COLUMNS, values.tolist(), strict=True))
        how = how_of(row)
        query, positive, negative = changes_of(used(features(), row), how, on_self=bool(row["neg_on_self"]))
        weights = Weights(row["pos_lamb"], row["neg_lamb"], row["norm_lamb"])
        found.append(binary_contrast(query, positive, negative, how, weights))
    torch.testing.assert_close(torch.stack(found), expected, rtol=2e-4, atol=1e-5)


@pytest.mark.parametrize(("prefix", "jointly"), [("default", True), ("cli", False)])
def test_the_binary_loss_and_its_gradients(prefix, jointly):
    layers = [layer.requires_grad_() for layer in features()]
    how = Agreement(jointly=jointly)
    loss = binary_contrast(*changes_of(layers, how), how, Weights())
    torch.testing.assert_close(loss.detach(), golden(f"bin/{prefix}_loss_per_pair"), rtol=2e-4, atol=1e-5)
    for layer, gradient in enumerate(torch.autograd.grad(loss.mean(), layers)):
        torch.testing.assert_close(gradient, golden(f"bin/{prefix}_grad{layer}"), rtol=2e-3, atol=1e-5)


@pytest.mark.parametrize(("jointly", "name"), [(True, "depth"), (False, "layer")])
def test_masks_are_the_authors(jointly, name):
    how = Agreement(jointly=jointly)
    for layer, mask in enumerate(change_masks(changes_of(features(), how)[0], how)):
        torch.testing.assert_close(mask, golden(f"bin/mask_{name}_q{layer}"), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("masked", "name"), [(True, "catdiff"), (False, "catdiff_nomask")])
def test_layers_joined_to_one(masked, name):
    how = Agreement(masked=masked, joined=True)
    loss = binary_contrast(*changes_of(features(), how), how, Weights())
    torch.testing.assert_close(loss, golden(f"bin/{name}_loss_per_pair"), rtol=2e-4, atol=1e-5)


def prototype_case():
    layers = [feature_changes([layer[8:]], [layer[:8]], Agreement())[0] for layer in features("proto/out")]
    return layers, features("proto/mem"), torch.from_numpy(np.array(GOLDEN["proto/q_idx"])).long()


def test_all_switches_of_the_prototype_loss_give_the_authors_numbers():
    names = (
        "use_norm_mask", "use_norm_as_mask", "use_feat_from_top", "with_contrast_mat", "sensor_used_layers",
        "pos_lamb", "neg_lamb",
    )  # fmt: skip
    changes, prototypes, which = prototype_case()
    for number, values in enumerate(GOLDEN["proto/cfg"]):
        row = dict(zip(names, values.tolist(), strict=True))
        how = Agreement(masked=bool(row["use_norm_mask"]), norms=bool(row["use_norm_as_mask"]))
        among = golden("proto/contrast_mat") if row["with_contrast_mat"] else None
        mine, theirs = used(changes, row), used(prototypes, row)
        loss = prototype_contrast(mine, theirs, which, how, Weights(row["pos_lamb"], row["neg_lamb"]), among)
        torch.testing.assert_close(loss, golden("proto/loss")[number], rtol=2e-4, atol=1e-5)
        likeness = prototype_likeness(theirs, how, among)
        torch.testing.assert_close(likeness, golden("proto/memdiv_loss")[number], rtol=2e-4, atol=1e-5)


def test_the_prototype_loss_and_its_gradients():
    outputs = [layer.requires_grad_() for layer in features("proto/out")]
    prototypes = [layer.requires_grad_() for layer in features("proto/mem")]
    changes = [layer[8:] - layer[:8] for layer in outputs]
    loss = prototype_contrast(changes, prototypes, prototype_case()[2], Agreement(), Weights())
    torch.testing.assert_close(loss.detach(), golden("proto/default_loss")[0], rtol=2e-4, atol=1e-5)
    gradients = torch.autograd.grad(loss, [*outputs, *prototypes])
    for layer in range(3):
        torch.testing.assert_close(gradients[layer], golden(f"proto/default_grad_out{layer}"), rtol=2e-3, atol=1e-5)
        torch.testing.assert_close(gradients[3 + layer], golden(f"proto/default_grad_mem{layer}"), rtol=2e-3, atol=1e-5)


def test_diversity_is_the_authors():
    torch.testing.assert_close(diversity(golden("div/delta")), golden("div/loss")[0], rtol=1e-5, atol=1e-7)


def test_diversity_by_hand():
    def of(*rows):
        return float(diversity(torch.tensor(rows)[None, :, None]))

    assert of((1.0, 0.0), (0.0, 3.0)) == 0
    assert of((1.0, 0.0), (-2.0, 0.0), (5.0, 0.0)) == pytest.approx(6)
    assert of((1.0, 0.0), (1.0, 1.0), (0.0, 2.0)) == pytest.approx(2)


def layer(rows):
    return torch.tensor(rows, dtype=torch.float64)[None, :, None, :]


@pytest.mark.parametrize(
    ("how", "alike", "unlike"),
    [
        (Agreement(), 0.052839, 0.923076),
        (Agreement(weigh_squares=True), 0.204103, 0.923076),
        (Agreement(absolute=True), 0.253626, 0.923076),
        (Agreement(masked=False), 0.375, 0.25),
    ],
)
def test_two_channels_and_four_places_by_hand(how, alike, unlike):
    query, positive, negative = layer(QUERY), layer(POSITIVE), layer(NEGATIVE)
    masks = [change_masks([one], how)[0] for one in (query, positive, negative)]
    torch.testing.assert_close(
        masks[0][0, 0], torch.tensor([0, 0.25, 0.5, 1.0], dtype=torch.float64), atol=1e-5, rtol=0
    )
    assert float(agreement(query, positive, masks[0], masks[1], how)) == pytest.approx(alike, abs=2e-6)
    assert float(agreement(query, negative, masks[0], masks[2], how)) == pytest.approx(unlike, abs=2e-6)


def test_three_places_by_hand():
    query = layer(((0.0, 0.5, 1.0),))
    for how, expected in ((Agreement(), -0.85), (Agreement(weigh_squares=True), -1.0)):
        loss = binary_contrast([query], [query], [query], how, Weights(negative=0.0))
        assert float(loss) == pytest.approx(expected, abs=5e-6)


def test_two_prototypes_by_hand():
    prototypes = [torch.cat([layer(POSITIVE), layer(NEGATIVE)])]
    loss = prototype_contrast([layer(QUERY)], prototypes, torch.tensor([0]), Agreement(), Weights())
    assert float(loss) == pytest.approx(0.870236, abs=5e-6)


def test_a_change_that_is_everywhere_the_same_or_nowhere_gives_numbers_and_gradients():
    for value in (0.0, 2.0):
        change = torch.full((1, 2, 3, 3), value, requires_grad=True)
        loss = binary_contrast([change], [change], [change], Agreement(), Weights()).sum()
        assert float(loss.detach()) == 0
        (gradient,) = torch.autograd.grad(loss, change)
        assert bool(torch.isfinite(gradient).all())


def test_latentclr_is_the_authors():
    count, directions, sharpness = GOLDEN["xent/b_nv_temp"].tolist()
    assert sharpness == 0.5
    layers = [golden(f"xent/feat{layer}").flatten(1) for layer in range(3)]
    features = torch.cat(layers, dim=1)
    start, ends = features[: int(count)], features[int(count) :]
    changes = ends - start.repeat(int(directions), 1)
    torch.testing.assert_close(
        all_directions_contrast(changes, int(directions)), golden("xent/loss")[0], rtol=1e-4, atol=1e-5
    )


def test_latentclr_of_perfect_clusters_and_of_no_difference():
    perfect = torch.eye(3).repeat_interleave(4, dim=0)
    assert float(all_directions_contrast(perfect, 3)) == pytest.approx(-0.5)
    assert float(all_directions_contrast(torch.ones(12, 3), 3)) == pytest.approx(0, abs=1e-6)
