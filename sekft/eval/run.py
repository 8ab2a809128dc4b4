"""The parts of an evaluation run: where its agents come from, the evaluation itself, the question suite, the printed report."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sekft.cli.console import detail, echo, echo_table
from sekft.config import EvalCommandConfig, EvalConfig
from sekft.data.tinystories import suite as stories
from sekft.episode import cache, trajectory
from sekft.episode.agent import Agent
from sekft.episode.outcome import broken_lines
from sekft.episode.python_agent import PythonAgent
from sekft.episode.show import episode_row, write_examples
from sekft.episode.trajectory import EpisodesByAgent, Trajectory
from sekft.eval import rates, score, suite_scores, terminal, unfinished
from sekft.eval.about import about_run
from sekft.eval.asciicast import write_casts
from sekft.eval.evaluation import AgentSet, AgentSource, Evaluation, Uncounted
from sekft.eval.page import write_eval_page
from sekft.eval.score import Score
from sekft.eval.summary import BASE, TUNED, EvaluationSummary, SandboxUsed, ScenarioSet, TextLoss
from sekft.model.locate import never_saw
from sekft.rendering.fingerprint import fingerprint
from sekft.sandbox.text import TEXT_VERSION
from sekft.scenario.document import Scenario
from sekft.scenario.split import digest
from sekft.tracking.digest import adapter_sha256
from sekft.tracking.files import replacing
from sekft.tracking.tracked import TrackedRun

if TYPE_CHECKING:
    from sekft.model.base import Base

EPISODES, ANSWERS = "episodes.jsonl", "answers.jsonl"


def load_base(settings: EvalCommandConfig) -> "Base":
    """The base of model=; a second call with the same settings returns the loaded one."""
    from sekft.model import base as bases

    return bases.load(settings.model)


def count_base_loads() -> int:
    """How often this process has loaded a base."""
    from sekft.model import base as bases

    return bases.base_loads()


def local_agents(
    base: "Base", adapters: Mapping[str, Path], evaluation: Evaluation, obstacles: Mapping[str, str] | None = None
) -> AgentSource:
    """A base in this process, and adapters in folders."""
    from sekft.model import prose
    from sekft.model.agents import model_agents

    chat = fingerprint(base.tokenizer, "", TEXT_VERSION)
    dependencies = {"weights": base.identity(), "loaded": str(base.config), "dtype": base.dtype_name(), "chat": chat}

    def open_agents(with_base: bool) -> AbstractContextManager[AgentSet]:
        folders: dict[str, Path | None] = {BASE: None} if with_base else {}
        return model_agents(base, {**folders, **adapters}, evaluation.config, evaluation.seed)

    def measure_losses() -> dict[str, TextLoss]:
        return {prose.NAME: TextLoss(**prose.measure(base, adapters).summary())}

    identities = {name: {"base": dependencies, "adapter": adapter_sha256(folder)} for name, folder in adapters.items()}
    return AgentSource(identities, dependencies, open_agents, obstacles or {}, measure_losses)


def endpoint_agents(settings: EvalCommandConfig, adapters: Mapping[str, Path]) -> AgentSource:
    """Models behind agent.url: agent.model is the base; adapter= are the names that the server gives to the adapters."""
    from sekft.episode.endpoint import Client, EndpointAgent

    config = replace(settings.agent, temperature=settings.eval.temperature, max_tokens=settings.eval.max_reply_tokens)
    clients = {name: Client(replace(config, model=str(model))) for name, model in {BASE: config.model, **adapters}.items()}
    for client in clients.values():
        client.require_answer()
    agents = {name: EndpointAgent(client, "", settings.seed, name) for name, client in clients.items()}

    titles = {name: client.endpoint.model for name, client in clients.items()}
    return _named_agents(agents, adapters, "only an adapter is promoted, and a served model shows no fingerprint", titles)


def function_agents(function: str, adapters: Mapping[str, Path]) -> AgentSource:
    """Functions of Python as agents: `function` is the base, adapter= names those that are compared with it."""
    functions = {BASE: function, **{name: str(other) for name, other in adapters.items()}}
    titles = function_titles(functions)
    for name, place in functions.items():
        echo(f"{titles.get(name, name)}: the function {place}")
    agents = {name: PythonAgent(name, place) for name, place in functions.items()}
    return _named_agents(agents, adapters, "only an adapter is promoted, and this is a function", titles)


def function_titles(functions: Mapping[str, str]) -> dict[str, str]:
    """The names of functions without their modules; with them where two functions, or a function and a baseline, have one name.

    functions: by agent. An agent with a name of its own, in adapter={NAME: FUNCTION}, keeps it.
    """
    unnamed = {agent: place for agent, place in functions.items() if agent in (BASE, TUNED)}
    short = {agent: place.rpartition(":")[2] for agent, place in unnamed.items()}
    taken = Counter([*short.values(), *score.NAMES, *(functions.keys() - unnamed.keys())])
    return {agent: name if taken[name] == 1 else unnamed[agent] for agent, name in short.items()}


def _named_agents(agents: Mapping[str, Agent], adapters: Mapping[str, Path], obstacle: str, titles: Mapping[str, str]) -> AgentSource:
    def open_agents(with_base: bool) -> AbstractContextManager[AgentSet]:
        return nullcontext(Uncounted(agents))

    return AgentSource(dict.fromkeys(adapters), None, open_agents, dict.fromkeys(adapters, obstacle), titles=titles)


def unseen_archetypes(settings: Any) -> tuple[str, ...]:
    """Those of split.set_aside that the base was not trained on, according to the list in its folder."""
    unseen = never_saw(settings.model)
    return tuple(name for name in settings.split.set_aside if name in unseen)


def base_episodes(base: "Base", evaluation: Evaluation, title: str = "selection") -> list[Trajectory]:
    """The base's episodes; cached ones unless eval.cache=false."""
    source = local_agents(base, {}, evaluation)
    dependencies = evaluation.dependencies({BASE: source.base})[BASE]
    if evaluation.config.cache and (known := cache.load(BASE, dependencies)) is not None:
        return known
    with source.open(True) as opened:
        episodes = evaluation.play(opened.agents, f"{title}: base", tokens=opened.generated)[BASE]
    cache.store(BASE, dependencies, episodes)
    return episodes


