"""The tasks of semantic directions on the tiny generator, with attributes that are simple enough to be known."""

import numpy as np
import pandas as pd
import pytest
import torch
from ghbench_tasks.discovery import task as module
from ghbench_tasks.discovery.face_attributes import CANDIDATES, NAMES
from ghbench_tasks.discovery.interventions import ROWS, interventions
from ghbench_tasks.discovery.pictures import Mover, change, scale_for
from ghbench_tasks.discovery.task import discovery

from ghbench import registry
from ghbench.contrafeat.files import save_navigator
from ghbench.contrafeat.navigators import Contrafeat
from ghbench.contrafeat.network.config import NavigatorConfig
from ghbench.contrafeat.network.navigator import NavigatorNetwork
from ghbench.data.resampled import DONORS, Resampled
from ghbench.errors import DataError, UsageError
from ghbench.extractor import TrainingRecord
from ghbench.generators.loading import load_generator
from ghbench.generators.rendering import seeded_z, to_uint8
from ghbench.generators.tiny import tiny_generator
from ghbench.running import runner
from ghbench.running.options import RunOptions
from ghbench.testing import check_task


class Quarters:
    """Mean brightness of the four quarters of a picture, and of its colours."""

    names = ("left-top", "right-top", "left-bottom", "right-bottom", "red", "blue")
    digest, networks, held = "quarters", (), (1, 4, 5)

    def measure(self, images):
        half = images.shape[2] // 2
        parts = [images[:, :, y : y + half, x : x + half].mean(axis=(1, 2, 3)) for y in (0, half) for x in (0, half)]
        return np.stack([*parts, images[:, 0].mean(axis=(1, 2)), images[:, 2].mean(axis=(1, 2))], axis=1)


class Grey:
    """A judge that looks at pixels."""

    def spec(self):
        return registry.build("extractor", "pixels").spec()

    def extract(self, images):
        return {"pixels": images.reshape(len(images), -1).astype(np.float32)}


class Alike:
    """People differ by their mean brightness."""

    digest = "alike"

    def distances(self, before, after):
        return np.abs(after.mean(axis=(1, 2, 3)) - before.mean(axis=(1, 2, 3)))


@pytest.fixture(autouse=True)
def small(tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path / "cache"))
    for name, value in {"JUDGE_SIDE": 32, "SPREAD_FACES": 24, "CALIBRATION": 2, "TARGET": 0.02}.items():
        monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(module, "TRIED", (0.05, 0.2, 1.0, 5.0, 25.0))
    monkeypatch.setattr(module.Discovery, "_predictor", property(lambda _: Quarters()))
    monkeypatch.setattr(module.Discovery, "_judge", property(lambda _: Grey()))
    monkeypatch.setattr(module.Discovery, "_identity", property(lambda _: Alike()))


def run(system, **options):
    task = discovery(**{"samples": 9, "size": 32, "limit": 5, **options})
    result = runner.run(system, task, RunOptions())
    return {metric.metric: metric.value for metric in result.metrics}, result


def test_directions_are_moved_measured_and_scored():
    found, result = run("ganspace:generator=tiny,directions=6")
    assert 0 <= found["named"] <= 6
    assert 1 <= found["discovered"] <= 5
    assert 0 <= found["disentanglement"] <= 1
    assert found["rows"] == pytest.approx(tiny_generator().rows, rel=1e-4)
    assert result.status == "complete"
    again, _ = run("ganspace:generator=tiny,directions=6")
    assert again == found


def test_all_methods_are_compared_at_an_equal_change_of_pictures():
    changes = []
    for name in ("ganspace", "random-directions", "sefa:rows=0-1"):
        system = f"{name}{',' if ':' in name else ':'}generator=tiny,directions=5"
        found, _ = run(system)
        mover = Mover(tiny_generator(), registry.build("extractor", system).directions, module.PSI)
        pairs = [mover.pair(seed, found["scale"], range(5)) for seed in range(3_000_000, 3_000_002)]
        changes.append(np.mean([change(Grey(), 32, one, other).mean() for one, other in pairs]))
    np.testing.assert_allclose(changes, module.TARGET, rtol=0.15)


