"""The command `python -m sekft.check`: every scenario can be played, its reference solves it, cheats do not; and leaks are found."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.table import Table

from sekft.check import failure, new
from sekft.cli.console import echo, echo_command, echo_table
from sekft.config import CheckConfig, Detour, EvalConfig, ModelConfig
from sekft.config.job import Job
from sekft.episode import playable, trajectory
from sekft.episode.agent import Scripted, reference
from sekft.episode.outcome import why_lost
from sekft.episode.pool import EpisodeRequest, play_many
from sekft.episode.trajectory import Ending, Trajectory
from sekft.errors import DataError, SandboxError, ScenarioError
from sekft.model.locate import load_tokenizer
from sekft.sandbox import choose
from sekft.sandbox.session import Backend
from sekft.scenario import cheat, library, split
from sekft.scenario.detours import Detours, with_detours
from sekft.scenario.document import Scenario, Terminal, read_all
from sekft.scenario.leak import leaks
from sekft.scenario.task import Blocker
from sekft.tracking.files import write_json, write_text

SOLVERS = ("reference", "noisy")  # must be kept in every episode; the agents of cheat.CHEATS must be accepted in none
SHOWN_FAILURES = 3  # episodes that are printed; failures.txt has MAX_FAILURES
MAX_FAILURES = 30
BLOCKER_CYCLE = len(library.BLOCKERS) * library.BLOCKED_EVERY  # scenarios of one archetype until every blocker has occurred once
MIN_BLOCKED = 4  # blocked scenarios; in a smaller set the share of unworkable ones is not judged
MAX_UNWORKABLE_SHARE = 0.25  # of the blocked scenarios
Episodes = Mapping[str, Sequence[Trajectory]]  # by agent


@dataclass(frozen=True)
class Fault:
    """A rule of this check that a scenario breaks.

    column: the agent, `flaky`, `unworkable`, or the part of the scenario that cannot be played. episodes: how many of `of` the checker
    accepted; for `flaky`, how many were different; of is 0 where nothing was counted.
    """

    scenario: str
    column: str
    episodes: int
    of: int
    reason: str

    def __str__(self) -> str:
        count = f" {self.episodes}/{self.of}" if self.of else ""
        return f"{self.scenario}: {self.column}{count}: {self.reason}"


def run(settings: CheckConfig, job: Job) -> dict[str, Any]:
    if settings.new:
        return new.write(settings.new)
    if settings.trajectories:
        return check_leaks(settings)
    scenarios = choose_scenarios(settings)
    backend = choose.backend(settings.sandbox, echo, bool(settings.path))
    start = time.monotonic()
    episodes, probed = play_all(scenarios, backend, settings)
    seconds = time.monotonic() - start
    flaky = find_flaky(scenarios, episodes)
    faults = [fault for scenario in scenarios for fault in unplayable(scenario, episodes, probed)]
    faults += [fault for scenario in scenarios for fault in judge(scenario, episodes, settings.repeats)] + too_many_unworkable(scenarios)
    faults += [Fault(name, "flaky", count, settings.repeats, "the same replies gave different episodes") for name, count in flaky.items()]
    rows = count_by_archetype(scenarios, episodes)
    echo_table(table(rows, settings.repeats))
    amount, unworkable = sum(map(len, episodes.values())), sum(map(is_unworkable, scenarios))
    pace = {"backend": backend.name, "episodes": amount, "seconds": round(seconds, 3), "episodes_per_s": round(amount / seconds, 2)}
    summary = {
        "command": "check",
        "scenarios": len(scenarios),
        "repeats": settings.repeats,
        "flaky": list(flaky),
        "unworkable": unworkable,
        **pace,
    }
    summary["faults"] = [asdict(fault) for fault in faults]
    write_json(job.folder / "check.json", {**summary, "archetypes": rows})
    write_json(job.folder / "summary.json", summary)
    echo(f"{amount} episodes on {backend.name} in {seconds:.0f} s: {amount / seconds:.1f}/s; details: {job.folder / 'check.json'}")
    echo(f"{len(flaky)} of {len(scenarios)} scenarios flaky; in {unworkable} nothing can be done, so that an immediate panic is right")
    if faults:
        show_failures(faults, scenarios, backend, settings, job.folder / "failures.txt")
        for fault in faults:
            echo(str(fault))
        raise ScenarioError(f"{len({fault.scenario for fault in faults})} of {len(scenarios)} scenarios are at fault; {faults[0]}")
    k, cheats = settings.repeats, ", ".join(name for name in cheat.CHEATS if name != "nothing")
    echo(f"clean: {len(scenarios)} scenarios: reference {k}/{k}, nothing 0/{k} in every one; noisy {k}/{k}; {cheats} 0/{k}")
    for label, words in next_commands(settings, job).items():
        echo_command(label, words)
    return summary


def choose_scenarios(settings: CheckConfig) -> list[Scenario]:
    """Raises ScenarioError."""
    if settings.path:
        return read_all(Path(settings.path))[: settings.episodes or None]
    if settings.library in library.archetypes():
        return [library.make(settings.library, index, settings.seed) for index in range(settings.episodes or BLOCKER_CYCLE)]
    if split.is_foreign(settings.library):
        raise ScenarioError(f"library={settings.library}: allowed: {', '.join(split.SETS)}, or {', '.join(library.archetypes())}")
    return split.load(settings.library, settings.split, settings.seed, settings.episodes)


def play_all(scenarios: Sequence[Scenario], backend: Backend, settings: CheckConfig) -> tuple[Episodes, dict[str, Trajectory]]:
    """The episodes of every agent in every scenario, `repeats` times each, and by scenario one that asks for the provider.

    Raises SandboxError if a session broke twice.
    """
    agents = {"reference": reference(scenarios), "noisy": reference(scenarios, every_detour(settings))}
    agents |= {name: Scripted(name, {scenario.id: script(scenario) for scenario in scenarios}) for name, script in cheat.CHEATS.items()}
    config = EvalConfig(max_turns=max(scenario.limits.turns for scenario in scenarios))
    plan = [(name, scenario, attempt) for name in agents for scenario in scenarios for attempt in range(settings.repeats)]
    requests = [EpisodeRequest(scenario, agents[name], attempt) for name, scenario, attempt in plan]
    requests += [EpisodeRequest(scenario, playable.probe(scenarios)) for scenario in scenarios]
    played = play_many(requests, backend, config, settings.workers, "check")
    if broken := [episode for episode in played if episode.ending is Ending.broken]:
        first = broken[0]
        raise SandboxError(f"{first.scenario_id}: its session broke twice ({first.reason}); {len(broken)} episodes could not be judged")
    episodes: dict[str, list[Trajectory]] = {name: [] for name in agents}
    for (name, _, _), episode in zip(plan, played, strict=False):
        episodes[name].append(episode)
    return episodes, {episode.scenario_id: episode for episode in played[len(plan) :]}


def every_detour(settings: CheckConfig) -> Detours:
    """The detours of the agent `noisy`: of every kind, in every scenario."""
    return Detours(1.0, settings.seed, tuple(Detour))


def unplayable(scenario: Scenario, episodes: Episodes, probed: Mapping[str, Trajectory]) -> list[Fault]:
    """A fault for every part of the scenario that keeps an agent from playing it as it is meant."""
    solved = next(episode for episode in episodes["reference"] if episode.scenario_id == scenario.id)
    return [Fault(scenario.id, part, 0, 0, why) for part, why in playable.faults(scenario, solved, probed[scenario.id]).items()]


def show_failures(faults: Sequence[Fault], scenarios: Sequence[Scenario], backend: Backend, settings: CheckConfig, file: Path) -> None:
    """Play the first failing episodes once more and show commands, state and checker: three here, more in the file."""
    by_id, detours = {scenario.id: scenario for scenario in scenarios}, every_detour(settings)
    scripts: dict[str, Callable[[Scenario], Sequence[str]]] = {
        "reference": lambda one: one.reference, "noisy": lambda one: with_detours(one, detours), **cheat.CHEATS,
    }  # fmt: skip
    shown = [fault for fault in faults if fault.column in scripts and fault.scenario in by_id][:MAX_FAILURES]
    texts = []
    for fault in shown:
        scenario = by_id[fault.scenario]
        texts.append(f"{fault}\n{failure.transcript(scenario, scripts[fault.column](scenario), backend)}")
        if len(texts) <= SHOWN_FAILURES:
            echo(texts[-1])
    if texts:
        write_text(file, "\n\n".join(texts) + "\n")
    if len(texts) > SHOWN_FAILURES:
        echo(f"more of them: {file}")


def judge(scenario: Scenario, episodes: Episodes, repeats: int) -> list[Fault]:
    """A fault for every solver that fails and every cheat that the checker accepts."""
    faults = []
    for agent, played in episodes.items():
        own = [episode for episode in played if episode.scenario_id == scenario.id]
        lost = [episode for episode in own if not episode.kept]
        accepted = [episode for episode in own if episode.checked]
        if agent in SOLVERS and lost:
            faults.append(Fault(scenario.id, agent, repeats - len(lost), repeats, why_lost(lost[0])))
        if agent in cheat.CHEATS and accepted and not is_unworkable(scenario):
            faults.append(
                Fault(scenario.id, agent, len(accepted), repeats, "its checker accepts an episode in which the work was not done")
            )
    return faults


def is_unworkable(scenario: Scenario) -> bool:
    """Whether nothing can be done in this scenario, because its provider is unreachable: doing nothing is right there."""
    return scenario.axes.blocker == Blocker.unreachable.value


def too_many_unworkable(scenarios: Sequence[Scenario]) -> list[Fault]:
    """One fault if more than a quarter of the blocked scenarios are unworkable: an agent that panics at once would do well."""
    unworkable, blocked = sum(map(is_unworkable, scenarios)), sum(scenario.terminal is Terminal.panic for scenario in scenarios)
    if blocked < MIN_BLOCKED or unworkable <= blocked * MAX_UNWORKABLE_SHARE:
        return []
    return [Fault("all", "unworkable", unworkable, blocked, "in more than a quarter of the blocked scenarios nothing can be done")]


def find_flaky(scenarios: Sequence[Scenario], episodes: Episodes) -> dict[str, int]:
    """The number of different episodes that the reference's replies gave, by scenario; only scenarios with more than one."""
    distinct: dict[str, set[tuple[Any, ...]]] = {scenario.id: set() for scenario in scenarios}
    for episode in episodes["reference"]:
        distinct[episode.scenario_id].add((episode.outcome, *((message.role, message.content) for message in episode.messages)))
    return {name: len(found) for name, found in distinct.items() if len(found) > 1}


