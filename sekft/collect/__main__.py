"""Play scenarios and record the episodes: keepers and labelled rejects in one file, whole or not at all; sekft's own data factory."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sekft.cli.console import echo
from sekft.cli.launch import launch
from sekft.collect import author, exports, gate, imports, mapping
from sekft.collect.data_card import as_markdown, card, rejects
from sekft.collect.series import Series, alone, clear, key
from sekft.collect.stopwatch import Stopwatch, TimedAgent, TimedBackend
from sekft.config import AgentKind, CollectConfig
from sekft.config.endpoint import AuthorKind, Export, text_or_file
from sekft.config.job import Job
from sekft.data import normalised
from sekft.data.sources import files_of
from sekft.episode import agent as agents
from sekft.episode import trajectory
from sekft.episode.agent import Agent
from sekft.episode.pool import EpisodeRequest
from sekft.episode.show import write_examples
from sekft.episode.trajectory import Trajectory
from sekft.errors import ScenarioError, SettingsError
from sekft.model.adapter import doubt, require_adapter
from sekft.model.locate import base_folder, load_tokenizer
from sekft.sandbox import choose
from sekft.sandbox.session import Backend
from sekft.scenario import document as documents
from sekft.scenario.document import Scenario
from sekft.scenario.split import is_foreign, load
from sekft.tracking import secrets, sums
from sekft.tracking.files import write_json
from sekft.tracking.record import open_run
from sekft.tracking.signals import terminating

EPISODES, CARD, PAGE, SCENARIOS, DRAFTS = "trajectories.jsonl", "card.json", "card.md", "scenarios", "authored.jsonl"


@dataclass(frozen=True)
class Made:
    """Episodes, the scenarios they were played in where these are known, and scenarios or records that were refused by reason."""

    episodes: list[Trajectory]
    scenarios: list[Scenario]
    refused: dict[str, int]
    about: dict[str, Any]


def run(settings: CollectConfig, job: Job) -> dict[str, Any]:
    if settings.source is not None:
        return conversations(settings, settings.source, job)
    require_sense(settings)
    watch = Stopwatch()
    tokenizer = load_tokenizer(settings.model)
    scenarios, turned_away = ([], {}) if settings.imports else choose_scenarios(settings, watch)
    backend = None if settings.imports else choose.backend(settings.sandbox, echo, is_from_outside(settings))
    with alone(job.folder), terminating(), open_run(job.folder, "collect", asdict(settings), job.overrides, settings.seed) as record:
        with watch.phase("all"):
            if backend is None:
                made = imported(settings)
            else:
                admitted, refused = admit(settings, scenarios, turned_away, backend, job.folder, watch)
                made = play(settings, admitted, refused, backend, job.folder, watch)
            with watch.phase("card"):
                told = secrets.clean(card(made.episodes, made.scenarios, tokenizer, made.about | {"refused": made.refused}))
            notes = write(made, told, settings, job.folder)
        summary = {name: told[name] for name in ("episodes", "kept", "outcomes", "rejects", "refused", "scenarios")} | notes
        summary |= {"command": "collect", "seed": settings.seed, "path": str(job.folder / EPISODES), "seconds": watch.rounded()}
        record.summary(summary)
        report(made.episodes, summary, job.folder)  # writes episodes/, so before the record is closed
    return summary


def conversations(settings: CollectConfig, name: str, job: Job) -> dict[str, Any]:
    """One source as it would be learned from, beside its card. Raises SettingsError, DataError."""
    if name not in settings.data.sources:
        raise SettingsError(f"source: found {name}, allowed: {', '.join(settings.data.sources)}")
    if others := [export.value for export in settings.export if export is not Export.text]:
        raise SettingsError(f"export: found {others[0]}, allowed with source={name}: text")
    source = replace(settings.data.sources[name], path=settings.path or settings.data.sources[name].path)
    files_of(name, source)
    tokenizer = load_tokenizer(settings.model) if settings.export else None
    with terminating(), open_run(job.folder, "collect", asdict(settings), job.overrides, settings.seed) as record:
        made = secrets.clean(normalised.write(name, source, job.folder, tokenizer))
        write_json(job.folder / CARD, made)
        (job.folder / PAGE).write_text(normalised.as_markdown(made), encoding="utf-8")
        summary = {"command": "collect", "seed": settings.seed, "path": str(job.folder / normalised.LINES), **made}
        record.summary(summary)
    for what in ("left_out", "changed"):
        if made[what]:
            echo(f"{what.replace('_', ' ')}: {', '.join(f'{reason} {count}' for reason, count in made[what].items())}")
    counted = f"{made['conversations']} conversations, {made['assistant_turns']} answers, {made['bad']['rows']} bad rows"
    echo(f"{counted}; card: {job.folder / PAGE}")
    echo(f"learn from them: python -m sekft.train 'data=[hub]' data.sources.hub.path={job.folder / normalised.LINES}")
    return summary


def require_sense(settings: CollectConfig) -> None:
    """Raises SettingsError, or ModelError for a base that is not there."""
    kind, authored = settings.agent.kind, settings.author.kind is not AuthorKind.none
    if kind is AgentKind.model:
        base_folder(settings.model, weights=True)
        require_adapter(Path(settings.adapter) if settings.adapter else None)
    elif settings.adapter is not None:
        raise SettingsError(f"adapter={settings.adapter}: used by agent=model only, found agent={kind.value}")
    if (authored or kind is AgentKind.endpoint) and not settings.agent.model:
        raise SettingsError("agent.model: empty; allowed: the name the server at agent.url knows its model by")
    if authored and not settings.episodes:
        raise SettingsError("episodes: found 0, allowed with author=endpoint: 1 or more, the scenarios to be written")
    if authored and settings.scenarios != "train":  # else the evaluation's archetypes would be written for training
        raise SettingsError(f"scenarios: found {settings.scenarios}, allowed with author=endpoint: train")
    if settings.mapping and not is_foreign(settings.scenarios):
        raise SettingsError(f"mapping={settings.mapping}: needs scenarios=FILE_OR_FOLDER, found scenarios={settings.scenarios}")
    if Export.text in settings.export:
        raise SettingsError("export: found text, allowed with source=NAME only, e.g. source=gptme")
    if settings.imports and (authored or settings.mapping):
        raise SettingsError(f"imports={settings.imports}: episodes that were played already; allowed beside it: no author, no mapping")


def is_from_outside(settings: CollectConfig) -> bool:
    """Whether code that others wrote would run."""
    return is_foreign(settings.scenarios) or settings.author.kind is not AuthorKind.none


def choose_scenarios(settings: CollectConfig, watch: Stopwatch) -> tuple[list[Scenario], dict[str, gate.Refusal]]:
    """The scenarios asked for, and the documents that are none."""
    with watch.phase("scenarios"):
        if not settings.mapping:
            return load(settings.scenarios, settings.split, settings.seed, settings.episodes), {}
        return mapping.read(Path(settings.scenarios), mapping.read_mapping(Path(settings.mapping)))


def admit(
    settings: CollectConfig, scenarios: list[Scenario], refused: dict[str, gate.Refusal], backend: Backend, folder: Path, watch: Stopwatch
) -> tuple[list[Scenario], dict[str, int]]:
    """The scenarios to be played in; those written by others only after the gate, kept in scenarios/. Raises ScenarioError if none is left."""
    drafts: list[author.Draft] = []
    if settings.author.kind is AuthorKind.endpoint:
        with watch.phase("author"):
            drafts = author.drafts(scenarios, settings, folder)
        scenarios = [draft.scenario for draft in drafts if draft.scenario is not None]
        refused = {draft.id: gate.Refusal(draft.reason, draft.detail) for draft in drafts if draft.scenario is None}
    elif not settings.mapping:
        return scenarios, {}
    with watch.phase("gate"):
        refused = refused | gate.refused(scenarios, backend, settings.workers)
    admitted = [scenario for scenario in scenarios if scenario.id not in refused][: settings.episodes or None]
    documents.write(admitted, folder / SCENARIOS)
    if drafts:
        author.write_verdicts(drafts, refused, folder / DRAFTS)
    for name, refusal in refused.items():
        echo(f"refused: {name}: {refusal.reason}: {refusal.detail}")
    echo(f"gate: {len(admitted)} scenarios admitted, {len(refused)} refused")
    if not admitted:
        raise ScenarioError(f"no scenario passed the gate ({', '.join(f'{why} {count}' for why, count in gate.counts(refused).items())})")
    return admitted, gate.counts(refused)


def play(
    settings: CollectConfig, scenarios: list[Scenario], refused: dict[str, int], backend: Backend, folder: Path, watch: Stopwatch
) -> Made:
    """Every scenario, `attempts` times. A run that was killed goes on where it was."""
    config = settings.eval
    if settings.agent.kind in (AgentKind.reference, AgentKind.scripted):  # a prepared script is as long as it is
        config = replace(config, max_turns=max(config.max_turns, *(scenario.limits.turns for scenario in scenarios)))
    with operating(settings, scenarios) as agent:
        plan = [
            EpisodeRequest(scenario, TimedAgent(agent, watch), attempt) for scenario in scenarios for attempt in range(settings.attempts)
        ]
        asked = {name: value for name, value in asdict(settings.agent).items() if name not in ("url", "key_env", "timeout_s", "retries")}
        decides = {"agent": asked, "limits": asdict(config), "model": asdict(settings.model)}
        series = Series(folder, key(plan, decides | {"adapter": settings.adapter, "seed": settings.seed}))
        if there := len(series.played()):
            echo(f"going on: {there} of {len(plan)} episodes are there")
        with watch.phase("episodes"):
            episodes = series.play(plan, TimedBackend(backend, watch), config, settings.workers, f"collect: {agent.name}")
    return Made(episodes, scenarios, refused, {"agent": agent.name, "seed": settings.seed, "image": backend.digest})


def imported(settings: CollectConfig) -> Made:
    episodes, left_out = imports.read(Path(settings.imports or ""))
    return Made(episodes, [], dict(sorted(left_out.items())), {"agent": imports.AGENT, "seed": settings.seed})


def write(made: Made, told: dict[str, Any], settings: CollectConfig, folder: Path) -> dict[str, Any]:
    """Episodes, card, exports, sums; what is to be said of the exports."""
    trajectory.write(made.episodes, folder / EPISODES)
    write_json(folder / CARD, told)
    (folder / PAGE).write_text(as_markdown(told), encoding="utf-8")
    notes = {export.value: exports.write(export, made.episodes, made.scenarios, folder) for export in settings.export}
    sums.write(folder, [folder / name for name in (EPISODES, CARD, PAGE, SCENARIOS, DRAFTS, *exports.NAMES.values())])
    clear(folder)
    return {"exports": notes}


def report(episodes: Sequence[Trajectory], summary: dict[str, Any], folder: Path) -> None:
    counted = ", ".join(f"{name} {count}" for name, count in (summary["outcomes"] | rejects(episodes)).items())
    echo(f"kept {summary['kept']} of {summary['lives']} episodes ({counted})")
    for name, note in summary["exports"].items():
        echo(f"{name}: {note}")
    for name, example in write_examples(episodes, folder / "episodes").items():
        echo(f"a {name} episode: {example}")
    echo(f"trajectories: {folder / EPISODES}; card: {folder / PAGE}")
    if summary["kept"]:
        echo(f"learn from them: python -m sekft.train data.sources.shell.path={folder / EPISODES}")


@contextmanager
def operating(settings: CollectConfig, scenarios: Sequence[Scenario]) -> Iterator[Agent]:
    match settings.agent.kind:
        case AgentKind.reference:
            yield agents.reference(scenarios, settings.agent.noise, settings.seed)
        case AgentKind.scripted:
            if not settings.agent.script:
                raise SettingsError("agent.script: empty; allowed: one reply or more, e.g. 'operator.script=[ls,exit]'")
            yield agents.scripted(scenarios, settings.agent.script)
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
            doubt(base, adapter, scenarios, echo)
            name = f"{settings.model.name}+adapter" if adapter else settings.model.name
            with model_agents(base, {name: adapter}, settings.eval, settings.seed) as cast:
                yield cast.agents[name]


def main() -> None:
    launch("collect", run)


if __name__ == "__main__":
    main()
