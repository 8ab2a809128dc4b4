"""Evaluated runs in groups: the same settings, trained with several seeds; named by what they differ in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sekft.compare.seeds import Seeds, over_seeds
from sekft.episode import trajectory
from sekft.episode.trajectory import Trajectory
from sekft.errors import DataError
from sekft.eval.labels import holdout_kind
from sekft.eval.score import BASE, TUNED, adapter_names
from sekft.tracking import records
from sekft.tracking.digest import NOT_DECISIVE
from sekft.tracking.files import flat
from sekft.tracking.records import Curve, Lost, Record

SEED, AGENT, ADAPTER = "seed", "agent", "adapter"


@dataclass(frozen=True)
class EvaluatedRun:
    """One adapter's evaluation. settings: flat, by dotted key; run: run.json; curves: what was logged, by metric."""

    folder: Path
    agent: str
    seed: int
    settings: Mapping[str, Any]
    run: Mapping[str, Any]
    summary: Mapping[str, Any]
    curves: Mapping[str, Curve]
    base: tuple[Trajectory, ...]
    episodes: tuple[Trajectory, ...]

    def loss(self) -> float | None:
        """The last that was logged, in validation if it was."""
        curve = self.curves.get("val/loss") or self.curves.get("train/loss")
        return curve[-1][1] if curve else None

    def kind(self, episode: Trajectory) -> str:
        """Of hold-out."""
        return holdout_kind(episode.archetype, self.settings.get("split.held_out", ()), self.summary.get("unseen", ()))


@dataclass(frozen=True)
class Group:
    """name: what it differs in from the others. differing: that, by key."""

    name: str
    differing: Mapping[str, Any]
    runs: tuple[EvaluatedRun, ...]

    def episodes(self) -> list[Trajectory]:
        return [episode for run in self.runs for episode in run.episodes]

    def base(self) -> list[Trajectory]:
        """Of every scenario once."""
        return list({episode.id: episode for run in self.runs for episode in run.base}.values())

    def losses(self) -> list[float]:
        return [loss for run in self.runs if (loss := run.loss()) is not None]

    def gain(self) -> Seeds | None:
        """Over the base, with what the seeds say of it; None where they sat unlike evaluations."""
        pairs = [run.summary["comparisons"][run.agent][run.settings["eval.criterion"]] for run in self.runs]
        try:
            return over_seeds([{SEED: run.seed, "paired": pair} for run, pair in zip(self.runs, pairs, strict=True)])
        except DataError:
            return None


def evaluated(records: Sequence[Record]) -> tuple[list[EvaluatedRun], list[Lost]]:
    """Every adapter of every run; and the runs without an evaluation, or that say the same as another. Raises DataError."""
    found: dict[str, EvaluatedRun] = {}
    lost: list[Lost] = []
    for record in records:
        runs = list(_of(record)) if record.summary.get("comparisons") else []
        if not runs:
            lost.append(Lost(record.folder, "no evaluation of an adapter in it"))
        for run in runs:
            if (same := found.setdefault(f"{run.seed} {_key(run.settings)}", run)) is not run:
                lost.append(Lost(run.folder, f"the same settings and seed as {same.folder}"))
    return list(found.values()), lost


def grouped(runs: Sequence[EvaluatedRun]) -> list[Group]:
    """By everything but the seed, in the order in which they ran."""
    groups: dict[str, list[EvaluatedRun]] = {}
    for run in runs:
        groups.setdefault(_key(run.settings), []).append(run)
    keys = differing([group[0] for group in groups.values()])
    made = []
    for group in groups.values():
        values = {key: group[0].settings.get(key) for key in keys}
        made.append(Group(_name(values), values, tuple(sorted(group, key=lambda run: run.seed))))
    return made


def differing(runs: Sequence[EvaluatedRun]) -> list[str]:
    """The fewest keys that tell these runs apart, those somebody set first: what others imply is left out."""
    asked = {override.lstrip("+").partition("=")[0] for run in runs for override in run.run.get("overrides", ())}
    kept: list[str] = []
    for key in sorted(unlike(runs), key=lambda key: not any(key == word or key.startswith(f"{word}.") for word in asked)):
        told = {tuple(str(run.settings.get(one)) for one in kept) for run in runs}
        if len({tuple(str(run.settings.get(one)) for one in (*kept, key)) for run in runs}) > len(told):
            kept.append(key)
    return kept


def unlike(runs: Sequence[EvaluatedRun]) -> list[str]:
    """Every key of which these runs have several values, the seed's aside."""
    keys = dict.fromkeys(key for run in runs for key in run.settings if key != SEED)
    return [key for key in keys if len({str(run.settings.get(key)) for run in runs}) > 1]


def _of(record: Record) -> list[EvaluatedRun]:
    agents = trajectory.by_agent(trajectory.read(record.folder / "episodes.jsonl"))
    found = []
    for name in adapter_names(agents):
        settings = _settings(record, name)
        found.append(
            EvaluatedRun(
                folder=record.folder,
                agent=name,
                seed=int(settings.get(SEED, 0)),
                settings=settings,
                run=record.run,
                summary=record.summary,
                curves=record.curves,
                base=tuple(agents[BASE]),
                episodes=tuple(agents[name]),
            )
        )
    return found


def _settings(record: Record, agent: str) -> dict[str, Any]:
    """Of an evaluation alone they are the training's too, where its run lies beside the adapter: its seed, the rest under `trained`."""
    settings = flat(_deciding(record))
    given = (record.run.get("settings") or {}).get(ADAPTER)
    folder = given.get(agent) if isinstance(given, Mapping) else given
    beside = records.read(Path(folder).parent) if record.run.get("command") == "eval" and folder else None
    if not isinstance(beside, Record):
        return settings if agent == TUNED else {**settings, AGENT: agent}
    trained = {f"trained.{key}": value for key, value in flat(_deciding(beside)).items() if key != SEED}
    own = {key: value for key, value in settings.items() if key != ADAPTER and not key.startswith(f"{ADAPTER}.")}
    return {**own, **trained, "eval_seed": settings.get(SEED), SEED: beside.run["settings"][SEED]}


def _deciding(record: Record) -> dict[str, Any]:
    return {key: value for key, value in (record.run.get("settings") or {}).items() if key not in NOT_DECISIVE}


def _key(settings: Mapping[str, Any]) -> str:
    return str(sorted((key, str(value)) for key, value in settings.items() if key != SEED))


def _name(differing: Mapping[str, Any]) -> str:
    """A single word speaks for itself, a number needs its key."""
    values = list(differing.values())
    return (
        values[0]
        if len(values) == 1 and isinstance(values[0], str)
        else " ".join(f"{key}={value}" for key, value in differing.items()) or TUNED
    )
