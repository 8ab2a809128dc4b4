"""The command with a very small base: the same bytes in a second run, and after a kill."""

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest
import torch

from sekft.config import ModelConfig
from sekft.config.pretrain import PretrainConfig
from sekft.model.base import load
from sekft.pretrain.loop import rate
from sekft.rendering.messages import Message
from sekft.rendering.render import render
from tests.conftest import changed, run_command
from tests.process import start

SMALL = [
    "shape.hidden=32",
    "shape.layers=1",
    "shape.heads=2",
    "shape.intermediate=64",
    "shape.vocabulary=700",
    "rows=4",
    "row_tokens=512",
    "tokenizer_conversations=300",
    "compile=false",
    "probe_every_steps=4",
    "save_every_steps=2",
    "steps=6",
    "keep_steps=[3]",
]

pytestmark = pytest.mark.xdist_group("pretraining")


def pretrain(folder: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    return run_command("pretrain", f"hydra.run.dir={folder}", *changed(SMALL, *overrides), cwd=Path.cwd())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pretrain") / "run"
    done = pretrain(folder)
    assert done.returncode == 0, done.stderr
    return folder


def weights(folder: Path) -> bytes:
    return (folder / "base" / "model.safetensors").read_bytes()


def test_the_same_command_gives_the_same_files(made: Path, tmp_path: Path):
    assert pretrain(tmp_path / "again").returncode == 0
    for file in sorted((made / "base").iterdir()):
        assert file.read_bytes() == (tmp_path / "again" / "base" / file.name).read_bytes(), file.name


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_on_a_gpu_the_same_command_gives_the_same_bytes(tmp_path: Path):
    for name in ("once", "again"):
        done = pretrain(tmp_path / name, "device=cuda")
        assert done.returncode == 0, done.stderr
    assert weights(tmp_path / "once") == weights(tmp_path / "again")
    assert torch.cuda.get_device_name() in (tmp_path / "once" / "base" / "README.md").read_text()


def test_another_seed_gives_another_base(made: Path, tmp_path: Path):
    assert pretrain(tmp_path / "other", "seed=1", "workers=1").returncode == 0
    assert weights(tmp_path / "other") != weights(made)


@pytest.mark.exhaustive
def test_a_killed_run_resumes_to_the_same_bytes(made: Path, tmp_path: Path):
    folder = tmp_path / "killed"
    silent, words = subprocess.DEVNULL, (f"hydra.run.dir={folder}", *SMALL)
    process = start("sekft.pretrain", *words, cwd=tmp_path, stdout=silent, stderr=silent, new_session=True)
    deadline = time.monotonic() + 120
    while not (folder / "checkpoint.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert (folder / "checkpoint.pt").exists()
    assert pretrain(folder).returncode == 0
    assert weights(folder) == weights(made)


def test_a_checkpoint_of_other_settings_is_refused_in_one_line(made: Path, tmp_path: Path):
    shutil.copytree(made, tmp_path / "other")
    refused = pretrain(tmp_path / "other", "lr=0.1", "steps=8")
    assert refused.returncode == 1
    assert refused.stderr.strip().splitlines()[-1].endswith("made with lr=0.005, found 0.1; use another folder")


def test_the_written_base_loads_and_renders(made: Path):
    base = load(ModelConfig(name="small", path=str(made / "base"), check_tokenizer=False))
    assert base.model.config.tie_word_embeddings and base.model.get_input_embeddings().weight.shape == (700, 32)
    rendered = render((Message(role="user", content="$ "), Message(role="assistant", content="ls")), base.tokenizer)
    assert rendered.text == "<s>[INST]$ [/INST]ls</s>" and base.tokenizer.decode(rendered.ids) == "$ ls"


def test_the_card_describes_the_training_and_early_models_are_kept(made: Path):
    card = (made / "base" / "README.md").read_text()
    assert "find_size, latest, reverse, verify" in card and "for 6 steps" in card and str(made) not in card
    assert "| 4 |" in card and "for 3 steps" in (made / "early-3" / "README.md").read_text()
    summary = json.loads((made / "summary.json").read_text())
    assert set(summary["sha256"]) == {"base", "early-3"}


def test_the_rate_before_the_decay_does_not_depend_on_the_number_of_steps():
    short, long = PretrainConfig(steps=100), PretrainConfig(steps=1000)
    assert [rate(short, step) for step in range(70)] == [rate(long, step) for step in range(70)]
    begun = PretrainConfig(steps=100, decay_share=0.0)
    assert [rate(begun, step) for step in range(100)] == [rate(long, step) for step in range(100)]
    assert rate(short, 0) == short.lr / short.warmup_steps and rate(short, 60) == short.lr
    assert 0 < rate(short, 99) < 0.05 * short.lr
