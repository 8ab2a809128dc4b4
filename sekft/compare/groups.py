"""Evaluated runs in groups: runs with the same settings and different training seeds, named by the settings that differ."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np

from sekft.episode import trajectory
from sekft.episode.trajectory import Trajectory
from sekft.errors import DataError
from sekft.eval.labels import holdout_kind
from sekft.eval.paired import ALPHA, Paired, error_of_scenarios
from sekft.eval.score import adapter_names
from sekft.eval.summary import BASE, TUNED, EvaluationSummary, read_evaluation
from sekft.tracking import records
from sekft.tracking.digest import NOT_DECISIVE
from sekft.tracking.files import flat
from sekft.tracking.record import RunRecord
from sekft.tracking.records import Curve, FinishedRun, UnusableRun

SEED, AGENT, ADAPTER = "seed", "agent", "adapter"
MAX_SETTINGS = 8  # names of settings in a note; of more than these only their sections are named
MAX_VALUE = 40  # characters of a setting's value as it is shown
# the first parts of keys, the most important first; all others (rehearsal, workers, sandbox, ...) change no result, or should not
IMPORTANT = (
    ("agent", "adapter", "model", "start"), ("data", "split"), ("mask", "lora"), ("trainer", "budget"), ("scenarios", "eval")
)  # fmt: skip
INCIDENTAL = frozenset(("eval.rows", "eval.cache", "data.cache", "trainer.save_every_steps", "trainer.log_every_steps"))
MINOR = len(IMPORTANT)


@dataclass(frozen=True)
class EvaluatedRun:
    """One adapter's evaluation.

    settings: flat, by dotted key. record: run.json. summary: summary.json; evaluation: the evaluation's part of it. curves: by metric.
    base, episodes: of the base and of the adapter.
    """

    folder: Path
    agent: str
    seed: int
    settings: Mapping[str, Any]
    record: RunRecord
    summary: Mapping[str, Any]
    evaluation: EvaluationSummary
    curves: Mapping[str, Curve]
    base: tuple[Trajectory, ...]
    episodes: tuple[Trajectory, ...]

    def loss(self) -> float | None:
        """The last validation loss; without one the last training loss."""
        curve = self.curves.get("val/loss") or self.curves.get("train/loss")
        return curve[-1][1] if curve else None

    def holdout_kind(self, episode: Trajectory) -> str:
        return holdout_kind(episode.archetype, self.settings.get("split.held_out", ()), self.evaluation.unseen)


@dataclass(frozen=True)
class SeedGain:
    """The mean over training seeds of tuned minus base; low, high: its 95 % t interval over seeds, None for a single seed."""

    criterion: str
    seeds: tuple[int, ...]
    differences: tuple[float, ...]
    mean: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Group:
    """Runs of one setting, by seed. name, differing: the settings that tell the group from the others, as text and by key."""

    name: str
    differing: Mapping[str, Any]
    runs: tuple[EvaluatedRun, ...]

    def episodes(self) -> list[Trajectory]:
        return [episode for run in self.runs for episode in run.episodes]

    def base(self) -> list[Trajectory]:
        """The base's episodes, each once."""
        return list({episode.id: episode for run in self.runs for episode in run.base}.values())

    def given_name(self) -> str | None:
        """The name that a person gave all of its runs; None if there is none, or they have several."""
        (first, *others) = {run.record.given_name() for run in self.runs}
        return None if others else first

    def losses(self) -> list[float]:
        return [loss for run in self.runs if (loss := run.loss()) is not None]

    def gain(self) -> SeedGain | None:
        """The gain over the base; None if the runs were evaluated by different criteria or on different numbers of scenarios."""
        pairs = [(run.seed, run.evaluation.comparisons[run.agent][run.settings["eval.criterion"]]) for run in self.runs]
        try:
            return gain_over_seeds(pairs)
        except DataError:
            return None


def gain_over_seeds(compared: Sequence[tuple[int, Paired | None]]) -> SeedGain:
    """The gain of one setting that was trained with several seeds. compared: (seed, tuned against base).

    All seeds share the scenarios, so the interval is about training and not about other scenarios; it is never narrower than the
    number of scenarios allows. Raises DataError for a missing comparison, a repeated seed, different criteria or numbers of scenarios.
    """
    from scipy.stats import t as student

    pairs = [pair for _, pair in compared if pair is not None]
    if not pairs or len(pairs) < len(compared):
        raise DataError(f"seeds: {len(pairs)} of {len(compared)} runs compare an adapter with its base; allowed: all, at least one")
    seeds, alike = tuple(seed for seed, _ in compared), sorted({(pair.criterion, pair.n) for pair in pairs})
    if len(alike) > 1 or len(set(seeds)) < len(seeds):
        raise DataError(f"seeds: found {alike} with seeds {seeds}; allowed: one criterion, one number of scenarios, each seed once")
    differences = np.array([pair.difference for pair in pairs])
    mean, low, high = float(differences.mean()), None, None
    if (amount := len(pairs)) >= 2:
        wins, losses = (float(np.mean([getattr(pair, name) for pair in pairs])) for name in ("wins", "losses"))
        error = max(differences.std(ddof=1), float(error_of_scenarios(wins, losses, alike[0][1]))) / sqrt(amount)
        half = float(student.ppf(1 - ALPHA / 2, amount - 1)) * error
        low, high = max(-1.0, mean - half), min(1.0, mean + half)
    return SeedGain(alike[0][0], seeds, tuple(map(float, differences)), mean, low, high)


