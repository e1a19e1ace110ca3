"""The quickstart, word for word: every block of it runs, in its order, in one folder."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "quickstart.md").read_text(encoding="utf-8")


@pytest.fixture
def models(tmp_path):
    """What the page takes for granted: a file of weights, a folder of transformers."""
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers", reason="needs the extra hf")
    from ghbench_baselines.vision_models import import_timm
    from safetensors.torch import save_file

    timm = import_timm()
    import transformers

    torch.manual_seed(0)
    save_file(timm.create_model("test_resnet").state_dict(), tmp_path / "resnet.safetensors")
    small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    vit = transformers.ViTModel(transformers.ViTConfig(**small, image_size=32, patch_size=8))
    vit.save_pretrained(tmp_path / "my-vit")
    transformers.ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(tmp_path / "my-vit")
    return tmp_path


def test_every_block_runs_in_its_order(models, orl):
    assert len(orl) == 400
    environment = os.environ | {"GHBENCH_HOME": str(models / "home"), "COLUMNS": "120"}
    blocks = re.findall(r"```(python)?\n(.*?)```", PAGE, flags=re.DOTALL)
    network, *programs = [text for language, text in blocks if language]
    (models / "my_net.py").write_text(network)
    commands = [line for language, text in blocks if not language for line in text.splitlines() if "ghbench " in line]
    printed = {}
    for command in [*commands, *programs]:
        program = (
            [sys.executable, "-m", *shlex.split(command)] if command in commands else [sys.executable, "-c", command]
        )
        if program[2] == "pip":
            continue
        done = subprocess.run(program, cwd=models, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
        printed[command] = done.stdout
    latex = next(text for command, text in printed.items() if "latex" in command)
    assert r"\toprule" in latex
    assert "Ours" in latex
    assert "accuracy_low" in printed[programs[0]]
    assert "<img" in (models / "errors.html").read_text() or "errors.html" in printed[commands[-1]]
