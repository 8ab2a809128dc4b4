"""What a run may use up. Where it is reached training ends after a step, adapter saved and proven; the time left is the evaluation's.

Covers: steps, tokens, time, the run's folder, a disk with too little room for what would be written next.
Does not cover: memory, the time of a single step, what other programs write meanwhile.
"""

import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import count, islice
from pathlib import Path
from typing import Any

from transformers.trainer_callback import TrainerCallback, TrainerControl, TrainerState
from transformers.training_args import TrainingArguments

from sekft.config import TrainConfig
from sekft.data.sample import Row
from sekft.errors import SettingsError
from sekft.eval.evaluation import Evaluation
from sekft.tracking.audit import Audit
from sekft.train import batch_plan
from sekft.train.forecast import shape_of

MB = 1e6
FLOAT32, MOMENTS = 4, 2  # bytes of a trained weight; of Adam, each as large as the weights
BESIDE = 2 * MB  # tokenizer, template, logs, pages


class Budget(TrainerCallback):
    """Its clock starts when it is made. Raises SettingsError at once where the folder's disk cannot hold what the run writes."""

    def __init__(self, settings: TrainConfig, rows: Sequence[Row], folder: Path, base: Path, say: Callable[[str], None]) -> None:
        """base: its folder."""
        self.config, self._trainer, self._seed = settings.budget, settings.trainer, settings.seed
        self._lengths, self._folder, self._say, self._began = [len(row.ids) for row in rows], folder, say, time.monotonic()
        self._weights = weights(base, settings)
        self.reached: dict[str, Any] | None = None  # which limit, at which step of how many
        self._done = (0, 0)
        if self._weights and (why := self._lack(self._weights, settings.trainer.save_every_steps > 0)):
            raise SettingsError(f"{folder}: {why}; training was not started")

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, model: Any = None, **_: Any) -> None:
        self._tokens = tokens(self._lengths, self._trainer, self._seed)
        self._used = sum(islice(self._tokens, state.global_step))
        self._weights = FLOAT32 * sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._used += next(self._tokens)
        self._done = (state.global_step, state.max_steps)
        if state.global_step >= state.max_steps:
            control.should_save = control.should_save and not self._lack(self._weights, True)
            return
        why = self._over(state.global_step)
        if (why or control.should_save) and (lack := self._lack(self._weights, True)):
            why, control.should_save = why or lack, False
        elif why:
            control.should_save = True  # from there it goes on under a larger budget
        if why:
            control.should_training_stop = True
            self._reach(why)

    def left(self, evaluation: Evaluation | None) -> Evaluation | None:
        """The evaluation, in what is left of the time; None where nothing is."""
        if evaluation is None or not self.config.max_wall_s:
            return evaluation
        seconds = self.config.max_wall_s - self._spent()
        if seconds <= 0:
            return None
        self._say(f"budget: the evaluation has {seconds:.0f} s (eval.max_eval_s), what is left of {self._wall()}")
        config = replace(evaluation.config, max_eval_s=min(seconds, evaluation.config.max_eval_s or seconds))
        return replace(evaluation, config=config)

    def unmeasured(self) -> dict[str, str]:
        """The verdict of a run whose evaluation was left out because of the time; empty where it was left out for another reason."""
        return {"verdict": f"unmeasured ({self._wall()} was used up before the evaluation)"} if self.is_late() else {}

    def is_late(self) -> bool:
        return 0 < self.config.max_wall_s <= self._spent()

    def told(self) -> dict[str, Any] | None:
        """For the summary: what was reached, first."""
        if self.reached is None and self.is_late():
            self._reach(self._wall())
        return self.reached

    def _over(self, step: int) -> str:
        """Which limit is reached; empty if none."""
        limits = self.config
        if 0 < limits.max_steps <= step:
            return f"budget.max_steps={limits.max_steps}"
        if 0 < limits.max_tokens <= self._used:
            return f"budget.max_tokens={limits.max_tokens} ({self._used} used)"
        return self._wall() if self.is_late() else ""

    def _lack(self, weights: int, checkpoint: bool) -> str:
        """What the adapter, and a checkpoint before it, would be too large for; empty if for nothing. weights: bytes of what is trained."""
        needed = weights + BESIDE + (checkpoint and weights * (1 + MOMENTS) + BESIDE)
        what = "a checkpoint and the adapter take" if checkpoint else "the adapter takes"
        if (free := shutil.disk_usage(self._folder).free) < needed:
            return f"{free / MB:.1f} MB of disk are free, {what} {needed / MB:.1f}"
        used = sum(file.stat().st_size for file in self._folder.rglob("*") if file.is_file())
        if 0 < self.config.max_disk_mb * MB < used + needed:
            return f"budget.max_disk_mb={self.config.max_disk_mb:g}: {used / MB:.1f} MB are there, {what} {needed / MB:.1f}"
        return ""

    def _reach(self, why: str) -> None:
        step, steps = self._done
        self.reached = {"limit": why, "step": step, "of": steps, "tokens": self._used, "seconds": round(self._spent(), 1)}
        Audit(self._folder).tell("budget", **self.reached)
        end = f"training ends after step {step} of {steps}" if step < steps else "the run is late"
        self._say(f"budget: {end}: {why}")

    def _wall(self) -> str:
        return f"budget.max_wall_s={self.config.max_wall_s:g}"

    def _spent(self) -> float:
        return time.monotonic() - self._began


def tokens(lengths: Sequence[int], trainer: Any, seed: int) -> Iterator[int]:
    """Of every step, without end."""
    for epoch in count():
        for step in batch_plan.steps(len(lengths), batch_plan.rows_per_step(trainer), seed, epoch):
            yield sum(lengths[row] for row in step)


def weights(base: Path, settings: TrainConfig) -> int:
    """Bytes of what is trained; 0 for an architecture whose shape is not known before it is loaded."""
    if (shape := shape_of(json.loads((base / "config.json").read_text(encoding="utf-8")))) is None:
        return 0
    return FLOAT32 * (shape.adapter(settings.lora) if settings.lora.r else shape.matrices() + shape.others())
