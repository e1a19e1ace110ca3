"""From the files that other programs write to the images that those programs make, and to our own files."""

import json
import re

import golden_files
import numpy as np
import pytest
import torch
from golden_checkpoints import checkpoint_of

from ghbench import checkpoints
from ghbench.checkpoints import Checkpoint, tensorflow_pickle
from ghbench.errors import DataError, MissingError, UsageError
from ghbench.generators.conversion import build_discriminator, build_generator
from ghbench.generators.conversion.converting import convert
from ghbench.generators.loading import generator_plugin, load_discriminator, load_generator
from ghbench.generators.native import save_generator


@pytest.fixture(autouse=True)
def _look_alikes(monkeypatch):
    golden_files.files.register_look_alikes(monkeypatch)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "from-the-web"


@pytest.fixture
def converted(path):
    """Convert `path` and load what was written."""

    def load(**options):
        out = path.with_suffix(".safetensors")
        report = convert(path, out, **options)
        return out, report

    return load


class TestFilesMakeTheirProgramsPictures:
    """Each file is read, and converted and read again: both must agree with the golden arrays."""

    def check(self, path, converted, file, output, draw, judged="D_x4"):
        out, report = converted()
        assert set(report.built) == {"generator", "discriminator"}
        for place in (path, out):
            file.check(output, draw(load_generator(place)))
            file.check("out/D_logits_B4", load_discriminator(place)(file[judged]))
        assert checkpoints.read(out).config["source_digest"] == checkpoints.read(path).digest

    def test_stylegan2_ada(self, path, converted, golden):
        file = golden("nv_ada32")
        golden_files.write_ada(path, file)
        self.check(path, converted, file, "out/img_psi0.7_const", lambda generator: generator(file["z"], psi=0.7))

    def test_residual_stylegan2_ada(self, path, converted, golden):
        file = golden("nv_ada16_resnet")
        golden_files.write_ada(path, file)
        self.check(path, converted, file, "out/img_const", lambda generator: generator(file["z"]))

    def test_conditional_stylegan2_ada(self, path, golden):
        file = golden("nv_ada16_cond")
        golden_files.write_ada(path, file, clamp=256)
        generator = load_generator(path)
        assert generator.configuration()["conv_clamp"] == 256
        file.check("out/img_psi0.7_const", generator(file["z"], file["c"], psi=0.7))
        file.check("out/D_logits_B8", load_discriminator(path)(file["D_x8"], file["D_c8"]))

    @pytest.mark.parametrize("name", ["nv_ada32", "nv_ada16_resnet"])
    def test_tensorflow_stylegan2(self, path, converted, golden, name):
        file = golden(name)
        variables = golden_files.tensorflow_stylegan2(file.below("G_ema/"))
        judge = golden_files.tensorflow_stylegan2_discriminator(file.below("D/"))
        golden_files.write_tensorflow(path, variables, judge)
        assert checkpoints.read(path).format == "tensorflow-stylegan2"
        self.check(path, converted, file, "out/img_psi0.7_const", lambda generator: generator(file["z"], psi=0.7))

    @pytest.mark.parametrize(("name", "fused"), [("gf_sg1_64", "auto"), ("gf_sg1_32_fused", True)])
    def test_tensorflow_stylegan1(self, path, converted, golden, name, fused):
        file = golden(name)
        variables = golden_files.tensorflow_stylegan1(file.below("generator/"))
        judge = golden_files.tensorflow_stylegan1_discriminator(file.below("discriminator/"))
        golden_files.write_tensorflow(path, variables, judge, fused_scale=fused)
        assert checkpoints.read(path).format == "tensorflow-stylegan1"
        self.check(path, converted, file, "out/img_psi0.7", lambda generator: generator(file["z"], psi=0.7))

    def test_genforce(self, path, converted, golden):
        file = golden("gf_sg1_64")
        networks = {"generator_smooth": file.below("generator/"), "discriminator": file.below("discriminator/")}
        torch.save(networks, path)
        self.check(path, converted, file, "out/img_psi0.7", lambda generator: generator(file["z"], psi=0.7))

    def test_rosinality(self, path, converted, golden):
        file = golden("rosinality_sg2")
        mean = file["out/w_mean_of_ztrunc"][0]
        torch.save({"g": {}, "g_ema": file.below("g_ema/"), "d": file.below("d/"), "latent_avg": mean}, path)
        self.check(path, converted, file, "out/img_trunc", lambda generator: generator(file["z"], psi=0.7))

    def test_decoder_of_psp(self, path, converted, golden):
        file = golden("rosinality_sg2")
        state = {f"decoder.{name}": value for name, value in file.below("g_ema/").items()}
        mean = file["out/w_mean_of_ztrunc"].expand(10, -1).clone()
        torch.save({"state_dict": {**state, "encoder.x": torch.ones(2)}, "latent_avg": mean}, path)
        file.check("out/img_trunc", load_generator(path)(file["z"], psi=0.7))
        out, report = converted()
        assert report.plain == ("encoder",)
        np.testing.assert_array_equal(checkpoints.read(out).network("encoder")["x"], np.ones(2, np.float32))


