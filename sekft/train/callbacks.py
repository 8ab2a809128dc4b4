"""Trainer callbacks that log metrics, show progress and stop early, and the lines that sum up a training."""

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from transformers.trainer_callback import TrainerCallback, TrainerControl, TrainerState
from transformers.training_args import TrainingArguments

from sekft.errors import ModelError
from sekft.tracking import heartbeat
from sekft.tracking.progress import ProgressLines

Log = Callable[[dict[str, float], int], None]  # metrics, step
Measure = Callable[[int], dict[str, float]]  # step -> metrics


class PauseCallback(TrainerCallback):
    """Stops after a given step before the last, with a checkpoint from which the training resumes as if it had not stopped."""

    def __init__(self, step: int) -> None:
        self._step = step

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        if state.global_step == self._step < state.max_steps:
            control.should_save = control.should_training_stop = True


class StepTimer(TrainerCallback):
    """The seconds of every step, without what the trainer does before the first."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self._begun = 0.0

    def on_step_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._begun = time.monotonic()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.seconds.append(time.monotonic() - self._begun)


class LoggingCallback(TrainerCallback):
    """Logs loss, learning rate, accuracy, ... of every step as train/*, and runs each measure every so many steps.

    measures: pairs of (steps, measure); 0 steps: never. Raises ModelError at a gradient norm that is not finite.
    """

    def __init__(self, log: Log, measures: list[tuple[int, Measure]], title: str = "train") -> None:
        self._log = log
        self._measures = [(steps, measure) for steps, measure in measures if steps > 0]
        self._title = title
        self.losses: list[float] = []

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._clock, self._tokens = time.monotonic(), 0.0
        self.losses = [float(entry["loss"]) for entry in state.log_history if "loss" in entry]  # of a checkpoint that is resumed
        self._bar = Progress(
            TextColumn(self._title),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        self._lines, self._note = ProgressLines(self._title, not self._bar.console.is_terminal), ""
        self._lines.update(state.global_step, state.max_steps)
        self._bar.start()
        self._task = self._bar.add_task(self._title, total=state.max_steps, completed=state.global_step, note="")

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self._bar.update(self._task, completed=state.global_step)
        self._lines.update(state.global_step, state.max_steps, self._note)
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
        if not math.isfinite(norm):  # the trainer checks the loss itself, and names the row
            raise ModelError(f"step {state.global_step}: the gradient's norm is {norm}; lower trainer.lr")
        now, tokens = time.monotonic(), float(logs.get("num_tokens", 0.0))
        speed = (tokens - self._tokens) / max(now - self._clock, 1e-9)
        self._clock, self._tokens = now, tokens
        self.losses.append(loss)
        metrics = {
            "train/loss": loss,
            "train/mean_token_accuracy": float(logs["mean_token_accuracy"]),  # of the learned tokens
            "train/lr": float(logs["learning_rate"]),
            "train/grad_norm": norm,
            "train/epoch": float(state.epoch or 0.0),
            "train/num_tokens": tokens,
            "train/tokens_per_second": speed,
        }
        self._log(metrics, state.global_step)
        self._note = f"loss {loss:.3f}  {speed:,.0f} tok/s"
        self._bar.update(self._task, note=self._note)

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.close()

    def close(self) -> None:
        """Stop the progress bar; also needed after an error, when the trainer does not call on_train_end."""
        if hasattr(self, "_bar"):
            self._bar.stop()


def loss_change(losses: list[float]) -> str:
    return f"loss: {losses[0]:.3f} -> {losses[-1]:.3f}" if losses else "loss: never logged (trainer.log_every_steps)"


def validation_change(before: Mapping[str, float], after: Mapping[str, float]) -> str:
    return f"validation {before['val/loss']:.3f} -> {after['val/loss']:.3f}" if before else "no validation rows"
