"""An interrupted training resumes from the newest complete checkpoint, never from an incomplete one."""

import json
from pathlib import Path

import pytest
import torch
from transformers import TrainerControl, TrainerState, TrainingArguments

from sekft.config import Device, LoraConfig, ModelConfig, TrainerConfig
from sekft.data.sample import Row
from sekft.errors import ModelError, SettingsError
from sekft.model import base as bases
from sekft.model import lora
from sekft.train.checkpoint import SEAL, SealCallback, earlier_metrics, fault_of, newest, require_whole
from sekft.train.trainer import make_trainer


def planted(run: Path, step: int, of: int = 6) -> Path:
    """A checkpoint with an optimizer of 100 bytes and a folder, sealed as the trainer seals it."""
    folder = run / "checkpoints" / f"checkpoint-{step}"
    (folder / "best").mkdir(parents=True)
    (folder / "optimizer.pt").write_bytes(b"x" * 100)
    (folder / "best" / "adapter_model.safetensors").write_bytes(b"x" * 10)
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": step, "max_steps": of}))
    state = TrainerState(global_step=step)
    SealCallback().on_save(TrainingArguments(output_dir=str(run / "checkpoints"), use_cpu=True), state, TrainerControl())
    return folder


def test_the_newest_checkpoint_is_that_of_the_highest_step_and_is_reported(tmp_path: Path):
    messages: list[str] = []
    assert newest(tmp_path, messages.append) is None
    planted(tmp_path, 9, of=20)
    found = planted(tmp_path, 10, of=20)
    assert newest(tmp_path, messages.append) == found
    assert messages == [
        f"{tmp_path}: interrupted; no complete checkpoint, starts from the beginning",
        f"{tmp_path}: interrupted; resumes from checkpoint-10",
    ]


def test_a_checkpoint_that_differs_from_its_seal_is_skipped(tmp_path: Path):
    whole = planted(tmp_path, 1)
    (planted(tmp_path, 2) / SEAL).unlink()
    (planted(tmp_path, 3) / "optimizer.pt").write_bytes(b"x" * 99)
    (planted(tmp_path, 4) / "best" / "adapter_model.safetensors").unlink()
    (planted(tmp_path, 5) / SEAL).write_text('{"optimizer.pt": 1')
    messages: list[str] = []
    assert newest(tmp_path, messages.append) == whole
    assert messages == [
        f"{tmp_path}: checkpoint-5 is not used: whole.json is damaged",
        f"{tmp_path}: checkpoint-4 is not used: best/adapter_model.safetensors is missing",
        f"{tmp_path}: checkpoint-3 is not used: optimizer.pt was cut or changed since it was saved",
        f"{tmp_path}: checkpoint-2 is not used: whole.json is missing: it was not saved to its end",
        f"{tmp_path}: interrupted; resumes from checkpoint-1",
    ]


def test_the_metrics_before_a_checkpoint_are_found_and_those_behind_it_are_not(tmp_path: Path):
    run, other = tmp_path / "run", tmp_path / "other"
    checkpoint = run / "checkpoints" / "checkpoint-2"
    checkpoint.mkdir(parents=True)
    lines = [{"step": step, "train/loss": 9.0 - step} for step in range(1, 4)]
    (run / "metrics.9.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    (run / "metrics.10.jsonl").write_text('{"step": 0, "val/loss": 9.0}\n{"step": 1, "train/lo')  # killed before it carried anything
    (run / "metrics.jsonl").write_text("")  # of the run that resumes
    assert earlier_metrics(checkpoint, run) == lines[:2] and earlier_metrics(checkpoint, other) == []
    (run / "metrics.jsonl").write_text(json.dumps(lines[0]) + "\n")
    assert earlier_metrics(checkpoint, other) == lines[:1]  # trainer.resume_from= of another run


def test_a_flipped_byte_is_found_and_the_whole_checkpoint_beside_it_is_named(tmp_path: Path):
    whole, damaged = planted(tmp_path, 2), planted(tmp_path, 3)
    require_whole(damaged)
    (damaged / "best" / "adapter_model.safetensors").write_bytes(b"x" * 9 + b"y")
    assert newest(tmp_path, str) == whole
    said = "best/adapter_model.safetensors was cut or changed since it was saved"
    with pytest.raises(SettingsError, match=f"trainer.resume_from={damaged}: {said}; allowed: {whole}, which is whole"):
        require_whole(damaged)
    (whole / "optimizer.pt").write_bytes(b"")
    with pytest.raises(SettingsError, match="no whole one is beside it"):
        require_whole(damaged)
    assert newest(tmp_path, str) is None


def test_a_checkpoint_of_an_earlier_version_is_sealed_by_its_sizes(tmp_path: Path):
    checkpoint = planted(tmp_path, 1)
    sizes = {name: (checkpoint / name).stat().st_size for name in json.loads((checkpoint / SEAL).read_text())}
    (checkpoint / SEAL).write_text(json.dumps(sizes))
    assert newest(tmp_path, str) == checkpoint
    (checkpoint / "optimizer.pt").write_bytes(b"x" * 99)
    assert newest(tmp_path, str) is None


def test_the_checkpoint_of_the_last_step_is_not_resumed_as_one_step_more_would_be_taken(tmp_path: Path):
    before = planted(tmp_path, 5)
    planted(tmp_path, 6)
    assert newest(tmp_path, str) == before


class Harm:
    """Its pickle creates a file when it is loaded."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.mark,)


def test_checkpoints_hold_no_pickle_and_a_foreign_pickle_is_not_executed(tmp_path: Path):
    base = bases.load(ModelConfig(name="tiny", path="sekft:tiny", device=Device.cpu))
    rows = [Row(f"r{i}", tuple(range(3, 13)), (0.0, *[1.0] * 9)) for i in range(4)]
    settings = TrainerConfig(max_steps=2, batch=1, save_every_steps=1)
    with lora.fresh(base, LoraConfig(name="r4", r=4, alpha=8), 0) as tuned:
        make_trainer(tuned, base, rows, settings, tmp_path, 0).train()
        first = tmp_path / "checkpoint-1"
        assert not list(first.glob("*.bin")) and not fault_of(first)
        for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
            torch.save(Harm(tmp_path / "it_ran"), first / name)
            with pytest.raises(ModelError, match=f"checkpoint-1/{name}: .*; allowed: a checkpoint that sekft.train wrote"):
                make_trainer(tuned, base, rows, settings, tmp_path, 0).train(resume_from_checkpoint=str(first))
            (first / name).write_bytes((first / name).read_bytes()[:-50])  # cut off
            with pytest.raises(ModelError, match=f"checkpoint-1/{name}: .*; allowed: "):
                make_trainer(tuned, base, rows, settings, tmp_path, 0).train(resume_from_checkpoint=str(first))
            (first / name).unlink()
    assert not (tmp_path / "it_ran").exists()
