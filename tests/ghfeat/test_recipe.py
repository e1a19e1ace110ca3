"""Training of an encoder with the tiny generator: the generator is frozen, one batch is learned, a run resumes."""

from __future__ import annotations

import dataclasses
import math
from functools import partial

import numpy as np
import pytest
import torch

from ghbench.data.renders import Renders
from ghbench.digests import digest_file
from ghbench.errors import MissingError, UsageError
from ghbench.extractor import TrainingRecord
from ghbench.generator import GeneratorSpec
from ghbench.generators.native import save_generator
from ghbench.generators.pictures import in_rgb
from ghbench.generators.stylegan2 import StyleGAN2
from ghbench.generators.stylegan2_discriminator import StyleGAN2Discriminator
from ghbench.generators.tiny import tiny_generator
from ghbench.ghfeat.codec import Codec
from ghbench.ghfeat.files.weights import SavedEncoder, load_encoder, save_encoder
from ghbench.ghfeat.network.config import compact
from ghbench.ghfeat.network.statistics import layout_statistics, principal_components
from ghbench.ghfeat.training import recipe as recipes
from ghbench.ghfeat.training.decoders import decoder_of
from ghbench.ghfeat.training.deviations import deviations
from ghbench.ghfeat.training.job import ghfeat_recipe
from ghbench.ghfeat.training.lessons import Lessons
from ghbench.ghfeat.training.losses import code_loss
from ghbench.ghfeat.training.options import PRESETS, GhfeatOptions
from ghbench.ghfeat.training.recipe import GhfeatRecipe, take_over
from ghbench.training.images import TrainingImages
from ghbench.training.loop import Schedule, train
from ghbench.training.machine import Machine
from ghbench.training.recipe import Batch
from ghbench.training.run_folder import RunFolder

SPEC = GeneratorSpec(
    name="tiny", version="1", size=32, colours=3, weights_digest="ab" * 32, licence="Apache-2.0",
    training=TrainingRecord(), domain="nothing",
)  # fmt: skip
SMALL = {
    "width": 0.125, "batch": 4, "perceptual_share": 0.0, "degraded": 0.0, "reflected": 0.0, "grey": 0.0, "changed": 0.0,
    "metric": "",
}  # fmt: skip


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    """Pyramids of as few channels as the trunks, and moments of codes over fewer samples."""
    monkeypatch.setattr(recipes, "compact", partial(compact, pyramid_width=16))
    monkeypatch.setattr(recipes, "layout_statistics", partial(layout_statistics, samples=500))
    monkeypatch.setattr(recipes, "EVALUATED", {False: 8, True: 8})


@pytest.fixture
def machine():
    return Machine(accelerator="cpu", precision="32-true", compiled=False)


def recipe(total=16, start=None, **options):
    return GhfeatRecipe(tiny_generator(), SPEC, "tiny", GhfeatOptions(**{**SMALL, **options}), total, start=start)


def test_the_generator_is_bit_identical_after_training(tmp_path, machine):
    made = recipe(adversarial=0.1)
    before = {name: value.clone() for name, value in made.generator.state_dict().items()}
    train(made, Schedule(images=16), RunFolder(tmp_path / "run"), machine)
    for name, value in made.generator.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_training_on_one_batch_divides_its_error_by_ten(machine):
    made = recipe(total=4 * 400, rate=1e-2, code=0.0, space="w_plus")
    made.prepare(machine)
    torch.manual_seed(0)
    lesson = made.lessons.batch(4, np.empty(0, dtype=np.int64), torch.device("cpu"))
    made.lessons.batch = lambda *_: lesson
    losses = [made.step(Batch(step, 0, np.arange(4), np.empty(0, dtype=np.int64), 4))["pixel"] for step in range(150)]
    assert losses[-1] < losses[0] / 10


