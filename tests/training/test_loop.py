"""The training loop: the same images in the same order with the same chance, interrupted or not."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from ghbench.errors import DataError, UsageError
from ghbench.training.averages import MovingAverage
from ghbench.training.loop import Schedule, train
from ghbench.training.machine import Machine
from ghbench.training.order import rows_at, step_seed
from ghbench.training.recipe import Recipe
from ghbench.training.run_folder import RunFolder


class Line(Recipe):
    """Fits a line to points; chance enters through noise on the inputs."""

    name = "line"
    items, batch = 10, 4

    def __init__(self, rate=0.05):
        self.model = torch.nn.Linear(1, 1)
        torch.nn.init.zeros_(self.model.weight)
        torch.nn.init.zeros_(self.model.bias)
        self.networks = {"model": self.model}
        self.averages = {"model": MovingAverage(self.model, 20)}
        self.optimisers = {"model": torch.optim.Adam(self.model.parameters(), rate)}
        self.rate, self.rows, self.exported = rate, [], None

    def describe(self):
        return {"rate": self.rate}

    def prepare(self, machine):
        self.machine = machine

    def step(self, batch):
        self.rows.append(batch.rows.tolist())
        x = torch.tensor(batch.rows, dtype=torch.float32)[:, None] / 10
        loss = (self.model(x + 0.1 * torch.randn_like(x)) - (2 * x + 1)).square().mean()
        self.machine.update(self.optimisers["model"], loss)
        return {"loss": loss}

    def pictures(self):
        return np.zeros((2, 3, 3), dtype=np.uint8)

    def evaluate(self, *, final):
        return {"weight": self.model.weight.item()}

    def export(self, folder, history):
        self.exported = history


@pytest.fixture
def machine():
    return Machine(accelerator="cpu", precision="32-true", compiled=False)


def weights(recipe):
    return {name: value.clone() for name, value in recipe.averages["model"].module.state_dict().items()}


def test_every_epoch_shows_every_row_once_in_another_order():
    rows = rows_at(10, 0, 30, seed=3)
    assert [sorted(rows[start : start + 10]) for start in (0, 10, 20)] == [list(range(10))] * 3
    assert list(rows[:10]) != list(rows[10:20])


def test_the_order_does_not_depend_on_how_it_is_cut():
    whole = rows_at(7, 0, 40, seed=1)
    parts = [rows_at(7, first, 5, seed=1) for first in range(0, 40, 5)]
    np.testing.assert_array_equal(whole, np.concatenate(parts))


def test_seeds_of_steps_and_processes_differ():
    assert len({step_seed(0, step, rank) for step in range(20) for rank in range(3)}) == 60


def test_interrupted_equals_uninterrupted(tmp_path, machine):
    schedule = Schedule(images=80, log_every=16, pictures_every=0)
    straight = Line()
    train(straight, schedule, RunFolder(tmp_path / "a"), machine)

    seen = []
    for stop_after in (3, 5, 100):
        recipe, steps = Line(), iter(range(stop_after))
        outcome = train(
            recipe, schedule, RunFolder(tmp_path / "b"), machine, stop=lambda steps=steps: next(steps, None) is None
        )
        seen += recipe.rows
    assert outcome.finished
    assert seen == straight.rows
    for name, value in weights(straight).items():
        torch.testing.assert_close(weights(recipe)[name], value, rtol=0, atol=0)
    losses = [[line["loss"] for line in RunFolder(tmp_path / run).history() if "loss" in line] for run in "ab"]
    assert losses[0] == losses[1]
    assert len(losses[0]) == 5


def test_killed_between_checkpoints_the_log_is_written_once(tmp_path, machine):
    schedule = Schedule(images=80, log_every=8)
    folder = RunFolder(tmp_path / "run")

    class KilledError(Exception):
        pass

    def die():
        if len(recipe.rows) == 12:
            raise KilledError
        return len(recipe.rows) == 5

    recipe = Line()
    assert train(recipe, schedule, folder, machine, stop=die).shown == 20
    recipe = Line()
    with pytest.raises(KilledError):
        train(recipe, schedule, folder, machine, stop=lambda: die() and False)
    recipe = Line()
    train(recipe, schedule, folder, machine)
    shown = [line["shown"] for line in folder.history() if "loss" in line]
    assert shown == list(range(8, 81, 8))


def test_a_damaged_checkpoint_falls_back_to_the_one_before(tmp_path, machine):
    folder = RunFolder(tmp_path / "run")
    for stop_after in (2, 2):
        steps = iter(range(stop_after))
        train(Line(), Schedule(images=80), folder, machine, stop=lambda steps=steps: next(steps, None) is None)
    newest = folder.checkpoints()[-1]
    newest.write_bytes(newest.read_bytes()[:100])
    recipe = Line()
    with pytest.warns(UserWarning, match="state-"):
        train(recipe, Schedule(images=80), folder, machine)
    straight = Line()
    train(straight, Schedule(images=80), RunFolder(tmp_path / "straight"), machine)
    torch.testing.assert_close(weights(recipe), weights(straight), rtol=0, atol=0)


def test_when_no_checkpoint_can_be_read_it_says_so(tmp_path, machine):
    folder = RunFolder(tmp_path / "run")
    train(Line(), Schedule(images=8), folder, machine)
    for path in folder.checkpoints():
        path.write_bytes(b"nothing")
    with pytest.warns(UserWarning, match="state-"), pytest.raises(DataError, match="checkpoint"):
        train(Line(), Schedule(images=80), folder, machine)


def test_checkpoints_execute_nothing(tmp_path, machine):
    import pickle

    class Payload:
        def __reduce__(self):
            return (open, (str(tmp_path / "executed"), "w"))

    folder = RunFolder(tmp_path / "run")
    train(Line(), Schedule(images=8), folder, machine)
    for path in folder.checkpoints():
        path.write_bytes(pickle.dumps(Payload()))
    with pytest.warns(UserWarning, match="state-"), pytest.raises(DataError):
        train(Line(), Schedule(images=80), folder, machine)
    assert not (tmp_path / "executed").exists()


def test_other_settings_are_refused_and_more_images_are_not(tmp_path, machine):
    folder = RunFolder(tmp_path / "run")
    train(Line(), Schedule(images=8), folder, machine)
    with pytest.raises(UsageError, match=r"rate: .*0\.05.* 0\.1"):
        train(Line(rate=0.1), Schedule(images=8), folder, machine)
    assert train(Line(), Schedule(images=16), folder, machine).shown == 16


def test_two_processes_cannot_train_one_run(tmp_path, machine):
    folder = RunFolder(tmp_path / "run")
    with folder.lock(), pytest.raises(UsageError, match="another process"):
        train(Line(), Schedule(images=8), RunFolder(tmp_path / "run"), machine)


def test_gradients_that_are_not_finite_move_nothing(machine):
    recipe = Line()
    before = weights(recipe)
    loss = recipe.model(torch.full((1, 1), torch.nan)).sum()
    assert not machine.update(recipe.optimisers["model"], loss)
    assert (machine.updates_lost(), machine.updates_lost()) == (1, 0)
    torch.testing.assert_close(recipe.model.state_dict(), before)


def test_losses_that_stay_nan_end_the_run(tmp_path, machine):
    class Broken(Line):
        def step(self, batch):
            return {"loss": torch.tensor(torch.nan)}

    with pytest.raises(DataError, match="not finite"):
        train(Broken(), Schedule(images=400, log_every=4), RunFolder(tmp_path / "run"), machine)


def test_updates_that_are_all_lost_end_the_run(tmp_path, machine):
    class Lost(Line):
        def step(self, batch):
            loss = self.model.weight.sum()
            self.machine.update(self.optimisers["model"], loss * torch.inf)
            return {"loss": loss}

    with pytest.raises(DataError, match="gradients are not finite"):
        train(Lost(), Schedule(images=400), RunFolder(tmp_path / "run"), machine)


def test_a_regulariser_s_mean_is_of_its_own_steps(tmp_path, machine):
    class Lazy(Line):
        def step(self, batch):
            return {**super().step(batch), **({"r1": torch.tensor(3.0)} if batch.step % 4 == 0 else {})}

    folder = RunFolder(tmp_path / "run")
    train(Lazy(), Schedule(images=64, log_every=32), folder, machine)
    assert [line["r1"] for line in folder.history() if "r1" in line] == [3.0, 3.0]


def test_a_finished_run_is_not_shortened(tmp_path, machine):
    folder = RunFolder(tmp_path / "run")
    train(Line(), Schedule(images=80), folder, machine)
    with pytest.raises(UsageError, match="already seen 80 images, more than 40"):
        train(Line(), Schedule(images=40), folder, machine)


def test_checkpoints_of_another_recipe_are_refused(tmp_path, machine):
    class Deeper(Line):
        def __init__(self):
            super().__init__()
            self.networks = {"other": self.model}

    folder = RunFolder(tmp_path / "run")
    train(Line(), Schedule(images=8), folder, machine)
    with pytest.raises(DataError, match="another recipe or version"):
        train(Deeper(), Schedule(images=16), folder, machine)


class Diverging(Line):
    """From some image on, one weight is NaN or infinite, or the weights stay as they are and give no losses."""

    def __init__(self, kind, after):
        super().__init__()
        self.kind, self.after = kind, after

    def step(self, batch):
        losses = super().step(batch)
        if batch.shown < self.after:
            return losses
        if self.kind != "losses":
            with torch.no_grad():
                where = self.model if self.kind == "weights" else self.averages["model"].module
                where.weight.fill_(torch.nan if self.kind == "weights" else torch.inf)
            return losses
        return {"loss": losses["loss"] * torch.nan}

    def export(self, folder, history):
        super().export(folder, history)
        (folder / "model.safetensors").write_text("new")


@pytest.mark.parametrize("kind", ["weights", "average", "losses"])
@pytest.mark.parametrize("minutes", [0.0, 100.0], ids=["a checkpoint a step", "one at the end"])
def test_a_run_that_diverges_keeps_its_last_healthy_state_and_resumes_there(tmp_path, machine, kind, minutes):
    folder = RunFolder(tmp_path / "run")
    train(Diverging(kind, 10**9), Schedule(images=16), folder, machine)
    (folder.path / "model.safetensors").write_text("good")
    recipe = Diverging(kind, 40)
    with pytest.raises(DataError) as stopped:
        train(recipe, Schedule(images=60, checkpoint_minutes=minutes), folder, machine)
    kept = folder.checkpoints()
    assert kept[-1].name == ("state-0000000040.pt" if minutes == 0 else "state-0000000016.pt")
    assert str(kept[-1]) in str(stopped.value)
    for path in kept:
        state = torch.load(path, weights_only=True)
        assert all(
            torch.isfinite(value).all() for part in ("networks", "averages") for value in state[part]["model"].values()
        )
    assert (folder.path / "model.safetensors").read_text() == "good"
    assert recipe.exported is None
    assert folder.history()[-1]["event"] == "diverged"

    recipe = Line()
    assert train(recipe, Schedule(images=60), folder, machine).finished
    assert len(recipe.rows) == (60 - int(kept[-1].stem[-10:])) / 4


def test_single_steps_without_losses_end_nothing(tmp_path, machine):
    class Hiccups(Line):
        def step(self, batch):
            losses = super().step(batch)
            return {"loss": losses["loss"] * (torch.nan if batch.step % 4 == 2 else 1.0)}

    folder = RunFolder(tmp_path / "run")
    schedule = Schedule(images=80, checkpoint_minutes=0.0)
    assert not train(Hiccups(), schedule, folder, machine, stop=iter([False, False, True, False]).__next__).finished
    assert folder.checkpoints()[-1].name == "state-0000000016.pt"  # the step after the one that gave no losses
    assert train(Hiccups(), schedule, folder, machine).finished


def test_a_state_that_is_not_finite_is_not_resumed(tmp_path, machine):
    folder = RunFolder(tmp_path / "run")
    train(Line(), Schedule(images=8, checkpoint_minutes=0.0), folder, machine)
    state = torch.load(folder.checkpoints()[-1], weights_only=True)
    state["averages"]["model"]["weight"].fill_(torch.nan)
    torch.save(state, folder.checkpoints()[-1])
    recipe = Line()
    with pytest.warns(UserWarning, match="average of model"):
        train(recipe, Schedule(images=80), folder, machine)
    assert len(recipe.rows) == 19


def test_the_card_gets_the_history(tmp_path, machine):
    recipe = Line()
    train(recipe, Schedule(images=8, seed=5), RunFolder(tmp_path / "run"), machine, command="ghbench train line")
    history = recipe.exported
    assert (history["images"], history["steps"], history["seed"], history["command"]) == (8, 2, 5, "ghbench train line")
    assert "weight" in history["metrics"]
    assert json.loads((tmp_path / "run" / "run.json").read_text())["recipe"] == "line"
    assert (tmp_path / "run" / "pictures" / "0000000008.png").exists()


def test_a_run_name_cannot_leave_the_folder():
    with pytest.raises(UsageError, match="run name"):
        RunFolder("..")


def test_the_average_follows_with_its_half_life():
    model = torch.nn.Linear(1, 1)
    torch.nn.init.zeros_(model.weight)
    average = MovingAverage(model, half_life=100, ramp=1e9)
    torch.nn.init.ones_(model.weight)
    average.update(1000, 100)
    assert float(average.module.weight) == pytest.approx(0.5)