def evaluated_runs(found: Sequence[FinishedRun]) -> tuple[list[EvaluatedRun], list[UnusableRun]]:
    """Every adapter of every run; and the runs left out, which have no evaluation, a damaged file, or repeat another."""
    return _told_apart(found, _evaluated, "no evaluation of an adapter in it")


def trained_runs(found: Sequence[FinishedRun]) -> tuple[list[EvaluatedRun], list[UnusableRun]]:
    """Every run with a loss, as one without episodes; and the runs left out, which have none, or repeat another."""
    return _told_apart(found, _trained, "no loss in it")


def _told_apart(
    found: Sequence[FinishedRun], read: Callable[[FinishedRun], list[EvaluatedRun]], lacking: str
) -> tuple[list[EvaluatedRun], list[UnusableRun]]:
    """What `read` finds in the runs, each setting and seed once. lacking: why a run is left out in which it finds nothing."""
    runs: dict[str, EvaluatedRun] = {}
    left_out: list[UnusableRun] = []
    for record in found:
        try:
            own = read(record)
        except DataError as error:
            left_out.append(UnusableRun(record.folder, str(error)))
            continue
        if not own:
            left_out.append(UnusableRun(record.folder, lacking))
        for run in own:
            if (same := runs.setdefault(f"{run.seed} {_key(run.settings)}", run)) is not run:
                left_out.append(UnusableRun(run.folder, f"the same settings and seed as {same.folder}"))
    return list(runs.values()), left_out


def group_runs(runs: Sequence[EvaluatedRun]) -> list[Group]:
    """Groups of runs that share all settings but the seed, in the order given."""
    groups: dict[str, list[EvaluatedRun]] = {}
    for run in runs:
        groups.setdefault(_key(run.settings), []).append(run)
    keys = differing_keys([group[0] for group in groups.values()])
    made = []
    for group in groups.values():
        values = {key: group[0].settings.get(key) for key in keys}
        made.append(Group(_name(values), values, tuple(sorted(group, key=lambda run: run.seed))))
    given = [group.given_name() for group in made]
    return [replace(group, name=name) if name and given.count(name) == 1 else group for group, name in zip(made, given, strict=True)]


def differing_keys(runs: Sequence[EvaluatedRun]) -> list[str]:
    """The settings that these runs are named by: every typed one that differs, then the fewest others that tell them apart.

    Settings that matter come first; a setting that changes no result is used only where no other tells the runs apart.
    """
    typed = _typed(runs)

    def order(key: str) -> tuple[bool, bool, bool, int]:
        rank = _importance(key)
        return rank == MINOR, key not in typed, not any(_belongs(key, word) for word in typed), rank

    kept: list[str] = []
    for key in sorted(unlike_keys(runs), key=order):
        apart = {tuple(str(run.settings.get(one)) for one in kept) for run in runs}
        splits = len({tuple(str(run.settings.get(one)) for one in (*kept, key)) for run in runs}) > len(apart)
        if splits or (key in typed and _importance(key) < MINOR):
            kept.append(key)
    return sorted(kept, key=_importance)


def varied_with(groups: Sequence[Group]) -> list[str]:
    """The settings that matter, differ between the groups, and are neither in their names nor part of an option that is."""
    runs = [group.runs[0] for group in groups]
    named = [key for group in groups for key in group.differing]
    options = [word for word in _typed(runs) if any(_belongs(key, word) for key in named)]
    return [
        key
        for key in unlike_keys(runs)
        if _importance(key) < MINOR and key not in named and not any(_belongs(key, word) for word in options)
    ]


def varied_note(groups: Sequence[Group]) -> list[str]:
    """One line with the settings of varied_with, if there are any."""
    together = varied_with(groups)
    sections = dict.fromkeys(key.rpartition(".")[0] or key for key in together)
    shown = ", ".join(together) if len(together) <= MAX_SETTINGS else f"{len(together)} settings of {', '.join(sections)}"
    return [f"groups also differ in {shown}: a difference between them may come from any of these"] if together else []