def test_interrupted_equals_uninterrupted(tmp_path, machine):
    features = {}
    for run, stops in {"straight": (99,), "interrupted": (1, 2, 99)}.items():
        for stop_after in stops:
            made, steps = recipe(adversarial=0.1, degraded=0.5, reflected=0.5, grey=0.3), iter(range(stop_after))
            folder = RunFolder(tmp_path / run)
            train(made, Schedule(images=16), folder, machine, stop=lambda steps=steps: next(steps, None) is None)
        saved = load_encoder(tmp_path / run / "model.safetensors")
        features[run] = saved.encoder(torch.zeros(2, 3, 32, 32))
    assert saved.about["generator"] == "tiny"
    assert saved.record.networks == ("ab" * 32,)
    assert saved.record.domain == "in-generator"
    torch.testing.assert_close(features["straight"], features["interrupted"], rtol=0, atol=0)
    card = (tmp_path / "straight" / "card.md").read_text()
    assert "trained on renders of its own generator; the paper used real photographs" in card


def test_the_card_says_that_images_were_generated(tmp_path, monkeypatch, machine):
    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path))
    images = TrainingImages(Renders("tiny", count=8, first=0, size=32), 32)
    made = GhfeatRecipe(tiny_generator(), SPEC, "tiny", GhfeatOptions(**{**SMALL, "real": 0.5}), 8, images=images)
    folder = RunFolder(tmp_path / "run")
    train(made, Schedule(images=8), folder, machine)
    assert load_encoder(folder.path / "model.safetensors").record.domain == "in-generator"
    card = (folder.path / "card.md").read_text()
    assert "renders-train, split train: 8 generated images; 50% of each batch are fresh renders" in card
    assert "mse.real" not in card


def test_true_codes_belong_to_the_images():
    made = recipe(grey=0.0)
    lesson = made.lessons.batch(3, np.empty(0, dtype=np.int64), torch.device("cpu"))
    again = made.generator.synthesis_from_styles(lesson.codes).clamp(-1, 1)
    torch.testing.assert_close(again, lesson.targets, rtol=1e-4, atol=1e-4)
    assert lesson.known.tolist() == [1, 1, 1]
    assert code_loss(lesson.codes, lesson.codes, made.statistics, lesson.known).item() == 0


def test_a_changed_scene_is_changed_in_input_and_target_and_has_no_known_codes():
    made = recipe(grey=1.0, degraded=1.0, reflected=1.0)
    lesson = made.lessons.batch(4, np.empty(0, dtype=np.int64), torch.device("cpu"))
    for images in (lesson.inputs, lesson.targets):
        torch.testing.assert_close(images[:, 0], images[:, 2], rtol=0, atol=1e-6)
    assert lesson.known.sum() == 0


def test_a_degraded_picture_keeps_its_target_and_its_codes():
    made = recipe(degraded=1.0)
    lesson = made.lessons.batch(4, np.empty(0, dtype=np.int64), torch.device("cpu"))
    again = made.generator.synthesis_from_styles(lesson.codes).clamp(-1, 1)
    torch.testing.assert_close(again, lesson.targets, rtol=1e-4, atol=1e-4)
    assert (lesson.inputs - lesson.targets).abs().mean() > 0.01
    assert lesson.known.tolist() == [1, 1, 1, 1]


def test_codes_are_of_up_to_three_w_and_single_strange_rows():
    made = recipe(mixed=1.0, perturbed=1.0, psi_low=1.0, psi_high=1.0)
    torch.manual_seed(0)
    ws = made.lessons.random_ws(64, torch.device("cpu"))
    kinds = [len(torch.unique(one.round(decimals=4), dim=0)) for one in ws]
    assert {2, 3, 4} >= set(kinds) >= {3, 4}
    plain = recipe(mixed=0.0, perturbed=0.0).lessons.random_ws(8, torch.device("cpu"))
    torch.testing.assert_close(plain, plain[:, :1].expand_as(plain))


