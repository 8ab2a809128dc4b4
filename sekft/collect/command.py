"""The command `python -m sekft.collect`: play scenarios, or import episodes, and write trajectories with a data card."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sekft.cli.console import echo, echo_command
from sekft.collect import author, data_card, exports, gate, imports, mapping
from sekft.collect.series import Series, alone, remove_partials, series_key
from sekft.config import AgentKind, CollectConfig
from sekft.config.data import OWN
from sekft.config.endpoint import AuthorKind, Export, text_or_file
from sekft.config.job import Job
from sekft.data import export
from sekft.data.sources import source_files
from sekft.episode import agent as agents
from sekft.episode import trajectory
from sekft.episode.agent import Agent
from sekft.episode.outcome import broken_lines
from sekft.episode.pool import EpisodeRequest
from sekft.episode.python_agent import PythonAgent
from sekft.episode.show import write_examples
from sekft.episode.trajectory import Ending, Trajectory
from sekft.errors import DataError, ScenarioError, SettingsError
from sekft.model.adapter import promotion_obstacle, require_adapter
from sekft.model.locate import base_folder, load_tokenizer
from sekft.sandbox import choose
from sekft.sandbox.session import Backend
from sekft.scenario import document
from sekft.scenario.detours import Detours
from sekft.scenario.document import Scenario
from sekft.scenario.split import is_foreign, load
from sekft.tracking import sums
from sekft.tracking.files import write_json, write_text
from sekft.tracking.record import open_run
from sekft.tracking.signals import terminating

EPISODES, CARD, PAGE, SCENARIOS, DRAFTS = "trajectories.jsonl", "card.json", "card.md", "scenarios", "authored.jsonl"
Seconds = dict[str, float]  # wall time by phase, for summary.json; never part of the data


@dataclass(frozen=True)
class Collection:
    """Episodes, and the scenarios they were played in where these are known.

    refused: number of scenarios or records that were not admitted, by reason. origin: agent, seed and image, the first fields of the card.
    """

    episodes: list[Trajectory]
    scenarios: list[Scenario]
    refused: dict[str, int]
    origin: dict[str, Any]


def run(settings: CollectConfig, job: Job) -> dict[str, Any]:
    if source := settings.source or (OWN if settings.data.path else None):
        return write_conversations(settings, source, job)
    require_consistent(settings)
    seconds: Seconds = {}
    tokenizer = load_tokenizer(settings.model)
    scenarios, unreadable = ([], {}) if settings.imports else read_scenarios(settings, seconds)
    backend = None if settings.imports else choose.backend(settings.sandbox, echo, runs_foreign_code(settings))
    with alone(job.folder), terminating(), open_run(job.folder, "collect", asdict(settings), job.overrides, settings.seed) as record:
        with timed(seconds, "all"):
            if backend is None:
                collection = import_episodes(settings)
            else:
                admitted, refused = admit(settings, scenarios, unreadable, backend, job.folder, seconds)
                collection = play(settings, admitted, refused, backend, job.folder, seconds)
            with timed(seconds, "card"):
                origin = collection.origin | {"refused": collection.refused}
                card = data_card.build(collection.episodes, collection.scenarios, tokenizer, origin)
            exported = write(collection, card, settings, job.folder)
        summary = {name: card[name] for name in ("episodes", "kept", "outcomes", "rejects", "refused", "scenarios")} | {"exports": exported}
        rounded = {phase: round(value, 3) for phase, value in sorted(seconds.items())}
        summary |= {"command": "collect", "seed": settings.seed, "path": str(job.folder / EPISODES), "seconds": rounded}
        record.write_summary(summary)
        print_summary(collection.episodes, summary, job.folder)  # writes episodes/, so it runs before the record is closed
    if not settings.imports and all(episode.ending is Ending.broken for episode in collection.episodes):
        raise DataError(f"{job.folder / EPISODES}: nothing to learn from: {broken_lines(collection.episodes)[0]}")
    return summary


@contextmanager
def timed(seconds: Seconds, phase: str) -> Iterator[None]:
    """Record the wall time of the block under the name of its phase."""
    start = time.monotonic()
    try:
        yield
    finally:
        seconds[phase] = time.monotonic() - start


def write_conversations(settings: CollectConfig, name: str, job: Job) -> dict[str, Any]:
    """Write the conversations of one data source as training would read them, with a data card. Raises SettingsError, DataError."""
    if name not in settings.data.sources:
        raise SettingsError(f"source: found {name}, allowed: {', '.join(settings.data.sources)}")
    if others := [export.value for export in settings.export if export is not Export.text]:
        raise SettingsError(f"export: found {others[0]}, allowed with source={name}: text")
    source = replace(settings.data.sources[name], path=settings.path or settings.data.sources[name].path)
    source_files(name, source)
    tokenizer = load_tokenizer(settings.model) if settings.export else None
    with terminating(), open_run(job.folder, "collect", asdict(settings), job.overrides, settings.seed) as record:
        card = export.write(name, source, job.folder, tokenizer, echo)
        write_json(job.folder / CARD, card)
        write_text(job.folder / PAGE, export.as_markdown(card))
        summary = {"command": "collect", "seed": settings.seed, "path": str(job.folder / export.LINES), **card}
        record.write_summary(summary)
    for group in ("left_out", "changed"):
        if card[group]:
            echo(f"{group.replace('_', ' ')}: {', '.join(f'{reason} {count}' for reason, count in card[group].items())}")
    echo(f"{card['conversations']} conversations, {card['assistant_turns']} assistant turns, {card['bad']['rows']} bad rows")
    echo(f"data card: {job.folder / PAGE}")
    echo_command("train on them", ["python", "-m", "sekft.train", f"data.path={job.folder / export.LINES}"])
    return summary


def require_consistent(settings: CollectConfig) -> None:
    """Raises SettingsError for settings that contradict each other, ModelError for a base or an adapter that is missing."""
    kind, authored = settings.agent.kind, settings.author.kind is not AuthorKind.none
    if kind is AgentKind.model:
        base_folder(settings.model, weights=True)
        require_adapter(Path(settings.adapter) if settings.adapter else None)
    elif settings.adapter is not None:
        raise SettingsError(f"adapter={settings.adapter}: used by agent=model only, found agent={kind.value}")
    if (authored or kind is AgentKind.endpoint) and not settings.agent.model:
        raise SettingsError("agent.model: empty; allowed: the name under which the server at agent.url offers its model")
    if authored and not settings.episodes:
        raise SettingsError("episodes: found 0, allowed with author=endpoint: 1 or more, the number of scenarios to write")
    if authored and settings.scenarios != "train":  # otherwise the author would write training data for the evaluation's archetypes
        raise SettingsError(f"scenarios: found {settings.scenarios}, allowed with author=endpoint: train")
    if settings.mapping and not is_foreign(settings.scenarios):
        raise SettingsError(f"mapping={settings.mapping}: needs scenarios=FILE_OR_FOLDER, found scenarios={settings.scenarios}")
    if Export.text in settings.export:
        raise SettingsError("export: found text, allowed with source=NAME only, e.g. source=gptme")
    if settings.imports and (authored or settings.mapping):
        raise SettingsError(f"imports={settings.imports}: imported episodes are not played; remove author= and mapping=")


def runs_foreign_code(settings: CollectConfig) -> bool:
    """Whether scenarios from outside the library, and so the code of others, would run in the sandbox."""
    return is_foreign(settings.scenarios) or settings.author.kind is not AuthorKind.none


def read_scenarios(settings: CollectConfig, seconds: Seconds) -> tuple[list[Scenario], dict[str, gate.Refusal]]:
    """The chosen scenarios, and with mapping= the refusals of documents that are not scenarios."""
    with timed(seconds, "scenarios"):
        if not settings.mapping:
            return load(settings.scenarios, settings.split, settings.seed, settings.episodes), {}
        return mapping.read(Path(settings.scenarios), mapping.read_mapping(Path(settings.mapping)))


def admit(
    settings: CollectConfig, scenarios: list[Scenario], refused: dict[str, gate.Refusal], backend: Backend, folder: Path, seconds: Seconds
) -> tuple[list[Scenario], dict[str, int]]:
    """(scenarios to play, number of refused ones by reason).

    Scenarios from outside the library (files, mapped, authored) pass the gate first and are kept in scenarios/. Raises ScenarioError if
    none is admitted.
    """
    drafts: list[author.Draft] = []
    if settings.author.kind is AuthorKind.endpoint:
        with timed(seconds, "author"):
            drafts = author.drafts(scenarios, settings, folder)
        scenarios = [draft.scenario for draft in drafts if draft.scenario is not None]
        refused = {draft.id: gate.Refusal(draft.reason, draft.detail) for draft in drafts if draft.scenario is None}
    elif not is_foreign(settings.scenarios):
        return scenarios, {}
    with timed(seconds, "gate"):
        refused = refused | gate.refusals(scenarios, backend, settings.workers)
    admitted = [scenario for scenario in scenarios if scenario.id not in refused][: settings.episodes or None]
    document.write(admitted, folder / SCENARIOS)
    if drafts:
        author.write_drafts(drafts, refused, folder / DRAFTS)
    for name, refusal in refused.items():
        echo(f"refused: {name}: {refusal.reason}: {refusal.detail}")
    echo(f"gate: {len(admitted)} scenarios admitted, {len(refused)} refused")
    counts = gate.count_by_reason(refused)
    if not admitted:
        raise ScenarioError(f"no scenario passed the gate ({', '.join(f'{reason} {count}' for reason, count in counts.items())})")
    return admitted, counts


def play(
    settings: CollectConfig, scenarios: list[Scenario], refused: dict[str, int], backend: Backend, folder: Path, seconds: Seconds
) -> Collection:
    """Play every scenario `attempts` times. A collection that was killed continues with the episodes it lacks."""
    config = settings.eval
    if settings.agent.kind in (AgentKind.reference, AgentKind.scripted):  # a prepared script is never cut short
        config = replace(config, max_turns=max(config.max_turns, *(scenario.limits.turns for scenario in scenarios)))
    with open_agent(settings, scenarios) as agent:
        plan = [EpisodeRequest(scenario, agent, attempt) for scenario in scenarios for attempt in range(settings.attempts)]
        chosen = {name: value for name, value in asdict(settings.agent).items() if name not in ("url", "key_env", "timeout_s", "retries")}
        decisive = {"agent": chosen, "limits": asdict(config), "model": asdict(settings.model)}
        series = Series(folder, series_key(plan, decisive | {"adapter": settings.adapter, "seed": settings.seed}))
        if finished := len(series.finished()):
            echo(f"continuing: {finished} of {len(plan)} episodes were played before")
        with timed(seconds, "episodes"):
            episodes = series.play(plan, backend, config, settings.workers, f"collect: {agent.name}")
    return Collection(episodes, scenarios, refused, {"agent": agent.name, "seed": settings.seed, "image": backend.digest})


def import_episodes(settings: CollectConfig) -> Collection:
    episodes, left_out = imports.read(Path(settings.imports or ""))
    return Collection(episodes, [], dict(sorted(left_out.items())), {"agent": imports.AGENT, "seed": settings.seed})


def write(collection: Collection, card: dict[str, Any], settings: CollectConfig, folder: Path) -> dict[str, str]:
    """Write episodes, card, exports and SHA256SUMS, and remove the partial files. Returns a note per export."""
    trajectory.write(collection.episodes, folder / EPISODES)
    write_json(folder / CARD, card)
    write_text(folder / PAGE, data_card.as_markdown(card))
    notes = {export.value: exports.write(export, collection.episodes, collection.scenarios, folder) for export in settings.export}
    sums.write(folder, [folder / name for name in (EPISODES, CARD, PAGE, SCENARIOS, DRAFTS, *exports.NAMES.values())])
    remove_partials(folder)
    return notes


def print_summary(episodes: Sequence[Trajectory], summary: dict[str, Any], folder: Path) -> None:
    counts = ", ".join(f"{name} {count}" for name, count in (summary["outcomes"] | data_card.rejects(episodes)).items())
    echo(f"kept {summary['kept']} of {summary['episodes']} episodes ({counts})")
    for line in broken_lines(episodes):
        echo(line)
    for name, note in summary["exports"].items():
        echo(f"{name}: {note}")
    for name, example in write_examples(episodes, folder / "episodes").items():
        echo(f"a {name} episode: {example}")
    echo(f"trajectories: {folder / EPISODES}; data card: {folder / PAGE}")
    if summary["kept"]:
        echo_command("train on them", ["python", "-m", "sekft.train", f"data.path={folder / EPISODES}"])


@contextmanager
def open_agent(settings: CollectConfig, scenarios: Sequence[Scenario]) -> Iterator[Agent]:
    """The agent that plays. Raises SettingsError, ModelError, EndpointError."""
    match settings.agent.kind:
        case AgentKind.reference:
            yield agents.reference(scenarios, Detours(settings.agent.noise, settings.seed, tuple(settings.agent.detours)))
        case AgentKind.scripted:
            if not settings.agent.script:
                raise SettingsError("agent.script: empty; allowed: one reply or more, e.g. 'agent.script=[ls,exit]'")
            yield agents.scripted(scenarios, settings.agent.script)
        case AgentKind.python:
            yield PythonAgent(settings.agent.function, settings.agent.function)
        case AgentKind.endpoint:
            from sekft.episode.endpoint import Client, EndpointAgent

            client = Client(settings.agent)
            client.require_answer()
            yield EndpointAgent(client, text_or_file(settings.agent.scaffold), settings.seed)
        case AgentKind.model:
            from sekft.model import base as bases
            from sekft.model.agents import model_agents

            base = bases.load(settings.model)
            adapter = Path(settings.adapter) if settings.adapter else None
            promotion_obstacle(base, adapter, scenarios, echo)
            name = f"{settings.model.name}+adapter" if adapter else settings.model.name
            with model_agents(base, {name: adapter}, settings.eval, settings.seed) as loaded:
                yield loaded.agents[name]
