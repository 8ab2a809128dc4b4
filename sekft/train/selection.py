"""Measuring an adapter's behaviour while it is trained, and keeping the adapter of the step that behaved best.

The episodes are in scenarios=selection: training archetypes, providers and names, but no scenario that is trained on. The evaluation's
scenarios take no part in the choice: an adapter chosen on held-out archetypes would no longer be held out from them. The chosen adapter's
rates in the selection scenarios are biased upwards by the choice; its rates in the evaluation are not.
"""

import hashlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from transformers.trainer_callback import TrainerCallback, TrainerControl, TrainerState
from transformers.training_args import TrainingArguments

from sekft.config import Choose, EvalConfig
from sekft.episode.trajectory import Trajectory
from sekft.errors import SettingsError
from sekft.eval import rates
from sekft.eval.evaluation import Evaluation
from sekft.eval.gate import broken_share
from sekft.model.agents import trained_agent
from sekft.model.base import Base
from sekft.model.lora import restore_weights
from sekft.tracking.files import append_line, json_lines
from sekft.train.callbacks import Log

MEASUREMENTS, BEST = "behaviour.jsonl", "best"
ORDER = (("verified", 1, "most verified"), ("terminated", 1, "most terminated"), ("false_panic", -1, "fewest false panics"))
PlayEpisodes = Callable[[], Sequence[Trajectory]]


@dataclass(frozen=True)
class Measurement:
    """The behaviour of an agent after a training step: a line of behaviour.jsonl."""

    step: int
    agent: str  # base at step 0, else tuned
    scenarios: str  # how many, and a digest of their ids
    broken_share: float
    rates: Mapping[str, float]

    def document(self) -> dict[str, Any]:
        return {
            "step": self.step,
            "agent": self.agent,
            "scenarios": self.scenarios,
            "broken_share": self.broken_share,
            **self.rates,
        }


@dataclass(frozen=True)
class Best:
    """The step of the best measurement, and why it is the best."""

    step: int
    why: str


@dataclass(frozen=True)
class Choice:
    """The step whose weights the adapter has, and why: `choice` in summary.json. of: steps of the whole training."""

    step: int
    of: int
    why: str
    best: Best | None  # None if too many episodes broke in every measurement
    measurements: tuple[Measurement, ...]

    def document(self) -> dict[str, Any]:
        looks = [measurement.document() for measurement in self.measurements]
        return {"step": self.step, "of": self.of, "why": self.why, "best": asdict(self.best) if self.best else None, "looks": looks}


def read_measurements(file: Path) -> list[Measurement]:
    """Raises DataError for a damaged file."""
    return [_measurement(line) for line in json_lines(file) if line]


def _measurement(document: Mapping[str, Any]) -> Measurement:
    scenarios = document["scenarios"] if "scenarios" in document else document["worlds"].replace("worlds", "scenarios")  # the old name
    found = {name: document[name] for name in rates.JUDGED}
    return Measurement(document["step"], document["agent"], scenarios, document["broken_share"], found)