def test_renders_of_the_generator_have_known_codes_unless_they_are_mirrored(tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path))
    settings = [f"{name}={value}" for name, value in SMALL.items()]
    made = ghfeat_recipe("tiny", 16, [*settings, "real=1", "changed=0"], data="renders:generator=tiny,count=8,first=0")
    torch.manual_seed(1)
    lesson = made.lessons.batch(8, np.arange(8), torch.device("cpu"))
    assert 0 < lesson.known.sum() < 8
    again = made.generator.synthesis_from_styles(lesson.codes).clamp(-1, 1)
    known = lesson.known.bool()
    torch.testing.assert_close(again[known], lesson.targets[known], rtol=0, atol=0.01)


def test_the_code_loss_in_all_principal_components_is_that_of_all_numbers():
    made = recipe()
    basis = principal_components(made.generator, made.layout, made.statistics, made.layout.width, samples=500)
    torch.testing.assert_close(basis.T @ basis, torch.eye(made.layout.width), rtol=0, atol=1e-4)
    ws = made.lessons.random_ws(8, torch.device("cpu"))
    true = made.layout.codes(made.generator, ws)
    guess = {name: code + made.statistics[name].deviation * torch.randn_like(code) for name, code in true.items()}
    whole = [((guess[name] - true[name]) / made.statistics[name].deviation).square().sum(dim=1) for name in true]
    found = code_loss(guess, true, made.statistics, basis=basis)
    torch.testing.assert_close(found, torch.stack(whole).sum(dim=0).mean() / made.layout.width, rtol=1e-3, atol=0)
    assert np.isfinite(float(recipe(code_components=4).objective.basis.sum()))


def test_the_card_names_what_is_not_as_in_the_paper():
    ours = deviations(dataclasses.asdict(GhfeatOptions(decoder="shuffled", code=0.0)), 240_000)
    assert "1.7% of the paper's 14 million images" in ours
    assert "a rate 10 times the paper's" in ours
    assert "a shuffled decoder in the generator's place" in ours
    assert "as perceptual network" not in ours
    assert deviations(dataclasses.asdict(GhfeatOptions(**PRESETS["paper"])), 96 * 145_833) == ""
    other = {"perceptual_network": "mobilenet-v2", "perceptual": 1e-4, "r1_gamma": 1.0, "mirror": False}
    assert deviations({**dataclasses.asdict(GhfeatOptions(**PRESETS["paper"])), **other}, 96 * 145_833) == (
        "Differs from the paper: mobilenet-v2 as perceptual network, not VGG16; mirror=False; perceptual=0.0001; "
        "r1_gamma=1.0."
    )


def test_norms_settle_and_three_passes_are_measured(tmp_path, machine):
    made = recipe(settled=0.5)
    outcome = train(made, Schedule(images=16), RunFolder(tmp_path / "run"), machine)
    assert {"mse.psi1.0", "mse.psi1.0.passes3"} <= set(outcome.metrics)
    norms = [module for module in made.encoder.modules() if isinstance(module, torch.nn.BatchNorm2d)]
    assert norms
    assert not any(module.training for module in norms)
    assert made.encoder.training


@pytest.mark.parametrize("kind", ["shuffled", "random"])
def test_a_generator_that_has_forgotten_keeps_its_codes(kind):
    whole = recipe()
    generator, ws = in_rgb(whole.generator), whole.lessons.random_ws(4, torch.device("cpu"))
    torch.manual_seed(0)
    decoder = decoder_of(kind, generator, whole.layout, whole.statistics, 32)
    codes = whole.layout.codes(generator, ws)
    torch.testing.assert_close(whole.layout.codes(decoder.generator, ws), codes, rtol=0, atol=0)
    images, real = decoder(codes), whole.objective.decoder(codes)
    assert (images - real).abs().mean() > 0.1 * real.std()
    assert 0.2 * real.std() < images.std() < 5 * real.std(), "as bright, and of as much contrast"
    if kind == "shuffled":
        pairs = zip(generator.parameters(), decoder.generator.parameters(), strict=True)
        assert all(torch.equal(one.flatten().sort()[0], two.flatten().sort()[0]) for one, two in pairs)


