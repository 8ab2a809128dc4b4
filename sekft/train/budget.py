"""Limits on what a run uses. At a limit, training ends after the step and the adapter is saved; the evaluation gets the time that is left.

Covers: steps, tokens, time, the size of the run's folder, a disk too full for the next checkpoint or adapter.
Does not cover: memory, the time of a single step, what other programs write meanwhile.
"""

import json
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import count, islice
from pathlib import Path
from typing import Any

from transformers.trainer_callback import TrainerCallback, TrainerControl, TrainerState
from transformers.training_args import TrainingArguments

from sekft.config import TrainConfig, TrainerConfig
from sekft.config.job import Report
from sekft.data.sample import Row
from sekft.errors import SettingsError
from sekft.eval.evaluation import Evaluation
from sekft.model.shape import shape_of
from sekft.tracking.events import add_event
from sekft.train import batch_plan

MB = 1e6
FLOAT32, MOMENTS = 4, 2  # bytes of a trained weight; moments of Adam, each as large as the weights
OTHER_FILES = 2 * MB  # tokenizer, template, logs, pages


@dataclass(frozen=True)
class LimitReached:
    """`budget` in summary.json. of: steps of the whole training; seconds: since the start of the run."""

    limit: str
    step: int
    of: int
    tokens: int
    seconds: float


class Budget(TrainerCallback):
    """Ends the training at a limit; time counts from the construction.

    folder: of the run. base: of the base model. Raises SettingsError if the disk or budget.max_disk_mb has no room for the adapter.
    """

    def __init__(self, settings: TrainConfig, rows: Sequence[Row], folder: Path, base: Path, report: Report) -> None:
        self.config, self._trainer, self._seed = settings.budget, settings.trainer, settings.seed
        self._lengths, self._folder, self._report, self._start = [len(row.ids) for row in rows], folder, report, time.monotonic()
        self._weights = trained_bytes(base, settings)
        self.reached: LimitReached | None = None  # the first limit
        self._progress = (0, 0)  # step, of how many
        if self._weights and (why := self._disk_shortage(settings.trainer.save_every_steps >= 1)):
            raise SettingsError(f"{folder}: {why}; training was not started")

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **_: Any) -> None:
        self._tokens = tokens_per_step(self._lengths, self._trainer, self._seed)
        self._used = sum(islice(self._tokens, state.global_step))
        self._weights = FLOAT32 * sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._used += next(self._tokens)
        self._progress = (state.global_step, state.max_steps)
        if state.global_step >= state.max_steps:
            control.should_save = control.should_save and not self._disk_shortage(checkpoint=True)
            return
        why = self._limit_reached(state.global_step)
        if (why or control.should_save) and (shortage := self._disk_shortage(checkpoint=True)):
            # a share of the steps is the default: where only the checkpoint has no room, training goes on without it
            needed = self._trainer.save_every_steps >= 1 or self._disk_shortage(checkpoint=False)
            why, control.should_save = why or (shortage if needed else ""), False
        elif why:
            control.should_save = True  # to resume under a larger budget
        if why:
            control.should_training_stop = True
            self._record(why)

    def limited(self, evaluation: Evaluation | None) -> Evaluation | None:
        """The evaluation, limited to the time that is left; None if no time is left."""
        if evaluation is None or not self.config.max_wall_s:
            return evaluation
        seconds = self.config.max_wall_s - self._elapsed()
        if seconds <= 0:
            return None
        self._report(f"budget: the evaluation has {seconds:.0f} s (eval.max_eval_s), what is left of {self._wall()}")
        config = replace(evaluation.config, max_eval_s=min(seconds, evaluation.config.max_eval_s or seconds))
        return replace(evaluation, config=config)

    def unmeasured(self) -> dict[str, str]:
        """The verdict if the evaluation was left out for lack of time; empty if it was left out for another reason."""
        return {"verdict": f"unmeasured ({self._wall()} was used up before the evaluation)"} if self.is_late() else {}

    def is_late(self) -> bool:
        return 0 < self.config.max_wall_s <= self._elapsed()

    def summary(self) -> dict[str, Any] | None:
        """The first limit that was reached, for summary.json; None without one."""
        if self.reached is None and self.is_late():
            self._record(self._wall())
        return asdict(self.reached) if self.reached else None

    def _limit_reached(self, step: int) -> str:
        """The limit that is reached; empty if none is."""
        limits = self.config
        if 0 < limits.max_steps <= step:
            return f"budget.max_steps={limits.max_steps}"
        if 0 < limits.max_tokens <= self._used:
            return f"budget.max_tokens={limits.max_tokens} ({self._used} used)"
        return self._wall() if self.is_late() else ""

    def _disk_shortage(self, checkpoint: bool) -> str:
        """Why there is no room for the adapter, and with checkpoint=True for a checkpoint before it; empty if there is."""
        needed = self._weights + OTHER_FILES + (checkpoint and self._weights * (1 + MOMENTS) + OTHER_FILES)
        files = "a checkpoint and the adapter take" if checkpoint else "the adapter takes"
        if (free := shutil.disk_usage(self._folder).free) < needed:
            return f"{free / MB:.1f} MB of disk are free, {files} {needed / MB:.1f}"
        used = sum(file.stat().st_size for file in self._folder.rglob("*") if file.is_file())
        if 0 < self.config.max_disk_mb * MB < used + needed:
            return f"budget.max_disk_mb={self.config.max_disk_mb:g}: {used / MB:.1f} MB are there, {files} {needed / MB:.1f}"
        return ""

    def _record(self, why: str) -> None:
        step, steps = self._progress
        self.reached = LimitReached(why, step, steps, self._used, round(self._elapsed(), 1))
        add_event(self._folder, "budget", **asdict(self.reached))
        end = f"training ends after step {step} of {steps}" if step < steps else "the run is late"
        self._report(f"budget: {end}: {why}")

    def _wall(self) -> str:
        return f"budget.max_wall_s={self.config.max_wall_s:g}"

    def _elapsed(self) -> float:
        return time.monotonic() - self._start


def tokens_per_step(lengths: Sequence[int], trainer: TrainerConfig, seed: int) -> Iterator[int]:
    """Yields the tokens of each optimizer step, epoch after epoch without end."""
    for epoch in count():
        for step in batch_plan.steps(len(lengths), batch_plan.rows_per_step(trainer), seed, epoch):
            yield sum(lengths[row] for row in step)


def trained_bytes(base: Path, settings: TrainConfig) -> int:
    """Bytes of the weights that are trained; 0 for an architecture whose shape is not known before it is loaded."""
    if (shape := shape_of(json.loads((base / "config.json").read_text(encoding="utf-8")))) is None:
        return 0
    return FLOAT32 * (shape.adapter(settings.lora) if settings.lora.r else shape.matrices() + shape.others())
