"""What the trainer tells the scenario while it runs: metrics, a progress line, evaluations in between."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from transformers.trainer_callback import TrainerCallback, TrainerControl, TrainerState
from transformers.training_args import TrainingArguments

from sekft.errors import ModelError
from sekft.tracking import heartbeat

Log = Callable[[dict[str, float], int], None]
Measure = Callable[[int], dict[str, float]]


class Pausing(TrainerCallback):
    """Stops before the last step, with a checkpoint from which training goes on as if it had not stopped."""

    def __init__(self, step: int) -> None:
        self._step = step

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if state.global_step == self._step < state.max_steps:
            control.should_save = control.should_training_stop = True


class Telling(TrainerCallback):
    """Logs train/loss, train/lr, train/grad_norm, train/tokens_per_second; calls each measure every so many steps.

    measures: {steps: what to measure then}; a measure gets the step and returns metrics. Raises ModelError at a gradient
    that is not a number.
    """

    def __init__(self, log: Log, measures: list[tuple[int, Measure]], title: str = "train") -> None:
        self._log = log
        self._measures = [(steps, measure) for steps, measure in measures if steps > 0]
        self._title = title
        self.losses: list[float] = []

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._clock, self._tokens = time.monotonic(), 0.0
        self._bar = Progress(
            TextColumn(self._title),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        self._bar.start()
        self._task = self._bar.add_task(self._title, total=state.max_steps, completed=state.global_step, note="")

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._bar.update(self._task, completed=state.global_step)
        heartbeat.progress(state.global_step, state.max_steps, "steps")
        for steps, measure in self._measures:
            if state.global_step % steps == 0 and state.global_step < state.max_steps:
                self._log(measure(state.global_step), state.global_step)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        if not logs or "loss" not in logs:
            return
        loss, norm = float(logs["loss"]), float(logs["grad_norm"])
        if not math.isfinite(norm):  # the trainer sees to the loss, and names the row
            raise ModelError(f"step {state.global_step}: the gradient's norm is {norm}; lower trainer.lr")
        now, tokens = time.monotonic(), float(logs.get("num_tokens", 0.0))
        speed = (tokens - self._tokens) / max(now - self._clock, 1e-9)
        self._clock, self._tokens = now, tokens
        self.losses.append(loss)
        told = {"train/loss": loss, "train/lr": float(logs["learning_rate"]), "train/grad_norm": norm}
        self._log({**told, "train/tokens_per_second": speed}, state.global_step)
        self._bar.update(self._task, note=f"loss {loss:.3f}  {speed:,.0f} tok/s")

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Also after an error, when the trainer does not say that it ended."""
        if hasattr(self, "_bar"):
            self._bar.stop()


def fallen(losses: list[float]) -> str:
    return f"loss: {losses[0]:.3f} -> {losses[-1]:.3f}" if losses else "loss: never logged (trainer.log_every_steps)"


def change(before: dict[str, float], after: dict[str, float]) -> str:
    return f"validation {before['val/loss']:.3f} -> {after['val/loss']:.3f}" if before else "no validation rows"


def why_of(choice: Mapping[str, Any] | None) -> str:
    return f" of step {choice['step']}, {choice['why']}" if choice else ""