def test_scores_are_those_of_the_mean_shifts(monkeypatch):
    rows = [(direction, seed, a, float(value)) for direction, values in
            enumerate(([[2, 1], [4, 1]], [[0, -3], [0, 1]])) for seed, shifts in enumerate(values)
            for a, value in enumerate(shifts)]  # fmt: skip
    records = pd.DataFrame(rows, columns=["direction", "seed", "attribute", "shift"])
    about = pd.DataFrame({"direction": [0, 1], "seed": -1, "attribute": -1, "rows": [2.0, 4.0], "scale": 0.5})
    faces = pd.DataFrame({"direction": [0, 1, 0], "seed": [0, 0, 1], "attribute": -1, "shift": [1.8, 2.2, 0.4]})
    spreads = pd.DataFrame({"direction": -1, "seed": -1, "attribute": [-1, 0, 1], "shift": [2.0, 1.0, 2.0]})
    records = pd.concat([records, faces, about, spreads], ignore_index=True)
    task = discovery()
    monkeypatch.setattr(Quarters, "held", (0, 1))
    found = {score.metric: score.value for score in task.score(records)}
    # Means: direction 0 (3, 1), direction 1 (0, -1); standardised (3, .5) and (0, -.5).
    assert found["disentanglement-raw"] == pytest.approx((2 + 1) / 2)
    assert found["disentanglement"] == pytest.approx((2 / 3 + 1) / 2)
    assert (found["discovered"], found["named"], found["rows"], found["scale"]) == (2, 1, 3, 0.5)
    assert found["effect"] == pytest.approx((3 + 0.5) / 2)
    assert found["identity-loss"] == pytest.approx((0.9 + 1.1 + 0.2) / 3)
    units = task.units(records)
    weighted = {s.metric: s.value for s in task.score(records, units.weights(np.array([2.0, 0.0])))}
    assert weighted["disentanglement-raw"] == pytest.approx((1 + 3) / 2)
    assert weighted["identity-loss"] == pytest.approx((0.9 + 1.1) / 2)


def test_what_is_held_back_from_searches_is_scored_alone():
    shifts = [(direction, a, value) for direction, values in enumerate(([3, 1, 0, 0, 2, 1], [0, 1, 4, 3, 0, 0])) for
              a, value in enumerate(values)]  # fmt: skip
    records = pd.DataFrame([(d, 0, a, float(v)) for d, a, v in shifts],
                           columns=["direction", "seed", "attribute", "shift"])  # fmt: skip
    extra = [(0, 0, -1, 0.2), *((-1, -1, a, 1.0) for a in range(-1, 6))]
    records = pd.concat([records, pd.DataFrame(extra, columns=records.columns)]).assign(rows=1.0, scale=1.0)
    found = {score.metric: score.value for score in discovery().score(records)}
    assert found["selectivity"] == pytest.approx(((3 - 2) / 3 + (4 - 3) / 4) / 2)
    # Numbers 1, 4 and 5 are held.
    assert found["selectivity-held"] == pytest.approx(((2 - 1) / 2 + 1) / 2)


def test_a_scale_between_those_that_were_tried():
    assert scale_for(0.2, (1.0, 4.0), (0.1, 0.4)) == pytest.approx(2.0)
    for changes in ((0.3, 0.4), (0.1, 0.15), (0.2, 0.1)):
        with pytest.raises(DataError, match="no scale"):
            scale_for(0.2, (1.0, 4.0), changes)


def test_what_cannot_be_moved():
    with pytest.raises(UsageError):
        discovery(samples=1)
    mover = Mover(tiny_generator(), lambda codes: np.full((1, 3, *codes.shape[1:]), np.nan), 0.5)
    with pytest.raises(DataError, match="not finite"):
        mover.pair(0, 1.0, [0])
    with pytest.raises(DataError, match="expected"):
        Mover(tiny_generator(), lambda _: np.zeros((3, 2)), 0.5).pair(0, 1.0, [0])


def test_the_frozen_attributes_are_candidates():
    assert set(NAMES) < set(CANDIDATES)
    assert len(NAMES) == 21


def test_one_row_of_the_code_is_another_and_nothing_else():
    dataset = Resampled(3, "tiny")
    rows = tiny_generator().rows
    assert len(dataset) == 3 * (rows + 1)
    assert dataset.ids[rows + 1] == "seed-0004000001/whole"
    generator = tiny_generator()
    with torch.no_grad():
        own, donor = (generator.mapping(seeded_z([4_000_001 + more], 16), 0.7) for more in (0, DONORS))
        for place, row in ((rows + 1, None), (rows + 1 + 3, 2)):
            ws = own.clone()
            if row is not None:
                ws[:, row] = donor[:, row]
            expected = to_uint8(generator.synthesis(ws))[0].transpose(1, 2, 0)
            assert np.abs(dataset.image(place).astype(int) - expected).max() <= 1
    assert len(set(dataset.identities())) == len(dataset)
    with pytest.raises(UsageError):
        Resampled(1, "tiny")