def evaluate(source: AgentSource, evaluation: Evaluation, track: TrackedRun, step: int = 0, group: str = "eval") -> EvaluationSummary:
    """Play every agent in the same scenarios, score and judge, print the report, write episodes and page.

    Episodes that the same evaluation has played in this folder before it was interrupted are not played again.
    step: of the training, for metrics.jsonl; group: the prefix of the rates there.
    """
    partial, before = unfinished_episodes(source, evaluation, track.folder)
    dependencies = evaluation.dependencies({BASE: source.base} if source.base else {})
    episodes = {
        agent: known for agent, own in dependencies.items() if evaluation.config.cache and (known := cache.load(agent, own)) is not None
    }
    with source.open(BASE not in episodes) as opened:
        missing = {name: agent for name, agent in {**opened.agents, **evaluation.scripted_agents()}.items() if name not in episodes}
        episodes |= evaluation.play(missing, "eval", unfinished.append_to(partial), opened.generated, before)
    episodes = {agent: episodes[agent] for agent in (BASE, *source.adapters, *evaluation.scripted_agents())}
    trajectory.write([episode for agent in episodes for episode in episodes[agent]], track.folder / EPISODES)
    unfinished.remove(track.folder)
    for agent in dependencies.keys() & missing.keys():
        cache.store(agent, dependencies[agent], episodes[agent])
    scored = score.score(
        episodes,
        evaluation.scenarios,
        evaluation.config,
        source.obstacles,
        source.measure_losses(),
        evaluation.held_out,
        evaluation.unseen,
        source.titles,
    )
    track.log(rates.metrics(episodes[scored.subject], group) | rates.metrics(episodes[BASE], f"{group}/base"), step)
    write_report(episodes, evaluation.scenarios, scored, track)
    return replace(
        scored.summary(),
        sandbox=SandboxUsed(evaluation.backend.name, evaluation.backend.digest),
        scenarios=ScenarioSet(len(evaluation.scenarios), digest(evaluation.scenarios)),
        unseen=evaluation.unseen,
        tokens=opened.tokens(),
        remembered=tuple(sorted(episodes.keys() - missing.keys())),
    )


