"""Where a training that was cut off goes on: from the newest checkpoint that is whole, never from half of one."""

import json
from pathlib import Path

from transformers import TrainerControl, TrainerState, TrainingArguments

from sekft.training.checkpoint import SEAL, Sealing, newest


def planted(run: Path, step: int, of: int = 6) -> Path:
    """A checkpoint with an optimizer of 100 bytes and a folder, sealed as the trainer seals it."""
    folder = run / "checkpoints" / f"checkpoint-{step}"
    (folder / "best").mkdir(parents=True)
    (folder / "optimizer.pt").write_bytes(b"x" * 100)
    (folder / "best" / "adapter_model.safetensors").write_bytes(b"x" * 10)
    (folder / "trainer_state.json").write_text(json.dumps({"global_step": step, "max_steps": of}))
    state = TrainerState(global_step=step)
    Sealing().on_save(TrainingArguments(output_dir=str(run / "checkpoints"), use_cpu=True), state, TrainerControl())
    return folder


def test_the_newest_is_by_number_and_what_is_found_is_said(tmp_path: Path):
    said: list[str] = []
    assert newest(tmp_path, said.append) is None
    planted(tmp_path, 9, of=20)
    found = planted(tmp_path, 10, of=20)
    assert newest(tmp_path, said.append) == found
    assert said == [
        f"{tmp_path}: was cut off; no whole checkpoint, begins anew",
        f"{tmp_path}: was cut off; goes on from checkpoint-10",
    ]


def test_a_checkpoint_that_is_not_as_it_was_sealed_is_passed_over(tmp_path: Path):
    whole = planted(tmp_path, 1)
    (planted(tmp_path, 2) / SEAL).unlink()
    (planted(tmp_path, 3) / "optimizer.pt").write_bytes(b"x" * 99)
    (planted(tmp_path, 4) / "best" / "adapter_model.safetensors").unlink()
    (planted(tmp_path, 5) / SEAL).write_text('{"optimizer.pt": 1')
    assert newest(tmp_path, str) == whole


def test_that_of_the_last_step_is_not_gone_on_from_since_one_step_more_would_be_taken(tmp_path: Path):
    before = planted(tmp_path, 5)
    planted(tmp_path, 6)
    assert newest(tmp_path, str) == before