def test_the_official_ghfeat_keeps_its_encoder_as_it_is(path, converted, golden, monkeypatch):
    encoder = {"Conv0/weight": np.ones((7, 7, 3, 2), np.float32)}
    monkeypatch.setattr(tensorflow_pickle, "expected_encoder", lambda _variables: {"Conv0/weight": (7, 7, 3, 2)})
    file = golden("gf_sg1_64")
    variables = golden_files.tensorflow_stylegan1(file.below("generator/"))
    path.write_bytes(golden_files.files.tensorflow_bytes(variables, encoder=encoder))
    out, report = converted()
    assert (report.source_format, report.built["generator"]) == ("tensorflow-ghfeat", "StyleGAN1")
    np.testing.assert_array_equal(checkpoints.read(out).network("E")["Conv0/weight"], encoder["Conv0/weight"])
    file.check("out/img_z", load_generator(out)(file["z"]))
    said = " ".join(generator_plugin(out).spec().notes)
    assert f"converted from tensorflow-ghfeat, sha256 {checkpoints.read(path).digest}" in said


def test_a_file_without_a_mean_gets_that_of_ten_thousand_samples(golden):
    checkpoint = checkpoint_of("rosinality_sg2", golden("rosinality_sg2"))
    bare = Checkpoint("rosinality", {k: v for k, v in checkpoint.tensors.items() if k != "latent_avg"}, {}, "")
    generator, again = build_generator(bare), build_generator(bare)
    assert torch.equal(generator.w_mean, again.w_mean)
    many = generator.mapping_network(torch.randn(20_000, 64, generator=torch.Generator().manual_seed(9)))
    error = (generator.w_mean - many.mean(dim=0)).abs()
    assert bool((error <= 5 * many.std(dim=0) / 100).all())


def test_older_files_without_noise_get_seeded_noise(golden):
    file = golden("rosinality_sg2")
    checkpoint = checkpoint_of("rosinality_sg2", file)
    kept = {name: value for name, value in checkpoint.tensors.items() if "/noises." not in name}
    one, two = (build_generator(Checkpoint("rosinality", kept, {}, "")) for _ in range(2))
    assert torch.equal(one(file["z"]), two(file["z"]))
    assert torch.equal(one(file["z"], noise="none"), build_generator(checkpoint)(file["z"], noise="none"))