def count_by_archetype(scenarios: Sequence[Scenario], episodes: Episodes) -> dict[str, dict[str, Any]]:
    """Accepted episodes by agent, and the mean turns and tokens of the reference. Tokens are those of model=tiny."""
    tokenizer = load_tokenizer(ModelConfig(name="tiny", path="sekft:tiny"))
    unworkable = {scenario.id for scenario in scenarios if is_unworkable(scenario)}
    rows: dict[str, dict[str, Any]] = {}
    for name in sorted({scenario.archetype for scenario in scenarios}):
        own = [scenario for scenario in scenarios if scenario.archetype == name]
        blocked = sum(scenario.terminal is Terminal.panic for scenario in own)
        rows[name] = {"family": own[0].axes.family, "scenarios": len(own), "blocked": blocked}
        for agent, played in episodes.items():
            ours = [episode for episode in played if episode.archetype == name]
            if agent in SOLVERS:
                rows[name][agent] = sum(episode.kept for episode in ours)
            else:
                rows[name][agent] = sum(bool(episode.checked) and episode.scenario_id not in unworkable for episode in ours)
        solved = [episode for episode in episodes["reference"] if episode.archetype == name]
        tokens = [len(tokenizer.encode(message.content)[0]) for episode in solved for message in episode.messages]
        rows[name] |= {"turns": sum(len(episode.commands) for episode in solved) / len(solved), "tokens": sum(tokens) // len(solved)}
    return rows


def table(rows: Mapping[str, Mapping[str, Any]], repeats: int) -> Table:
    """A row per archetype in 80 columns: the cheats share one, which names those that were accepted; check.json has them all."""
    title = f"episodes that count, of {repeats} per scenario and agent; mean turns and tokens of the reference"
    out = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0))
    for column in ("archetype", "scenarios", "blocked", *SOLVERS, "turns", "tokens", "cheats accepted"):
        out.add_column(column, justify="left" if column in ("archetype", "cheats accepted") else "right")
    for name, row in rows.items():
        solved = [f"{row[agent]}/{repeats * row['scenarios']}" for agent in SOLVERS]
        accepted = [f"{agent} {row[agent]}" for agent in cheat.CHEATS if row[agent]]
        reference = [f"{row['turns']:.1f}", str(row["tokens"])]
        out.add_row(name, str(row["scenarios"]), str(row["blocked"]), *solved, *reference, ", ".join(accepted) or "none")
    return out


def next_commands(settings: CheckConfig, job: Job) -> dict[str, list[str]]:
    """What may be done with scenarios of one's own that are clean: the words of each command, by a label."""
    if not settings.path:
        return {}
    sandbox = [word for word in job.overrides if word.startswith("sandbox")]
    own = [f"scenarios={settings.path}", *sandbox]
    return {
        "evaluate a model in them": ["python", "-m", "sekft.eval", "model=tiny", *own],
        "make training data of them": ["python", "-m", "sekft.collect", *own],
    }


def check_leaks(settings: CheckConfig) -> dict[str, Any]:
    """Search training data for text of the test scenarios: the frozen set, or that of the split. Raises DataError if some is found."""
    episodes = list(trajectory.read(Path(settings.trajectories or "")))
    evaluation = split.load("test", settings.split)
    found = leaks(evaluation, ("\n".join(message.content for message in episode.messages) for episode in episodes))
    if found:
        raise DataError(f"{settings.trajectories}: {found.line()}")
    echo(split.describe(evaluation, "test", settings.split))
    echo(f"{len(episodes)} episodes of {settings.trajectories}: {found.line()}")
    return {"command": "check", "episodes": len(episodes), "leaks": asdict(found)}