def test_shares_of_rows_by_hand(monkeypatch):
    monkeypatch.setattr("ghbench_tasks.discovery.interventions.ROWS", 2)
    records = pd.DataFrame({
        "row": [0, 0, 0, 1, 1, 1, -1, -1, -1], "picture": [0, 1, 2] * 3, "other": [0, 1, 2, 0, 1, 2, 1, 2, 0],
        "distance": [1.0, 3.0, 2.0, 0.0, 1.0, 2.0, 4.0, 8.0, 6.0],
    })  # fmt: skip
    found = interventions().score(records)
    assert [score.metric for score in found] == ["centre", "row-0", "row-1"]
    assert [score.value for score in found] == pytest.approx([1 / 3, 1 / 3, 1 / 6])
    # Without a picture, one pair of whole ones is left: of 8, 6 and 4.
    for place, without in ((1, [2.5 / 8, 1.5 / 6, 2 / 4]), (2, [1.5 / 8, 1 / 6, 0.5 / 4])):
        assert found[place].standard_error == pytest.approx(np.std(without) * np.sqrt(2))


def test_pixels_have_a_profile_that_adds_up_to_nearly_one():
    result = runner.run("pixels", interventions(registry.parse("resampled:count=12,generator=tiny")), RunOptions())
    shares = {metric.metric: metric.value for metric in result.metrics if metric.metric != "centre"}
    assert set(shares) == {f"row-{row}" for row in range(tiny_generator().rows)}
    assert 0.2 < sum(shares.values()) < 3
    assert result.status == "complete"


def test_both_tasks_keep_the_contract():
    check_task(interventions(registry.parse("resampled:count=6,generator=tiny")))
    check_task(discovery(samples=9, size=32, limit=3))


def test_the_default_pictures_have_as_many_rows_as_the_task_says():
    assert load_generator("mobile-stylegan-ffhq:size=128").rows == ROWS


def test_faces_are_moved_by_an_equal_change_along_directions_with_names(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "JUDGE", "pixels:size=32")
    torch.manual_seed(0)
    generator = tiny_generator()
    path, digest = tmp_path / "navigator.safetensors", load_generator_spec().weights_digest
    save_navigator(
        path, NavigatorNetwork(NavigatorConfig(3, generator.rows, 16, source="fixed")), licence="Apache-2.0",
        record=TrainingRecord(networks=(digest,)),
        about={"generator": "tiny", "generator_digest": digest, "names": {"smile": [2, -1.0], "yaw": [0, 1.0]}},
    )  # fmt: skip
    spec = f"moved-faces:navigator=contrafeat,navigator.weights={path},count=4,size=32"
    dataset = registry.build("dataset", spec)
    assert dataset.ids[:3] == ("seed-0004000000/whole", "seed-0004000000/smile", "seed-0004000000/yaw")
    for name, scale in dataset.scales.items():
        mover = Mover(generator, Contrafeat(str(path)).directions, module.PSI)
        number, sign = {"smile": (2, -1), "yaw": (0, 1)}[name]
        pairs = [[mover.moved(seed, number, way) for way in (0, 2 * sign * scale)] for seed in (3_000_000, 3_000_001)]
        judge = registry.build("extractor", module.JUDGE)
        found = np.mean([change(judge, 32, one, other).mean() for one, other in pairs])
        assert found == pytest.approx(module.TARGET, rel=0.4)
    with torch.no_grad():
        ws = generator.mapping(seeded_z([4_000_001], 16), module.PSI)
        move = torch.from_numpy(Contrafeat(str(path)).directions()[2])
        expected = to_uint8(generator.synthesis(ws - 2 * dataset.scales["smile"] * move))[0].transpose(1, 2, 0)
    assert np.abs(dataset.image(4).astype(int) - expected).max() <= 1
    result = runner.run("pixels", interventions(registry.parse(spec)), RunOptions())
    assert {metric.metric for metric in result.metrics} == {"smile", "yaw"}
    with pytest.raises(UsageError, match="names"):
        registry.build("dataset", "moved-faces:navigator=ganspace,navigator.generator=tiny")


def load_generator_spec():
    return registry.build("generator", "tiny").spec()