CHANGES = {
    "missing: synthesis.b8.conv1.weight, expected (24, 24, 3, 3)": lambda found: found.pop("synthesis.b8.conv1.weight"),
    "wrong shape: synthesis.b8.torgb.bias, expected (3,), found (5,)": lambda found: found.update(
        {"synthesis.b8.torgb.bias": np.zeros(5, np.float32)}
    ),
    "extra: synthesis.surplus, found (2,)": lambda found: found.update({"synthesis.surplus": np.zeros(2, np.float32)}),
    "not finite": lambda found: found["synthesis.b8.conv1.weight"].fill(np.nan),
    "without a gap": lambda found: found.pop("synthesis.b8.conv1.bias"),
    "mapping.fc0.weight": lambda found: found.pop("mapping.fc0.weight"),
    "[1, 3, 3, 1]": lambda found: found["synthesis.b8.resample_filter"].fill(1),
    "StyleGAN3": lambda found: found.update({"synthesis.input.weight": np.zeros(2, np.float32)}),
    "wrong shape: ": lambda found: found.update({"synthesis.b4.conv1.bias": np.zeros(65_000, np.float32)}),
}


@pytest.mark.parametrize("message", CHANGES)
def test_what_does_not_fit_is_named_as_the_file_names_it(golden, message):
    checkpoint = checkpoint_of("nv_ada32", golden("nv_ada32"))
    found = {name: value.copy() for name, value in checkpoint.network("G_ema").items()}
    CHANGES[message](found)
    tensors = {f"G_ema/{name}": value for name, value in found.items()}
    with pytest.raises(DataError) as raised:
        build_generator(Checkpoint("stylegan2-ada", tensors, {}, ""))
    assert message in str(raised.value)


def test_a_discriminator_that_does_not_fit_is_kept_as_it_is(path, converted, golden):
    file = golden("gf_sg1_64")
    torch.save({"generator": file.below("generator/"), "discriminator": {"other.weight": torch.ones(2)}}, path)
    out, report = converted()
    assert report.built == {"generator": "StyleGAN1"}
    assert report.plain == ("discriminator",)
    assert any("kept as plain arrays" in note for note in report.notes)
    with pytest.raises(DataError, match="no discriminator"):
        load_discriminator(out)


def test_the_average_is_preferred_and_the_other_can_be_chosen(path, converted, golden):
    state = golden("gf_sg1_64").below("generator/")
    zeros = {name: torch.zeros_like(value) for name, value in state.items()}
    torch.save({"generator": zeros, "generator_smooth": state}, path)
    out, report = converted()
    assert load_generator(out).const.abs().sum() > 0
    assert any("--network generator" in note for note in report.notes)
    assert report.plain == ()
    out, _ = converted(network="generator")
    assert load_generator(out).const.abs().sum() == 0


def test_one_network_alone_stays_as_it_is(path, converted):
    torch.save({"generator_smooth": {"a": torch.zeros(2)}, "encoder": {"b": torch.ones(3)}}, path)
    out, report = converted(network="encoder", licence="mine")
    found = checkpoints.read(out)
    assert (report.built, report.plain) == ({}, ("encoder",))
    assert list(found.tensors) == ["encoder/b"]
    assert found.config["licence"] == "mine"
    with pytest.raises(UsageError, match="'x'"):
        converted(network="x")
    with pytest.raises(UsageError, match="nothing to assume about fused_from"):
        converted(network="encoder", assume={"fused_from": 8})
    with pytest.raises(DataError, match="no generator"):
        load_generator(out)


def test_a_file_without_a_generator_is_kept_whole(path, converted):
    torch.save({"encoder": {"b": torch.ones(3)}}, path)
    _, report = converted()
    assert report.plain == ("encoder",)
    json.dumps(report.licence)


def test_wrong_uses_say_what_is_right(path, tmp_path, golden):
    with pytest.raises(MissingError, match=path.name):
        convert(path, tmp_path / "x.safetensors")
    golden_files.write_ada(path, golden("nv_ada32"))
    with pytest.raises(UsageError, match=r"x\.pkl"):
        convert(path, tmp_path / "x.pkl")
    out = tmp_path / "x.safetensors"
    convert(path, out)
    with pytest.raises(UsageError, match=r"x\.safetensors"):
        convert(out, tmp_path / "y.safetensors")
    with pytest.raises(DataError, match="no discriminator"):
        build_discriminator(Checkpoint("rosinality", {"g_ema/x": np.zeros(1)}, {}, ""))