def test_a_learned_decoder_learns_with_the_encoder_and_its_codes_are_no_generators(tmp_path, machine):
    settings = {"decoder": "learned", "code": 0.0, "rate": 3e-3}
    straight, stopped = RunFolder(tmp_path / "straight"), RunFolder(tmp_path / "stopped")
    before = recipe(**settings).networks["decoder"].dense.weight.detach().clone()
    made = recipe(**settings)
    train(made, Schedule(images=16), straight, machine)
    assert not torch.equal(made.networks["decoder"].dense.weight, before)
    train(recipe(**settings), dataclasses.replace(Schedule(images=16), until=8), stopped, machine)
    again = recipe(**settings)
    train(again, Schedule(images=16), stopped, machine)
    torch.testing.assert_close(
        again.networks["decoder"].dense.weight, made.networks["decoder"].dense.weight, rtol=0, atol=0
    )
    codec = Codec.load(str(tmp_path / "straight" / "model.safetensors"))
    codes = codec.encode(np.zeros((1, 3, 32, 32), np.uint8))
    with pytest.raises(MissingError, match="generator"):
        codec.decode(codes)
    with pytest.raises(UsageError, match="code=0"):
        recipe(decoder="learned")


def test_trained_by_codes_alone_an_encoder_draws_nothing_into_the_loss(machine):
    made = recipe(pixel=0.0)
    made.prepare(machine)
    codes = {name: code.requires_grad_() for name, code in made.encoder(torch.rand(2, 3, 32, 32)).items()}
    images, known = torch.zeros(2, 3, 32, 32), torch.ones(2)
    loss, terms, drawn = made.objective(codes, images, {name: code.detach() + 1 for name, code in codes.items()}, known)
    assert not drawn.requires_grad
    torch.testing.assert_close(loss.detach(), 0.3 * terms["code"])


def test_a_run_can_stop_early_and_resume(tmp_path, machine):
    folder, schedule = RunFolder(tmp_path / "run"), Schedule(images=16)
    outcome = train(recipe(), dataclasses.replace(schedule, until=8), folder, machine)
    assert (outcome.shown, outcome.finished) == (8, True)
    early = load_encoder(tmp_path / "run" / "model.safetensors").encoder
    assert train(recipe(), schedule, folder, machine).shown == 16
    with pytest.raises(UsageError, match="8"):
        train(recipe(), dataclasses.replace(schedule, until=8), folder, machine)
    late = load_encoder(tmp_path / "run" / "model.safetensors").encoder
    straight = RunFolder(tmp_path / "straight")
    train(recipe(), schedule, straight, machine)
    whole = load_encoder(tmp_path / "straight" / "model.safetensors").encoder
    images = torch.zeros(2, 3, 32, 32)
    torch.testing.assert_close(late(images), whole(images), rtol=0, atol=0)
    assert any((late(images)[name] != code).any() for name, code in early(images).items())


def test_the_encoder_that_training_started_from_is_recorded(tmp_path, machine):
    first, second, third = (RunFolder(tmp_path / name) for name in ("first", "second", "third"))
    train(recipe(), Schedule(images=8), first, machine, command="ghbench train ghfeat one")
    begun = load_encoder(first.path / "model.safetensors")
    record = TrainingRecord(networks=("cd" * 32,), supervision="identities", domain="real")
    other = dataclasses.replace(begun, record=record, licence="CC BY-NC 4.0")
    train(recipe(start=other), Schedule(images=12), second, machine, command="ghbench train ghfeat two")
    middle = load_encoder(second.path / "model.safetensors")
    assert middle.record.networks == ("ab" * 32, "cd" * 32)
    assert middle.record.domain == "real"
    assert middle.record.supervision.endswith(", identities")
    assert middle.licence == "Apache-2.0; started from weights under CC BY-NC 4.0"
    train(recipe(start=middle), Schedule(images=16), third, machine)
    about = load_encoder(third.path / "model.safetensors").about
    assert about["began_from"]["history"]["images"] == 12
    assert about["began_from"]["began_from"]["digest"] == begun.digest
    again = recipe(start=begun)
    train(again, Schedule(images=16), third, machine)
    assert load_encoder(third.path / "model.safetensors").about["began_from"] == about["began_from"], "a later start"
    card = (third.path / "card.md").read_text()
    assert "12 images by `ghbench train ghfeat two`" in card
    assert "8 images by `ghbench train ghfeat one`" in card