def is_varied_alone(groups: Sequence[Group], key: str) -> bool:
    """Whether two groups differ in this setting and in no other that matters, but for others of the same option (lora.r, lora.alpha)."""
    part = key.partition(".")[0]
    for first, second in combinations(groups, 2):
        pair = [first.runs[0], second.runs[0]]
        unlike = [one for one in unlike_keys(pair) if _importance(one) < MINOR or one == key]
        named = [one for one in first.differing if str(first.differing[one]) != str(second.differing.get(one))]
        if key in unlike and named == [key] and all(_belongs(one, part) for one in unlike):
            return True
    return False


def unlike_keys(runs: Sequence[EvaluatedRun]) -> list[str]:
    """Every setting but the seed that has several values among these runs."""
    keys = dict.fromkeys(key for run in runs for key in run.settings if key != SEED)
    return [key for key in keys if len({str(run.settings.get(key)) for run in runs}) > 1]


def _typed(runs: Sequence[EvaluatedRun]) -> set[str]:
    """The keys and options of the runs' command lines."""
    return {override.lstrip("+").partition("=")[0] for run in runs for override in run.record.overrides}


def _belongs(key: str, word: str) -> bool:
    return key == word or key.startswith(f"{word}.")


def _importance(key: str) -> int:
    """The rank of a setting by what it decides: the model, the data, the training, the evaluation; MINOR: nothing of these."""
    first = key.removeprefix("trained.").partition(".")[0]
    return next((rank for rank, parts in enumerate(IMPORTANT) if first in parts and key not in INCIDENTAL), MINOR)


def natural_order(value: Any) -> tuple[int, list[tuple[float, str]]]:
    """A sort key for values of settings: None, then numbers by size, then text with its numbers by size (r4 before r16)."""
    if value is None:
        return 0, []
    if isinstance(value, int | float):
        return 1, [(float(value), "")]
    parts = re.split(r"(\d+)", str(value))
    return 2, [(float(part), "") if part.isdigit() else (-1.0, part) for part in parts]


def short_value(value: Any) -> str:
    """A setting's value as text of at most MAX_VALUE characters."""
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= MAX_VALUE else f"{text[: MAX_VALUE - 3]}..."


def _evaluated(record: FinishedRun) -> list[EvaluatedRun]:
    evaluation = read_evaluation(record.summary)
    if not evaluation.comparisons:
        return []
    agents = trajectory.by_agent(trajectory.read(record.folder / "episodes.jsonl"))
    runs = []
    for name in adapter_names(agents):
        settings = _settings(record, name)
        runs.append(
            EvaluatedRun(
                folder=record.folder,
                agent=name,
                seed=int(settings.get(SEED, 0)),
                settings=settings,
                record=record.record,
                summary=record.summary,
                evaluation=evaluation,
                curves=record.curves,
                base=tuple(agents[BASE]),
                episodes=tuple(agents[name]),
            )
        )
    return runs


def _trained(record: FinishedRun) -> list[EvaluatedRun]:
    settings = _settings(record, TUNED)
    run = EvaluatedRun(
        folder=record.folder,
        agent=TUNED,
        seed=int(settings.get(SEED, 0)),
        settings=settings,
        record=record.record,
        summary=record.summary,
        evaluation=EvaluationSummary(),
        curves=record.curves,
        base=(),
        episodes=(),
    )
    return [run] if run.loss() is not None else []


def _settings(record: FinishedRun, agent: str) -> dict[str, Any]:
    """The settings that decide a run.

    A run of sekft.eval gets the settings of the training too, under `trained`, and its seed, if the training's run is beside the adapter.
    """
    settings = flat(_deciding(record))
    adapter = record.record.settings.get(ADAPTER)
    folder = adapter.get(agent) if isinstance(adapter, Mapping) else adapter
    training = records.read(Path(folder).parent) if record.record.command == "eval" and folder else None
    if not isinstance(training, FinishedRun):
        return settings if agent == TUNED else {**settings, AGENT: agent}
    trained = {f"trained.{key}": value for key, value in flat(_deciding(training)).items() if key != SEED}
    own = {key: value for key, value in settings.items() if key != ADAPTER and not key.startswith(f"{ADAPTER}.")}
    return {**own, **trained, "eval_seed": settings.get(SEED), SEED: training.record.settings[SEED]}


def _deciding(record: FinishedRun) -> dict[str, Any]:
    return {key: value for key, value in record.record.settings.items() if key not in NOT_DECISIVE}


def _key(settings: Mapping[str, Any]) -> str:
    return str(sorted((key, str(value)) for key, value in settings.items() if key != SEED))


def _name(differing: Mapping[str, Any]) -> str:
    """A single text value is a name by itself; a number, or one of several values, needs its key."""
    values = list(differing.values())
    if len(values) == 1 and isinstance(values[0], str):
        return values[0]
    given = [f"{key}={value}" for key, value in differing.items() if len(values) == 1 or value not in (None, "")]
    return " ".join(given) or (f"without {', '.join(differing)}" if differing else TUNED)
