"""Targets: what is known of images, by a digest that covers all of it."""

import pickle

import numpy as np
import pytest

from ghbench.dataset import DatasetCard, Target, labels
from ghbench.errors import DataError

PEOPLE = Target("label", np.array([1, 0, 1]), "class", ("Ann", "Bo"))


def test_a_target_digest_covers_name_unit_names_shape_dtype_and_values():
    values = np.zeros((4, 2))
    others = [
        Target("points", values, "pixels", ("x", "y")),
        Target("pose", values, "pixels", ("x", "y")),
        Target("points", values, "radians", ("x", "y")),
        Target("points", values, "pixels", ("y", "x")),
        Target("points", values.reshape(2, 4), "pixels", ("x", "y")),
        Target("points", values.astype(np.float32), "pixels", ("x", "y")),
        Target("points", values + 1, "pixels", ("x", "y")),
    ]
    assert len({target.digest for target in others}) == len(others)
    assert others[0].digest == Target("points", values.copy(), "pixels", ["x", "y"]).digest


def test_rows_of_a_target_are_in_the_order_asked_for():
    some = PEOPLE.rows([2, 1])
    assert (some.values.tolist(), some.names, some.unit) == ([1, 0], ("Ann", "Bo"), "class")
    assert some.digest != PEOPLE.digest
    assert pickle.loads(pickle.dumps(some)).digest == some.digest


@pytest.mark.parametrize("values", [np.array([0, 2]), np.array([-1, 0]), np.array([0.0, 1.0]), np.array([[0, 1]])])
def test_classes_are_integers_that_index_their_names(values):
    with pytest.raises(DataError, match="target 'label'"):
        Target("label", values, "class", ("Ann", "Bo"))


def test_a_dataset_without_labels_is_named():
    class Unlabelled:
        def __init__(self):
            self.targets = {}

        def card(self):
            return DatasetCard("blank", "Blank", "CC0-1.0", "", "made here")

    with pytest.raises(DataError, match="dataset 'blank' has no labels"):
        labels(Unlabelled())


def test_what_a_program_says_is_told_apart_by_the_program_and_not_by_last_digits():
    said = Target("age", np.array([20.0, 30.0]), "years", made_by="networks")
    elsewhere = Target("age", np.array([20.000001, 30.0]), "years", made_by="networks")
    assert said.digest == elsewhere.digest != Target("age", said.values, "years", made_by="others").digest
    assert Target("age", said.values, "years").digest != Target("age", elsewhere.values, "years").digest
