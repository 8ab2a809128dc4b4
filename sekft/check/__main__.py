"""Lint scenarios: the reference solves each one, straight and noisy; doing nothing, leaving at once and cheating solve none."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from sekft.cli.console import echo
from sekft.cli.launch import launch
from sekft.config import CheckConfig, EvalConfig, ModelConfig
from sekft.config.job import Job
from sekft.episode import trajectory
from sekft.episode.agent import Scripted, reference
from sekft.episode.pool import EpisodeRequest, play_many
from sekft.episode.trajectory import Ending, Trajectory
from sekft.errors import DataError, SandboxError, ScenarioError
from sekft.model.locate import load_tokenizer
from sekft.sandbox import choose
from sekft.sandbox.session import Backend
from sekft.scenario import cheat, library, split
from sekft.scenario.document import Scenario, Terminal, read_all
from sekft.scenario.leak import leaks
from sekft.scenario.task import Blocker
from sekft.tracking.files import write_json
from sekft.tracking.signals import terminating

SOLVING = ("reference", "noisy")  # must be kept in every episode; everything of cheat.ZEROS in none
ROUND = len(library.BLOCKERS) * library.BLOCKED_EVERY  # scenarios of one archetype until every blocker had its turn
FEW = 4  # blocked scenarios, below which no share of them is judged
Episodes = Mapping[str, Sequence[Trajectory]]  # by agent


@dataclass(frozen=True)
class Fault:
    scenario: str
    column: str
    episodes: int  # that the checker accepted; of column flaky: different ones
    of: int
    reason: str

    def __str__(self) -> str:
        return f"{self.scenario}: {self.column} {self.episodes}/{self.of}: {self.reason}"


def run(settings: CheckConfig, job: Job) -> dict[str, Any]:
    if settings.trajectories:
        return look_for_leaks(settings)
    scenarios = chosen_scenarios(settings)
    backend = choose.backend(settings.sandbox, echo, bool(settings.path))
    started = time.monotonic()
    episodes = play_all(scenarios, backend, settings)
    seconds = time.monotonic() - started
    shaky = flaky(scenarios, episodes)
    faults = [fault for scenario in scenarios for fault in judge(scenario, episodes, settings.repeats)] + too_many_apart(scenarios)
    faults += [Fault(name, "flaky", seen, settings.repeats, "the same replies gave different episodes") for name, seen in shaky.items()]
    rows = by_archetype(scenarios, episodes)
    Console(width=120).print(table(rows, settings.repeats))
    amount, apart = sum(map(len, episodes.values())), sum(map(is_apart, scenarios))
    pace = {"backend": backend.name, "episodes": amount, "seconds": round(seconds, 3), "episodes_per_s": round(amount / seconds, 2)}
    summary = {"command": "check", "scenarios": len(scenarios), "repeats": settings.repeats, "flaky": list(shaky), "apart": apart, **pace}
    summary["faults"] = [asdict(fault) for fault in faults]
    write_json(job.folder / "check.json", {**summary, "archetypes": rows})
    write_json(job.folder / "summary.json", summary)
    echo(f"{amount} episodes on {backend.name} in {seconds:.0f} s: {amount / seconds:.1f}/s; all of it: {job.folder / 'check.json'}")
    echo(f"flake rate {len(shaky)}/{len(scenarios)}; {apart} scenarios stand apart: nothing can be done there, panic at once is right")
    if faults:
        for fault in faults:
            echo(str(fault))
        raise ScenarioError(f"{len({fault.scenario for fault in faults})} of {len(scenarios)} scenarios are at fault; {faults[0]}")
    k, others = settings.repeats, ", ".join(name for name in cheat.ZEROS if name != "nothing")
    echo(f"{len(scenarios)} scenarios: reference {k}/{k}, nothing 0/{k} in every one; noisy {k}/{k}; {others} 0/{k}")
    return summary


def chosen_scenarios(settings: CheckConfig) -> list[Scenario]:
    if settings.path:
        return read_all(Path(settings.path))[: settings.episodes or None]
    if settings.library in library.archetypes():
        return [library.make(settings.library, index, settings.seed) for index in range(settings.episodes or ROUND)]
    if split.is_foreign(settings.library):
        raise ScenarioError(f"library={settings.library}: allowed: {', '.join(split.WHICH)}, or {', '.join(library.archetypes())}")
    return split.load(settings.library, settings.split, settings.seed, settings.episodes)


def play_all(scenarios: Sequence[Scenario], backend: Backend, settings: CheckConfig) -> Episodes:
    """The episodes of every agent in every scenario, `repeats` times. Raises SandboxError if a place broke twice."""
    agents = {"reference": reference(scenarios), "noisy": reference(scenarios, 1.0, settings.seed)}
    agents |= {name: Scripted(name, {scenario.id: script(scenario) for scenario in scenarios}) for name, script in cheat.ZEROS.items()}
    config = EvalConfig(max_turns=max(scenario.limits.turns for scenario in scenarios))
    attempts = [(name, scenario, attempt) for name in agents for scenario in scenarios for attempt in range(settings.repeats)]
    requests = [EpisodeRequest(scenario, agents[name], attempt) for name, scenario, attempt in attempts]
    with terminating():
        played = play_many(requests, backend, config, settings.workers, "check")
    if broken := [episode for episode in played if episode.ending is Ending.broken]:
        raise SandboxError(
            f"{broken[0].scenario_id}: its place broke twice ({broken[0].reason}); nothing is known of {len(broken)} episodes"
        )
    episodes: dict[str, list[Trajectory]] = {name: [] for name in agents}
    for (name, _, _), episode in zip(attempts, played, strict=True):
        episodes[name].append(episode)
    return episodes


def is_apart(scenario: Scenario) -> bool:
    """Whether nothing can be done in this scenario, so that doing nothing is right."""
    return scenario.axes.blocker == Blocker.unreachable.value


def judge(scenario: Scenario, episodes: Episodes, repeats: int) -> list[Fault]:
    faults = []
    for column, played in episodes.items():
        own = [episode for episode in played if episode.scenario_id == scenario.id]
        lost = [episode for episode in own if not episode.kept]
        fooled = [episode for episode in own if episode.checked]
        if column in SOLVING and lost:
            faults.append(Fault(scenario.id, column, repeats - len(lost), repeats, f"{lost[0].outcome.value} ({lost[0].reason})"))
        if column in cheat.ZEROS and fooled and not is_apart(scenario):
            faults.append(Fault(scenario.id, column, len(fooled), repeats, "its checker accepts an episode in which the work was not done"))
    return faults


def too_many_apart(scenarios: Sequence[Scenario]) -> list[Fault]:
    apart, blocked = sum(map(is_apart, scenarios)), sum(scenario.terminal is Terminal.panic for scenario in scenarios)
    if blocked < FEW or apart * 4 <= blocked:
        return []
    return [Fault("all", "apart", apart, blocked, "more than a quarter of the blocked scenarios")]


def flaky(scenarios: Sequence[Scenario], episodes: Episodes) -> dict[str, int]:
    """Scenarios where the same replies did not give the same episode every time, and how many different ones they gave."""
    texts: dict[str, set[tuple[Any, ...]]] = {scenario.id: set() for scenario in scenarios}
    for episode in episodes["reference"]:
        texts[episode.scenario_id].add((episode.outcome, *((message.role, message.content) for message in episode.messages)))
    return {name: len(seen) for name, seen in texts.items() if len(seen) > 1}


def by_archetype(scenarios: Sequence[Scenario], episodes: Episodes) -> dict[str, dict[str, Any]]:
    """Counts of accepted episodes by agent, and what the reference needs. Tokens are those of model=tiny."""
    tokenizer = load_tokenizer(ModelConfig(name="tiny", path="sekft:tiny"))
    rows: dict[str, dict[str, Any]] = {}
    for name in sorted({scenario.archetype for scenario in scenarios}):
        own = [scenario for scenario in scenarios if scenario.archetype == name]
        apart = {scenario.id for scenario in own if is_apart(scenario)}
        straight = [episode for episode in episodes["reference"] if episode.archetype == name]
        tokens = [len(tokenizer.encode(message.content)[0]) for episode in straight for message in episode.messages]
        rows[name] = {
            "family": own[0].axes.family,
            "scenarios": len(own),
            "blocked": sum(scenario.terminal is Terminal.panic for scenario in own),
        }
        for column, played in episodes.items():
            accepted = [
                episode for episode in played if episode.archetype == name and (episode.kept if column in SOLVING else episode.checked)
            ]
            rows[name][column] = sum(column in SOLVING or episode.scenario_id not in apart for episode in accepted)
        rows[name] |= {"turns": sum(len(episode.commands) for episode in straight) / len(straight), "tokens": sum(tokens) // len(straight)}
    return rows


def table(rows: Mapping[str, Mapping[str, Any]], repeats: int) -> Table:
    title = f"episodes the checker accepts, {repeats} a scenario and agent; turns and tokens of the reference"
    out = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    for column in ("archetype", *next(iter(rows.values()))):
        out.add_column(column, justify="left" if column in ("archetype", "family") else "right")
    for name, row in rows.items():
        out.add_row(name, *(f"{value:.1f}" if isinstance(value, float) else str(value) for value in row.values()))
    return out


def look_for_leaks(settings: CheckConfig) -> dict[str, Any]:
    """Whether the frozen test set, or this split's own, shows in training data. Raises DataError if it does."""
    episodes = list(trajectory.read(Path(settings.trajectories or "")))
    evaluation = split.load("test", settings.split)
    found = leaks(evaluation, ("\n".join(message.content for message in episode.messages) for episode in episodes))
    if found:
        raise DataError(f"{settings.trajectories}: {found.line()}")
    echo(split.line(evaluation, "test", settings.split))
    echo(f"{len(episodes)} episodes of {settings.trajectories}: {found.line()}")
    return {"command": "check", "episodes": len(episodes), "leaks": asdict(found)}


def main() -> None:
    launch("check", run)


if __name__ == "__main__":
    main()