def stating(golden, network="G_ema", **stated):
    """The golden StyleGAN2-ADA with the settings of a pickle."""
    checkpoint = checkpoint_of("nv_ada32", golden("nv_ada32"))
    checkpoint.config[network] |= stated
    return checkpoint


@pytest.mark.parametrize(
    "stated",
    [
        {"init_kwargs": {"mapping_kwargs": {"lr_multiplier": 0.02}}},
        {"modules": {"mapping.fc0.lr_multiplier": 0.02, "mapping.embed.lr_multiplier": 1}},
    ],
    ids=["in the arguments", "in the layers"],
)  # fmt: skip
def test_the_mapping_takes_the_rate_that_the_file_states(golden, tmp_path, stated):
    usual = build_generator(stating(golden))
    built = build_generator(stating(golden, **stated))
    z = torch.randn(3, usual.z_dim)
    assert not torch.allclose(built.mapping(z), usual.mapping(z), rtol=0.1)
    for layer in usual.mapping_network.layers:  # twice the rate is twice the weights and biases
        layer.weight.mul_(2), layer.bias.mul_(2)
    torch.testing.assert_close(built.mapping(z), usual.mapping(z))
    save_generator(tmp_path / "g.safetensors", built, licence="")
    assert torch.equal(load_generator(tmp_path / "g.safetensors").mapping(z), built.mapping(z))


@pytest.mark.parametrize(
    "stated",
    [
        {"init_kwargs": {"conv_clamp": 0.5}},
        {"init_kwargs": {"synthesis_kwargs": {"block_kwargs": {"conv_clamp": 0.5}}}},
        {"init_kwargs": {}, "modules": {"synthesis.b4.conv1.conv_clamp": 0.5, "synthesis.b8.skip.conv_clamp": None}},
    ],
)
def test_a_clamp_is_found_wherever_it_is_stated(golden, stated):
    assert build_generator(stating(golden, **stated)).clamp == 0.5


@pytest.mark.parametrize(
    ("network", "stated", "name"),
    [
        ("G_ema", {"init_kwargs": {"mapping_kwargs": {"activation": "relu"}}}, "activation='relu'"),
        ("G_ema", {"modules": {"synthesis.b4.conv1.activation": "linear"}}, "activation='linear'"),
        ("G_ema", {"modules": {"synthesis.b8.use_noise": False}}, "use_noise=False"),
        ("G_ema", {"init_kwargs": {"synthesis_kwargs": {"architecture": "orig"}}}, "architecture='orig'"),
        ("G_ema", {"modules": {"synthesis.b4.conv1.conv_clamp": 1, "synthesis.b8.conv1.conv_clamp": 2}}, "different"),
        ("G_ema", {"modules": {"synthesis.b4.conv1.affine.lr_multiplier": 2}}, "lr_multiplier=2"),
        ("D", {"init_kwargs": {"block_kwargs": {"activation": "swish"}}}, "activation='swish'"),
    ],
)
def test_settings_that_our_networks_lack_are_refused_by_name(golden, network, stated, name):
    build = build_generator if network == "G_ema" else build_discriminator
    with pytest.raises(DataError, match=name):
        build(stating(golden, network, **stated))


def test_layers_that_are_linear_in_the_official_program_may_say_so(golden):
    layers = ("synthesis.b4.torgb", "synthesis.b4.conv1.affine", "mapping.embed")
    build_generator(stating(golden, modules={f"{layer}.activation": "linear" for layer in layers}))


def test_a_plain_discriminator_is_a_skip_discriminator_without_its_later_inputs(golden):
    checkpoint = checkpoint_of("nv_ada16_resnet", golden("nv_ada16_resnet"))
    skips = build_discriminator(checkpoint)
    later = [name for name in checkpoint.tensors if re.fullmatch(r"D/b[48]\.fromrgb\..*", name)]
    for name in later:
        del checkpoint.tensors[name]
    plain = build_discriminator(checkpoint)
    assert (skips.architecture, plain.architecture) == ("skip", "plain")
    for side in (4, 8):
        for tensor in skips.from_rgb[f"r{side}"].parameters():
            tensor.zero_()
    images = torch.randn(2, 3, 16, 16)
    torch.testing.assert_close(plain(images), skips(images))