def test_an_earlier_encoder_is_found_by_its_file_or_its_run(tmp_path, monkeypatch):
    monkeypatch.setenv("GHBENCH_CACHE", str(tmp_path))
    settings = ["perceptual_share=0", "width=0.125"]
    with pytest.raises(MissingError, match="earlier"):
        ghfeat_recipe("tiny", 16, settings, start="earlier")
    save_encoder(
        tmp_path / "runs" / "earlier" / "model.safetensors", recipe().encoder, licence="Apache-2.0",
        record=TrainingRecord(),
    )  # fmt: skip
    by_name, by_file = (
        ghfeat_recipe("tiny", 16, settings, start=start)
        for start in ("earlier", str(tmp_path / "runs" / "earlier" / "model.safetensors"))
    )
    assert by_name.past == by_file.past
    assert by_name.taken_over > 0


def test_the_perceptual_network_sees_images_averaged_to_its_side(machine):
    seen = []

    class Means(torch.nn.Module):
        def forward(self, images):
            seen.append(images.shape[-1])
            return images.flatten(1)

    options = GhfeatOptions(**{**SMALL, "perceptual": 1.0, "perceptual_side": 8})
    made = GhfeatRecipe(tiny_generator(), SPEC, "tiny", options, 16, perceptual=(Means(), "ab" * 32))
    made.prepare(machine)
    losses = made.step(Batch(0, 0, np.arange(4), np.empty(0, dtype=np.int64), 4))
    assert set(seen) == {8}
    assert 0 < losses["perceptual"] < losses["pixel"], "an average of squares is no more than the squares' average"
    with pytest.raises(UsageError, match="perceptual_side=12"):
        recipe(perceptual_side=12)


def test_an_encoder_without_fitting_weights_is_no_start(monkeypatch):
    monkeypatch.setattr(recipes, "take_over", lambda *_: 0)
    begun = SavedEncoder(recipe().encoder, "Apache-2.0", TrainingRecord())
    with pytest.raises(UsageError) as raised:
        recipe(start=begun)
    assert "--start" in raised.value.fix


def test_the_papers_rate_decays_twice_per_iteration():
    options = {**PRESETS["paper"], "perceptual": 0.0, "real": 0.0, "batch": 96, "encoder": "compact"}
    made = GhfeatRecipe(tiny_generator(), SPEC, "tiny", GhfeatOptions(**options), 96 * 145_833)
    assert [made.rate(step) for step in (0, 18_229, 145_833)] == pytest.approx([1e-4, 8e-5, 1.68e-5], rel=2e-3)


def test_weights_that_fit_are_copied(machine):
    first, second = recipe(), recipe()
    torch.nn.init.constant_(first.encoder.trunk.state_dict()[next(iter(first.encoder.trunk.state_dict()))], 0.5)
    count = take_over(second.encoder, first.encoder)
    assert count > 20
    name = next(iter(first.encoder.state_dict()))
    torch.testing.assert_close(second.encoder.state_dict()[name], first.encoder.state_dict()[name])


def test_w_plus_and_w_codes_train_too(tmp_path, machine):
    for space in ("w", "w_plus"):
        made = recipe(space=space)
        outcome = train(made, Schedule(images=8), RunFolder(tmp_path / space), machine)
        assert np.isfinite(list(outcome.metrics.values())).all()


