"""The adapter evaluated while it learns: a curve beside the loss, and the step whose behaviour was best, kept in best/.

The scenarios it is chosen by are scenarios=selection: of training's archetypes, providers and names, and none that is learned from. Nothing
of the evaluation takes part in the choice, held-out archetypes least of all: an adapter picked because it does well there would no longer be
held out from them. What is chosen so may be too well thought of in these scenarios, never in the evaluation's.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
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
from sekft.model.agents import playing
from sekft.model.base import Base
from sekft.model.lora import put_back
from sekft.tracking.files import append_line
from sekft.train.callbacks import Log

LOOKS, BEST = "behaviour.jsonl", "best"
ORDER = (("verified", 1, "most verified"), ("terminated", 1, "most terminated"), ("false_panic", -1, "fewest false panics"))
Live = Callable[[], Sequence[Trajectory]]
Look = dict[str, Any]  # a line of LOOKS: step, agent, scenarios (how many and which), broken_share and every rate


class SelectionCallback(TrainerCallback):
    """Looks every eval.every_steps and after the last one.

    live: the episodes of the model as it is now; None: there are no looks. keep: saves it as it is now in a folder of that name.
    """

    def __init__(self, folder: Path, config: EvalConfig, live: Live | None, keep: Callable[[Path, int], None], log: Log) -> None:
        self.folder, self.config, self._live, self._keep, self._log = folder, config, live, keep, log
        self.looks: list[Look] = []

    def begin(self, base: Sequence[Trajectory], checkpoint: str | None) -> None:
        """Step 0 is the base. checkpoint: training goes on from it, and so does the choice, with what was kept there.

        Raises SettingsError if that was chosen in other scenarios.
        """
        if self._live is None:
            return
        first, before = look(base, 0, "base"), Path(checkpoint or self.folder) / LOOKS
        if checkpoint is None or not before.exists():
            self._tell(first)
            return
        for one in map(json.loads, filter(None, before.read_text(encoding="utf-8").split("\n"))):
            if one["scenarios"] != first["scenarios"]:
                raise SettingsError(
                    f"{before}: looks at {one['worlds']}, here {first['worlds']}; allowed: the same eval.selection_scenarios and split"
                )
            self._tell(one)
        if before.with_name(BEST).exists():
            shutil.copytree(before.with_name(BEST), self.folder / BEST)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        step = state.global_step
        if self._live is None or (step % self.config.every_steps and step != state.max_steps):
            return
        self._tell(look(self._live(), step, "tuned"))
        if (found := self.best()) is not None and found[0]["step"] == step:
            self._keep(self.folder / BEST, step)

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """With the checkpoint goes what was chosen up to it."""
        if self._live is None:
            return
        checkpoint = Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"
        shutil.copy(self.folder / LOOKS, checkpoint / LOOKS)
        if (self.folder / BEST).exists():
            shutil.copytree(self.folder / BEST, checkpoint / BEST, dirs_exist_ok=True)

    def settle(self, base: Base, tuned: Any, steps: int) -> dict[str, Any] | None:
        """Which step's weights the model has now, and why; None without looks. steps: how many training took."""
        if self._live is None:
            return None
        found = self.best()
        best = {"step": found[0]["step"], "why": f"{found[1]} of {len(self.looks) - 1} looks"} if found else None
        if self.config.choose is Choose.last:
            step, why = steps, "eval.choose=last"
        else:
            step, why = (
                (best["step"], best["why"])
                if best
                else (steps, "at every look too many episodes broke" if self.looks[1:] else "it ended before a look")
            )
        if step != steps:
            put_back(tuned, base, self.folder / BEST)
        return {"step": step, "of": steps, "why": why, "best": best, "looks": self.looks}

    def best(self) -> tuple[Look, str] | None:
        """The look that is chosen, and why; None if at every one too many episodes broke."""
        return best([one for one in self.looks if one["agent"] == "tuned" and one["broken_share"] <= self.config.max_broken_share])

    def _tell(self, seen: Look) -> None:
        self.looks.append(seen)
        with (self.folder / LOOKS).open("a", encoding="utf-8") as file:
            append_line(file, seen)
        self._log({f"eval/{name}": seen[name] for name in rates.JUDGED}, seen["step"])


def play_in(evaluation: Evaluation | None, base: Base, tuned: Any) -> Live | None:
    """Episodes of the model as it is in the middle of its training."""
    if evaluation is None:
        return None

    def live() -> list[Trajectory]:
        tuned.eval()
        try:
            with playing(base, tuned, evaluation.config, evaluation.seed) as cast:
                return evaluation.play(cast.agents, "selection", tokens=cast.generated)["tuned"]
        finally:
            tuned.train()

    return live


def look(episodes: Sequence[Trajectory], step: int, agent: str) -> Look:
    found = {name: rates.rate_of(episodes, met).rate for name, met in rates.JUDGED.items()}
    ids = sorted({episode.scenario_id for episode in episodes})
    scenarios = f"{len(ids)} scenarios {hashlib.sha256(' '.join(ids).encode()).hexdigest()[:8]}"
    return {"step": step, "agent": agent, "scenarios": scenarios, "broken_share": broken_share(episodes), **found}


def best(looks: Sequence[Look]) -> tuple[Look, str] | None:
    """By ORDER, each rate deciding among the equals of those before it; among equals in all of them the latest step, which learned most."""
    left = list(looks)
    for name, sign, said in ORDER:
        left = [one for one in left if sign * one[name] == max(sign * other[name] for other in left)]
        if len(left) == 1:
            return left[0], said if len(looks) > 1 else "the only look"
    return (max(left, key=lambda one: one["step"]), "the latest of equals") if left else None