def test_a_class_conditional_export_without_its_embedding_is_refused(golden):
    checkpoint = checkpoint_of("rosinality_sg2", golden("rosinality_sg2"))
    first = checkpoint.tensors["g_ema/style.1.weight"]
    wider = np.concatenate([first, first], axis=1)
    checkpoint.tensors["g_ema/style.1.weight"] = wider
    with pytest.raises(DataError, match="class") as refused:
        build_generator(checkpoint)
    assert f"--assume z_dim={wider.shape[1]}" in refused.value.fix
    assert build_generator(checkpoint, assume={"z_dim": wider.shape[1]}).z_dim == wider.shape[1]
    with pytest.raises(UsageError, match="fused_from"):
        build_generator(checkpoint, assume={"fused_from": 8})


def test_a_genforce_file_says_what_was_assumed_and_takes_what_the_user_knows(path, converted, golden):
    torch.save({"generator_smooth": golden("gf_sg1_64").below("generator/")}, path)
    _, report = converted()
    assert any("128 px is assumed" in note for note in report.notes)
    assert any("128 px is assumed" in note for note in generator_plugin(path).spec().notes)
    out, report = converted(assume={"fused_from": 8})
    assert not any("assumed" in note for note in report.notes)
    assert load_generator(out).fused_from == 8


def wrapped(state, kind):
    """A state dict as programs save it."""
    parallel = {f"module.{name}": value for name, value in state.items()}
    inner = {f"generator.{name}": value for name, value in state.items()}
    return {
        "bare": state,
        "module.": parallel,
        "g": {"g": state, "step": 5},
        "params_ema": {"params": {}, "params_ema": state},
        "state_dict": {"epoch": 3, "state_dict": parallel},
        "nested": {"model": {"g_ema": state}},
        "g_ema of several GPUs": {"g_ema": parallel},
        "lightning": {"state_dict": inner | {"d.x": torch.ones(1)}},
    }[kind]


@pytest.mark.parametrize(
    "kind", ["bare", "module.", "g", "params_ema", "state_dict", "nested", "g_ema of several GPUs", "lightning"]
)
@pytest.mark.parametrize("name", ["rosinality_sg2", "gf_sg1_64", "nv_ada32"])
def test_bare_and_wrapped_state_dicts_are_read(path, golden, name, kind):
    file = golden(name)
    prefix = {"rosinality_sg2": "g_ema/", "gf_sg1_64": "generator/", "nv_ada32": "G_ema/"}[name]
    torch.save(wrapped(file.below(prefix), kind), path)
    expected = build_generator(checkpoint_of(name, file)).state_dict()
    found = load_generator(path).state_dict()
    for key in expected.keys() - {"mapping_network.w_mean"}:
        assert torch.equal(found[key], expected[key])
    notes = " ".join(generator_plugin(path).spec().notes)
    assert ("average" in notes) == (kind not in {"params_ema", "nested", "g_ema of several GPUs"})


def test_a_tuned_generator_saved_whole_is_read_and_other_objects_are_named(path, golden):
    file = golden("nv_ada32")
    torch.save(golden_files.module_tree("Generator", file.below("G_ema/"), synthesis_kwargs={"conv_clamp": 0.5}), path)
    assert load_generator(path).clamp == 0.5
    torch.save(torch.nn.Linear(2, 2), path)
    with pytest.raises(DataError, match="saved whole") as refused:
        load_generator(path)
    assert "state_dict" in refused.value.fix


def test_a_pointer_of_git_lfs_is_called_so(path):
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n")
    with pytest.raises(DataError, match="Git LFS") as refused:
        load_generator(path)
    assert "git lfs pull" in refused.value.fix
