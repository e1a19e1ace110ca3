"""The task on codes that are known: the factors themselves, turned, and noise."""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from ghbench_tasks.disentanglement import WIDEST, disentanglement

from ghbench import registry
from ghbench.dataset import Target
from ghbench.errors import DataError, UsageError
from ghbench.running import runner
from ghbench.running.options import RunOptions


@pytest.fixture(autouse=True)
def small(tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path / "cache"))
    from ghbench_tasks import disentanglement as module

    few = {"train": 300, "test": 150, "batch": 16}
    for name in ("factor_vae", "beta_vae"):
        plain = getattr(module.voting, name)
        monkeypatch.setattr(module.voting, name, partial(plain, **few))


def records(codes, factors, test):
    frame = pd.DataFrame({"test": test})
    for number, column in enumerate(factors.T):
        frame[f"factor-{number}"] = column
    for number, column in enumerate(codes.T):
        frame[f"code-{number}"] = column.astype(np.float32)
    return frame


def scored(codes, factors):
    test = np.arange(len(codes)) >= len(codes) // 3
    return {score.metric: score for score in disentanglement().score(records(codes, factors, test))}


def test_the_factors_themselves_are_disentangled_and_noise_is_not():
    rng = np.random.default_rng(0)
    factors = rng.integers(0, 4, (1200, 3))
    perfect, noise = scored(factors.astype(float), factors), scored(rng.normal(size=(1200, 3)), factors)
    for name in ("mig", "modularity", "sap", "factor-vae", "irs"):
        assert perfect[name].value > 0.95, name
        assert noise[name].value < perfect[name].value - 0.2, name
        assert perfect[name].standard_error < 0.05
    assert noise["factor-vae"].value < 0.6
    assert perfect["total-correlation"].value < 0.05


def test_a_code_that_never_varies_scores_nothing():
    factors = np.random.default_rng(0).integers(0, 3, (600, 2))
    found = scored(np.zeros((600, 3)), factors)
    assert {name: found[name].value for name in ("mig", "sap", "factor-vae", "irs", "modularity")} == dict.fromkeys(
        ("mig", "sap", "factor-vae", "irs", "modularity"), 0
    )


def test_weights_are_numbers_of_records():
    factors = np.random.default_rng(0).integers(0, 3, (600, 2))
    table = records(factors + 0.5, factors, np.arange(600) >= 200)
    task, twice = disentanglement(), np.full(600, 2.0)
    one, two = (task.score(table, weight) for weight in (None, twice))
    assert [score.value for score in one][:3] == pytest.approx([score.value for score in two][:3], abs=1e-6)


def test_thumbnails_of_sprites_from_end_to_end():
    task = disentanglement(registry.parse("sprites:train=150,test=250"))
    result = runner.run("thumbnail:size=4", task, RunOptions())
    found = {metric.metric: metric.value for metric in result.metrics}
    assert set(found) == {metric.name for metric in task.metrics}
    assert 0 <= found["mig"] < 0.5
    with pytest.raises(UsageError, match=f"{WIDEST} at most"):
        runner.run("thumbnail:size=16", task, RunOptions())


def test_the_ceiling_and_chance_stand_in_the_table():
    task = disentanglement(registry.parse("sprites:train=400,test=1500"))
    found = {}
    for name in ("identity-code", "random-code"):
        result = runner.run(name, task, RunOptions())
        found[name] = {metric.metric: metric.value for metric in result.metrics}
    ceiling, chance = found["identity-code"], found["random-code"]
    assert ceiling["mig"] > 0.9
    assert {name: ceiling[name] for name in ("sap", "factor-vae", "irs")} == pytest.approx(
        {"sap": 1, "factor-vae": 1, "irs": 1}, abs=0.03
    )
    assert chance["mig"] < 0.02
    assert chance["explicitness"] == pytest.approx(0.5, abs=0.03)
    assert chance["factor-vae"] == pytest.approx(1 / 7, abs=0.1)
    assert {row.name for row in task.references if row.floor} == {"thumbnail:size=4", "random-code"}
    assert task.constant("pixels") is None


def test_dci_by_either_trees_has_names_of_its_own():
    pytest.importorskip("lightgbm")
    factors = np.random.default_rng(0).integers(0, 3, (600, 2))
    table = records(factors + 0.5, factors, np.arange(600) >= 300)
    for dci, ending in ((True, ""), ("lgbm", "[lgbm]")):
        task = disentanglement(dci=dci)
        found = {score.metric: score.value for score in task.score(table)}
        assert found[f"dci-disentanglement{ending}"] == pytest.approx(1, abs=1e-6)
        assert found[f"dci-informativeness{ending}"] == 1
        assert registry.build("task", task.name).name == task.name
        assert {metric.name for metric in task.metrics} == set(found)


def test_factors_count_from_the_smallest_of_both_splits_and_constant_ones_are_left_out():
    factors = np.random.default_rng(0).integers(0, 3, (90, 3))
    factors[:, 1], factors[40:, 2] = 1, np.maximum(factors[40:, 2], 1)
    datasets = {
        role: SimpleNamespace(
            targets={"factors": Target("factors", part, "number")}, card=lambda: SimpleNamespace(name="some")
        )
        for role, part in (("train", factors[:40]), ("test", factors[40:]))
    }
    task = disentanglement()
    task.check_datasets(datasets)
    inputs = SimpleNamespace(
        subject=task.constant("identity-code"), datasets=datasets, context=SimpleNamespace(rng=np.random.default_rng)
    )
    outcome = task.evaluate(inputs)
    np.testing.assert_array_equal(outcome.records[["code-0", "code-1"]], factors[:, [0, 2]])
    assert outcome.notes == ("factors that never vary, and are left out: 1",)
    assert not outcome.records.duplicated().any()  # though there are few different images


def test_parts_do_not_follow_the_order_of_the_factors():
    factors = np.stack(np.meshgrid(*[np.arange(5)] * 4, indexing="ij"), axis=-1).reshape(-1, 4)
    found = scored(factors.astype(float), factors)
    assert found["mig"].value > 0.9
    assert found["mig"].standard_error > 0


def test_images_without_factors_are_refused():
    task = disentanglement(registry.parse("digits"))
    with pytest.raises(DataError, match="factors"):
        task.check_datasets({"test": task.dataset})
    with pytest.raises(UsageError, match="no split"):
        task.roles()