def unfinished_episodes(source: AgentSource, evaluation: Evaluation, folder: Path) -> tuple[Path, dict[str, Trajectory]]:
    """The file that the episodes are appended to, and those that it has already; none if the agents may be others than they were."""
    if source.base is None:
        unfinished.remove(folder)
    decided_by = evaluation.dependencies({BASE: source.base, **source.adapters})
    partial = unfinished.partial_file(folder, decided_by)
    before = unfinished.read(partial)
    if before:
        echo(f"{folder}: {len(before)} episodes were played before; the evaluation goes on")
    return partial, before


def write_report(episodes: EpisodesByAgent, scenarios: Sequence[Scenario], scored: Score, track: TrackedRun) -> None:
    """Print the news and the rates, write report.html and the files in episodes/, send a row per episode to the tracker.

    Everything that the terminal has no room for is in the log of the run.
    """
    for line in terminal.lines(scored):
        detail(line)
    for agent, own in episodes.items():
        for line in broken_lines(own):
            echo(f"{scored.title(agent)}: {line}")
    for line in terminal.news(scored):
        echo(line)
    echo_table(terminal.score_table(scored))
    for line in filter(None, (terminal.not_kept_line(scored), terminal.beaten_line(scored))):
        echo(line)
    for name, path in write_examples(episodes[scored.subject], track.folder / "episodes").items():
        detail(f"a {name} episode: {path}")
    casts = write_casts(episodes, scored, track.folder / "episodes")
    about = about_run(track.folder, scored, track.message)
    echo(f"page: {write_eval_page(episodes, scenarios, scored, casts, track.folder / 'report.html', about)}")
    track.episodes([episode_row(agent, episode) for agent in episodes for episode in episodes[agent]])


def answer_suite(
    base: "Base", adapters: Mapping[str, Path], config: EvalConfig, seed: int, track: TrackedRun, step: int = 0
) -> dict[str, Any]:
    """Put every question of the suite to the base and to every adapter; print the measures and write answers.jsonl.

    Returns the document `suite` of summary.json.
    """
    from sekft.model.agents import answer_questions

    questions = stories.load_questions(config.suite_path, config.suite_stories)
    answers = answer_questions(base, {BASE: None, **adapters}, {question.id: question.messages for question in questions}, config, seed)
    scores = suite_scores.compare_scores({agent: stories.score_answers(questions, own) for agent, own in answers.items()})
    with replacing(track.folder / ANSWERS) as file:
        for agent, own in answers.items():
            for question, (text, stopped) in zip(questions, own, strict=True):
                row = {"agent": agent, "id": question.id, "stopped": stopped, "reply": text}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
    for line in suite_scores.lines(scores):
        echo(line)
    subject = list(scores["agents"])[-1]
    track.log({f"suite/{name}": value["mean"] for name, value in scores["agents"][subject].items()}, step)
    return {"name": config.suite.value, "questions": len(questions), **scores}


def objective(settings: Any, summary: Mapping[str, Any]) -> float | None:
    """What a sweeper that searches maximises: the tuned agent's rate by eval.criterion; None without an evaluation."""
    return float(summary["tuned"]["rates"][settings.eval.criterion]["rate"]) if summary.get("tuned") else None