def test_half_real_images(machine):
    class Real:
        def batch(self, rows, device):
            return torch.full((len(rows), 3, 32, 32), 0.25)

    options = GhfeatOptions(**{**SMALL, "real": 0.5})
    made = recipe()
    lesson = Lessons(made.generator, made.layout, options, Real()).batch(4, np.arange(4), torch.device("cpu"))
    assert lesson.known.tolist() == [0, 0, 1, 1]
    assert (lesson.targets[:2] == 0.25).all()


def test_shares_are_shares():
    with pytest.raises(UsageError, match="grey"):
        GhfeatOptions(grey=20.0)
    assert dataclasses.replace(GhfeatOptions(), real=1.0).real == 1.0


def test_an_encoder_of_a_conditional_grey_generator_remembers_its_class(tmp_path, machine):
    torch.manual_seed(0)
    path = tmp_path / "g.safetensors"
    table = dict.fromkeys((4, 8, 16, 32), 8)
    judge = StyleGAN2Discriminator(table, colours=1)
    grey = StyleGAN2(table, z_dim=8, w_dim=8, labels=3, colours=1)
    save_generator(path, grey, discriminator=judge, licence="")
    settings = [f"{name}={value}" for name, value in SMALL.items()] + ["perceptual=0", "adversarial=0.1"]
    with pytest.raises(UsageError, match="label"):
        ghfeat_recipe(str(path), 8, settings)
    made = ghfeat_recipe(str(path), 8, settings, label=2, discriminator=path)
    train(made, Schedule(images=8), RunFolder(tmp_path / "run"), machine)
    codec = Codec.load(str(tmp_path / "run" / "model.safetensors"), generator=str(path))
    assert codec.label == 2
    assert codec.decode(codec.encode(np.zeros((1, 3, 32, 32), np.uint8))).shape == (1, 3, 32, 32)


def test_a_discriminator_of_colours_goes_on_learning(tmp_path, machine):
    path = tmp_path / "d.safetensors"
    judge = StyleGAN2Discriminator(dict.fromkeys((4, 8, 16, 32), 8))
    save_generator(path, tiny_generator(), discriminator=judge, licence="")
    settings = [f"{name}={value}" for name, value in SMALL.items()] + ["perceptual=0", "adversarial=0.1"]
    made = ghfeat_recipe("tiny", 8, settings, discriminator=path)
    before = [weight.detach().clone() for weight in made.networks["discriminator"].parameters()]
    train(made, Schedule(images=8), RunFolder(tmp_path / "run"), machine)
    after = list(made.networks["discriminator"].parameters())
    assert any(not torch.equal(one, other) for one, other in zip(before, after, strict=True))
    digest = digest_file(path)
    assert digest in load_encoder(tmp_path / "run" / "model.safetensors").record.networks
    assert f"from given weights ({digest[:16]})" in (tmp_path / "run" / "card.md").read_text()


@pytest.mark.parametrize("wrong", [
    {"batch": 0}, {"rate": math.nan}, {"rate": -1.0}, {"pixel": math.nan}, {"code": -1.0}, {"r1_gamma": math.inf},
    {"psi_low": 2.0}, {"psi_low": math.nan}, {"psi_high": math.inf},
])  # fmt: skip
def test_numbers_that_no_training_can_have_are_refused(wrong):
    with pytest.raises(UsageError):
        GhfeatOptions(**wrong)


def test_a_discriminator_that_does_not_fit_is_refused(tmp_path):
    path = tmp_path / "g.safetensors"
    save_generator(path, tiny_generator(), discriminator=StyleGAN2Discriminator({4: 8, 8: 8}), licence="")
    with pytest.raises(UsageError, match="8 px"):
        ghfeat_recipe("tiny", 8, ["adversarial=0.1"], discriminator=path)


def test_what_no_term_or_batch_would_use_is_refused(tmp_path):
    with pytest.raises(UsageError, match="adversarial=0"):
        ghfeat_recipe("tiny", 8, discriminator=tmp_path / "d.safetensors")
    with pytest.raises(UsageError, match="real=0"):
        ghfeat_recipe("tiny", 8, data="renders")