class SelectionCallback(TrainerCallback):
    """Measures every eval.every_steps and after the last step, and saves the best adapter in the folder best/.

    play: plays episodes with the model in its current state; None: nothing is measured. save: saves the adapter's current state.
    """

    def __init__(self, folder: Path, config: EvalConfig, play: PlayEpisodes | None, save: Callable[[Path, int], None], log: Log) -> None:
        self.folder, self.config, self._play, self._save, self._log = folder, config, play, save, log
        self.measurements: list[Measurement] = []

    def begin(self, base: Sequence[Trajectory], checkpoint: str | None) -> None:
        """Record the base's episodes as step 0, or load the measurements and the best adapter of the checkpoint that is resumed.

        Raises SettingsError if the checkpoint was measured in other scenarios.
        """
        if self._play is None:
            return
        first, file = measure(base, 0, "base"), Path(checkpoint or self.folder) / MEASUREMENTS
        if checkpoint is None or not file.exists():
            self._record(first)
            return
        for measurement in read_measurements(file):
            if measurement.scenarios != first.scenarios:
                raise SettingsError(
                    f"{file}: measured in {measurement.scenarios}, here {first.scenarios}; "
                    "allowed: the same eval.selection_scenarios and split"
                )
            self._record(measurement)
        if file.with_name(BEST).exists():
            shutil.copytree(file.with_name(BEST), self.folder / BEST)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        step = state.global_step
        if self._play is None or (step % self.config.every_steps and step != state.max_steps):
            return
        self._record(measure(self._play(), step, "tuned"))
        if (chosen := self.best()) is not None and chosen[0].step == step:
            self._save(self.folder / BEST, step)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Copy the measurements and the best adapter so far into the checkpoint."""
        if self._play is None:
            return
        checkpoint = Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"
        shutil.copy(self.folder / MEASUREMENTS, checkpoint / MEASUREMENTS)
        if (self.folder / BEST).exists():
            shutil.copytree(self.folder / BEST, checkpoint / BEST, dirs_exist_ok=True)

    def choose(self, base: Base, tuned: Any, steps: int) -> Choice | None:
        """Choose a step and load its weights into the model; None if nothing was measured. steps: of the whole training."""
        if self._play is None:
            return None
        best = None
        if (found := self.best()) is not None:
            best = Best(found[0].step, f"{found[1]} of {len(self.measurements) - 1} measurements")
        if self.config.choose is Choose.last:
            step, why = steps, "eval.choose=last"
        elif best:
            step, why = best.step, best.why
        elif self.measurements[1:]:
            step, why = steps, "too many episodes broke in every measurement"
        else:
            step, why = steps, "training ended before the first measurement"
        if step != steps:
            restore_weights(tuned, base, self.folder / BEST)
        return Choice(step, steps, why, best, tuple(self.measurements))

    def best(self) -> tuple[Measurement, str] | None:
        """The best measurement of the adapter, and why; None if too many episodes broke in each."""
        return best([one for one in self.measurements if one.agent == "tuned" and one.broken_share <= self.config.max_broken_share])

    def _record(self, measurement: Measurement) -> None:
        self.measurements.append(measurement)
        with (self.folder / MEASUREMENTS).open("a", encoding="utf-8") as file:
            append_line(file, measurement.document())
        self._log({f"eval/{name}": measurement.rates[name] for name in rates.JUDGED}, measurement.step)


def play_function(evaluation: Evaluation | None, base: Base, tuned: Any) -> PlayEpisodes | None:
    """A function that plays the selection scenarios with the model in the state it has during training."""
    if evaluation is None:
        return None

    def play() -> list[Trajectory]:
        tuned.eval()
        try:
            with trained_agent(base, tuned, evaluation.config, evaluation.seed) as agents:
                return evaluation.play(agents.agents, "selection", tokens=agents.generated)["tuned"]
        finally:
            tuned.train()

    return play


def measure(episodes: Sequence[Trajectory], step: int, agent: str) -> Measurement:
    found = {name: rates.rate_of(episodes, met).rate for name, met in rates.JUDGED.items()}
    ids = sorted({episode.scenario_id for episode in episodes})
    scenarios = f"{len(ids)} scenarios {hashlib.sha256(' '.join(ids).encode()).hexdigest()[:8]}"
    return Measurement(step, agent, scenarios, broken_share(episodes), found)


def best(measurements: Sequence[Measurement]) -> tuple[Measurement, str] | None:
    """The best by the rates in ORDER, a later rate deciding where those before are equal; among equals the latest step."""
    left = list(measurements)
    for name, sign, why in ORDER:
        left = [one for one in left if sign * one.rates[name] == max(sign * other.rates[name] for other in left)]
        if len(left) == 1:
            return left[0], why if len(measurements) > 1 else "the only measurement"
    return (max(left, key=lambda one: one.step), "the latest of equals") if left else None
