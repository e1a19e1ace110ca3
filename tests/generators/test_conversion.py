"""From the files that other programs write to the images that those programs make, and to our own files."""

import json

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
