"""From where a training that was cut off goes on: the newest checkpoint that is whole."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers.trainer_callback import TrainerCallback, TrainerControl, TrainerState
from transformers.training_args import TrainingArguments

from sekft.tracking.files import write_json
from sekft.tracking.record import CHECKPOINTS
from sekft.train import ranks

ARGUMENTS = "training_args.bin"  # a pickle of classes, which nobody reads; all else that torch writes there is loaded as weights only
SEAL = "whole.json"  # {file: bytes}, written last


class Sealing(TrainerCallback):
    """Called last of all: what the others add to a checkpoint is in it."""

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        checkpoint = Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"
        ranks.all_here()  # each adds its own dice
        if ranks.first():
            (checkpoint / ARGUMENTS).unlink(missing_ok=True)
            write_json(checkpoint / SEAL, _sizes(checkpoint))


def newest(folder: Path, say: Callable[[str], None]) -> Path | None:
    """Of a run that was cut off in this folder; says what is found."""
    checkpoints = [path for path in (folder / CHECKPOINTS).glob("checkpoint-*") if is_whole(path) and not is_last(path)]
    found = max(checkpoints, key=lambda path: int(path.name.rpartition("-")[2]), default=None)
    say(f"{folder}: was cut off; {f'goes on from {found.name}' if found else 'no whole checkpoint, begins anew'}")
    return found


def is_whole(checkpoint: Path) -> bool:
    """Whether every file is as long as it was when all had been written."""
    try:
        return bool(json.loads((checkpoint / SEAL).read_text(encoding="utf-8")) == _sizes(checkpoint))
    except (OSError, ValueError):
        return False


def is_last(checkpoint: Path) -> bool:
    """Whether it is of the last step. From there transformers would take one more; the step before it is repeated instead."""
    state = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    return bool(state["global_step"] >= state["max_steps"])


def _sizes(folder: Path) -> dict[str, int]:
    return {
        str(file.relative_to(folder)): file.stat().st_size for file in sorted(folder.rglob("*")) if file.is_file() and file.name != SEAL
    }
