"""Sealing checkpoints, and finding the newest complete one to resume from."""

import json
from pathlib import Path
from typing import Any

from transformers.trainer_callback import TrainerCallback, TrainerControl, TrainerState
from transformers.training_args import TrainingArguments

from sekft.config.job import Report
from sekft.tracking.files import write_json
from sekft.tracking.record import CHECKPOINTS
from sekft.train import ranks

ARGUMENTS = "training_args.bin"  # a pickle of classes that nothing reads; all other torch files there are loaded as weights only
SEAL = "whole.json"  # {file: bytes}, written last


class SealCallback(TrainerCallback):
    """Seals a checkpoint when all its files are written; must be the last callback, as others add files to it."""

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        checkpoint = Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"
        ranks.barrier()  # every rank adds its random state
        if ranks.is_first():
            (checkpoint / ARGUMENTS).unlink(missing_ok=True)
            write_json(checkpoint / SEAL, _sizes(checkpoint))


def newest(folder: Path, report: Report) -> Path | None:
    """The newest complete checkpoint of the interrupted run in this folder; None if there is none."""
    checkpoints = [path for path in (folder / CHECKPOINTS).glob("checkpoint-*") if is_whole(path) and not is_last(path)]
    checkpoint = max(checkpoints, key=lambda path: int(path.name.rpartition("-")[2]), default=None)
    report(
        f"{folder}: interrupted; {f'resumes from {checkpoint.name}' if checkpoint else 'no complete checkpoint, starts from the beginning'}"
    )
    return checkpoint


def is_whole(checkpoint: Path) -> bool:
    """Whether every file has the size it had when the checkpoint was sealed."""
    try:
        return bool(json.loads((checkpoint / SEAL).read_text(encoding="utf-8")) == _sizes(checkpoint))
    except (OSError, ValueError):
        return False


def is_last(checkpoint: Path) -> bool:
    """Whether it was saved after the last step; transformers would take one step more from there, so an earlier one is resumed."""
    state = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    return bool(state["global_step"] >= state["max_steps"])


def _sizes(folder: Path) -> dict[str, int]:
    return {
        str(file.relative_to(folder)): file.stat().st_size for file in sorted(folder.rglob("*")) if file.is_file() and file.name != SEAL
    }
