"""Sprites: what the factors do to a picture, and that nothing else does."""

import hashlib
import itertools

import numpy as np
import pytest

from ghbench.data.sprites import FACTORS, MARGIN, SHAPES, SIDE, Sprites, drawn, factors_of
from ghbench.errors import UsageError

MIDDLE = [0, 0, 5, 0, 8, 8, 0]


def changed(**values):
    names = list(FACTORS)
    return drawn([values.get(name, value) for name, value in zip(names, MIDDLE, strict=True)])


def test_every_value_of_every_factor_gives_another_picture():
    for name, count in FACTORS.items():
        assert count <= 20
        images = [changed(**{name: value}).tobytes() for value in range(count)]
        assert len(set(images)) == count, name


def test_no_shape_looks_the_same_after_a_turn():
    for shape in range(len(SHAPES)):
        images = [changed(shape=shape, orientation=value).astype(int) for value in range(FACTORS["orientation"])]
        for one, other in itertools.combinations(images, 2):
            assert (np.abs(one - other).max(axis=2) > 100).sum() > 20


def test_shapes_stay_within_the_picture_and_are_where_they_should_be():
    for x, y, shape, orientation in itertools.product((0, 15), (0, 15), range(len(SHAPES)), range(0, 20, 3)):
        image = changed(x=x, y=y, shape=shape, orientation=orientation).astype(int)
        inside = np.abs(image - image[0, 0]).max(axis=2) > 0
        edge = np.concatenate([inside[0], inside[-1], inside[:, 0], inside[:, -1]])
        assert not edge.any()
        centre = [places.mean() + 0.5 for places in np.nonzero(inside)[::-1]]
        expected = [SIDE * (MARGIN + (1 - 2 * MARGIN) * value / 15) for value in (x, y)]
        np.testing.assert_allclose(centre, expected, atol=1.5)


def test_a_larger_scale_covers_more_by_its_square():
    areas = [(np.abs(changed(scale=s).astype(int) - changed(scale=s)[0, 0]).max(2) > 100).sum() for s in (0, 5)]
    assert areas[1] / areas[0] == pytest.approx(4, rel=0.1)


def test_pictures_are_the_same_for_ever():
    digest = hashlib.sha256(b"".join(drawn(factors_of(seed)).tobytes() for seed in range(50))).hexdigest()
    assert digest == "a91ebc355bf3b89ef41f4c08ea9004cda2589f8c40665c0646d7a06fbb00d1d5"


def test_the_dataset_keeps_its_contract():
    dataset = Sprites(40, 20)
    assert len(dataset) == 60
    assert {name: len(rows) for name, rows in dataset.splits.items()} == {"train": 40, "test": 20}
    factors = dataset.targets["factors"].values
    assert factors.shape == (60, 7)
    np.testing.assert_array_equal(dataset.image(41), drawn(factors[41]))
    assert len(set(dataset.identities())) == 60
    assert dataset.card().domain == "renderer"
    assert Sprites(41, 20).ids[:40] == dataset.ids[:40]
    with pytest.raises(UsageError):
        Sprites(0, 0)


def test_factors_are_uniform_and_independent():
    values = np.stack([factors_of(seed) for seed in range(4000)])
    for place, count in enumerate(FACTORS.values()):
        share = np.bincount(values[:, place], minlength=count) / len(values)
        assert np.abs(share - 1 / count).max() < 0.03
    assert np.abs(np.corrcoef(values.T) - np.eye(7)).max() < 0.06
