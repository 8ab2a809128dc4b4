"""Sealing checkpoints, and finding the newest complete one to resume from."""

import json
from pathlib import Path
from typing import Any

from transformers.trainer_callback import TrainerCallback, TrainerControl, TrainerState
from transformers.training_args import TrainingArguments

from sekft.config.job import Report
from sekft.errors import SettingsError
from sekft.tracking.files import json_lines, sha256, write_json
from sekft.tracking.record import CHECKPOINTS, METRICS
from sekft.train import ranks

ARGUMENTS = "training_args.bin"  # a pickle of classes that nothing reads; all other torch files there are loaded as weights only
SEAL = "whole.json"  # {file: sha256}, written last; {file: bytes} in earlier versions


class SealCallback(TrainerCallback):
    """Seals a checkpoint when all its files are written; must be the last callback, as others add files to it."""

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        checkpoint = Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"
        ranks.barrier()  # every rank adds its random state
        if ranks.is_first():
            (checkpoint / ARGUMENTS).unlink(missing_ok=True)
            write_json(checkpoint / SEAL, {name: sha256(checkpoint / name) for name in _sizes(checkpoint)})


def newest(folder: Path, report: Report) -> Path | None:
    """The newest whole checkpoint of the interrupted run in this folder, None if there is none; those that are damaged are reported."""
    found = sorted((folder / CHECKPOINTS).glob("checkpoint-*"), key=_step, reverse=True)
    for checkpoint in found:
        if fault := fault_of(checkpoint):
            report(f"{folder}: {checkpoint.name} is not used: {fault}")
        elif not is_last(checkpoint):
            report(f"{folder}: interrupted; resumes from {checkpoint.name}")
            return checkpoint
    report(f"{folder}: interrupted; no complete checkpoint, starts from the beginning")
    return None


def earlier_metrics(checkpoint: Path, folder: Path) -> list[dict[str, Any]]:
    """The lines of metrics.jsonl up to the step of a checkpoint, of the run that saved it; none if they are lost.

    folder: of the run that resumes from it; if that is the same one, its earlier metrics have been renamed to metrics.1.jsonl, ...
    """
    saved, step = checkpoint.resolve().parent.parent, _step(checkpoint)
    own = sorted(saved.glob("metrics.*.jsonl"), key=lambda file: (len(file.name), file.name), reverse=True)
    for file in own if saved == folder.resolve() else [saved / METRICS]:
        lines = [line for line in json_lines(file) if isinstance(line.get("step"), int) and line["step"] <= step]
        if any(line["step"] for line in lines):
            return lines
    return []


def require_whole(checkpoint: Path) -> None:
    """Raise SettingsError for a checkpoint that is damaged, naming a whole one beside it. One without a seal is taken as it is."""
    if not (checkpoint / SEAL).exists() or not (fault := fault_of(checkpoint)):
        return
    beside = sorted((path for path in checkpoint.parent.glob("checkpoint-*") if path != checkpoint), key=_step, reverse=True)
    whole = next((path for path in beside if not fault_of(path)), None)
    advice = f"allowed: {whole}, which is whole" if whole else "no whole one is beside it; allowed: another run's, or none"
    raise SettingsError(f"trainer.resume_from={checkpoint}: {fault}; {advice}")


def fault_of(checkpoint: Path) -> str:
    """The first file that is not as it was when the checkpoint was sealed, and how; empty for a whole checkpoint."""
    try:
        sealed = json.loads((checkpoint / SEAL).read_text(encoding="utf-8"))
        sizes = _sizes(checkpoint)
        if not isinstance(sealed, dict) or not sealed:
            return f"{SEAL} is damaged"
        for name in sorted({*sealed, *sizes}):
            if name not in sizes:
                return f"{name} is missing"
            if name not in sealed:
                return f"{name} was added"
            if sealed[name] != (sizes[name] if isinstance(sealed[name], int) else sha256(checkpoint / name)):
                return f"{name} was cut or changed since it was saved"
    except FileNotFoundError:
        return f"{SEAL} is missing: it was not saved to its end"
    except ValueError:
        return f"{SEAL} is damaged"
    except OSError as error:
        return f"it cannot be read: {error.strerror}"
    return ""


def is_last(checkpoint: Path) -> bool:
    """Whether it was saved after the last step; transformers would take one step more from there, so an earlier one is resumed."""
    state = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    return bool(state["global_step"] >= state["max_steps"])


def _step(checkpoint: Path) -> int:
    number = checkpoint.name.rpartition("-")[2]
    return int(number) if number.isdigit() else -1


def _sizes(folder: Path) -> dict[str, int]:
    return {
        str(file.relative_to(folder)): file.stat().st_size for file in sorted(folder.rglob("*")) if file.is_file() and file.name != SEAL
    }
