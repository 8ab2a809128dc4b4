"""The evaluation alone: base, adapter and reference go through held-out scenarios; rates, pairing, verdict."""

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sekft.cli.console import echo
from sekft.config import EvalCommandConfig, EvalConfig
from sekft.data.tinystories import suite as stories
from sekft.episode import cache, trajectory
from sekft.episode.show import episode_row, write_examples
from sekft.episode.trajectory import Trajectory
from sekft.eval import rates, score, show, suite_scores
from sekft.eval.asciicast import write_casts
from sekft.eval.evaluation import AgentSet, AgentSource, Evaluation, whole_lines
from sekft.eval.page import write_eval_page
from sekft.eval.score import Score
from sekft.model.locate import never_saw
from sekft.rendering.fingerprint import fingerprint
from sekft.sandbox.text import TEXT_VERSION
from sekft.scenario.split import digest
from sekft.tracking.tracked import Tracked

if TYPE_CHECKING:
    from sekft.model.base import Base

EPISODES, ANSWERS = "episodes.jsonl", "answers.jsonl"


def answer_suite(
    base: "Base", adapters: Mapping[str, Path], config: EvalConfig, seed: int, track: Tracked, step: int = 0
) -> dict[str, Any]:
    """Every question to the base and to every adapter; prints the measures, writes the answers, returns them for summary.json."""
    from sekft.model.questions import replies

    asked = stories.load_questions(config.suite_path, config.suite_stories)
    given = replies(base, {"base": None, **adapters}, {one.id: one.messages for one in asked}, config, seed)
    told = suite_scores.compared({agent: stories.score_answers(asked, own) for agent, own in given.items()})
    rows = [
        {"agent": agent, "id": one.id, "stopped": stopped, "reply": text}
        for agent in given
        for one, (text, stopped) in zip(asked, given[agent], strict=True)
    ]
    (track.folder / ANSWERS).write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    for measured in suite_scores.lines(told):
        echo(measured)
    looked_at = list(told["agents"])[-1]
    track.log({f"suite/{name}": value["mean"] for name, value in told["agents"][looked_at].items()}, step)
    return {"name": config.suite.value, "questions": len(asked), **told}


def base_of(settings: EvalCommandConfig) -> "Base":
    """Loaded once; it stays."""
    from sekft.model import base as bases

    return bases.load(settings.model)


def on_base(base: "Base", adapters: Mapping[str, Path], evaluation: Evaluation, doubts: Mapping[str, str] | None = None) -> AgentSource:
    from sekft.model import prose
    from sekft.model.agents import model_agents

    about = {"weights": base.identity(), "loaded": str(base.config), "chat": fingerprint(base.tokenizer, "", TEXT_VERSION)}

    def enter(with_base: bool) -> AbstractContextManager[AgentSet]:
        asked: dict[str, Path | None] = {"base": None} if with_base else {}
        return model_agents(base, {**asked, **adapters}, evaluation.config, evaluation.seed)

    return AgentSource(tuple(adapters), about, enter, doubts or {}, lambda: {prose.NAME: prose.read(base, adapters).summary()})


def base_episodes(base: "Base", evaluation: Evaluation, title: str = "selection") -> list[Trajectory]:
    """Of the base alone; played once."""
    candidates = on_base(base, {}, evaluation)
    about = evaluation.about({"base": candidates.base})["base"]
    if evaluation.config.cache and (known := cache.load("base", about)) is not None:
        return known
    with candidates.enter(True) as cast:
        episodes = evaluation.play(cast.agents, f"{title}: base", tokens=cast.generated)["base"]
    cache.store("base", about, episodes)
    return episodes


def of_endpoint(settings: EvalCommandConfig, adapters: Mapping[str, Path]) -> AgentSource:
    """Models behind agent.url: agent.model as the base, adapter= by the names the server gives them; without any scaffold."""
    from sekft.episode.endpoint import Client, EndpointAgent, EndpointAgents

    asked = replace(settings.agent, temperature=settings.eval.temperature, max_tokens=settings.eval.max_reply_tokens)
    clients = {name: Client(replace(asked, model=str(model))) for name, model in {"base": asked.model, **adapters}.items()}
    for client in clients.values():
        client.require_answer()
    agents = {name: EndpointAgent(client, "", settings.seed, name) for name, client in clients.items()}

    def enter(with_base: bool) -> AbstractContextManager[AgentSet]:
        return nullcontext(EndpointAgents(agents))

    return AgentSource(tuple(adapters), None, enter, dict.fromkeys(adapters, "an endpoint shows no fingerprint"))


def unseen_archetypes(settings: Any) -> tuple[str, ...]:
    """Of split.set_aside what the base says that it never saw: nobody else can know."""
    told = never_saw(settings.model)
    return tuple(name for name in settings.split.set_aside if name in told)


def loads(remote: bool) -> int:
    if remote:
        return 0
    from sekft.model import base as bases

    return bases.base_loads()


def evaluate(candidates: AgentSource, evaluation: Evaluation, track: Tracked, step: int = 0, group: str = "eval") -> dict[str, Any]:
    """Every agent through the same scenarios; prints the table, writes the episodes, returns the evaluation's part of summary.json.

    step: of the training, for the axis of the metrics; group: what they are called there.
    """
    partial = track.folder / f"{EPISODES}.partial"
    about = evaluation.about({"base": candidates.base} if candidates.base else {})
    episodes = {agent: known for agent in about if evaluation.config.cache and (known := cache.load(agent, about[agent])) is not None}
    with candidates.enter("base" not in episodes) as cast:
        missing = {name: typist for name, typist in {**cast.agents, **evaluation.scripted()}.items() if name not in episodes}
        episodes |= evaluation.play(missing, "eval", whole_lines(partial), cast.generated)
    episodes = {agent: episodes[agent] for agent in ("base", *candidates.adapters, *evaluation.scripted())}
    trajectory.write([episode for agent in episodes for episode in episodes[agent]], track.folder / EPISODES)
    partial.unlink(missing_ok=True)
    for agent in about.keys() & missing.keys():
        cache.store(agent, about[agent], episodes[agent])
    scored = score.score(
        episodes, evaluation.scenarios, evaluation.config, candidates.doubts, candidates.losses(), evaluation.held_out, evaluation.unseen
    )
    track.log(rates.metrics(episodes[scored.looked_at], group), step)
    report(episodes, evaluation, scored, track)
    place = {"backend": evaluation.backend.name, "digest": evaluation.backend.digest}  # one object, so the same for every agent
    return {
        **scored.summary(),
        "sandbox": place,
        "scenarios": {"n": len(evaluation.scenarios), "sha256": digest(evaluation.scenarios)},
        "unseen": list(evaluation.unseen),
        "tokens": cast.tokens(),
        "remembered": sorted(episodes.keys() - missing.keys()),
    }


def report(episodes: Mapping[str, Sequence[Trajectory]], evaluation: Evaluation, scored: Score, track: Tracked) -> None:
    """Prints, draws report.html and episodes/*.cast, tells the tracker of every episode."""
    show.print_score(scored)
    for said in show.lines(scored):
        echo(said)
    looked_at = episodes[scored.looked_at]
    for name, path in write_examples(looked_at, track.folder / "episodes").items():
        echo(f"a {name} episode: {path}")
    casts = write_casts(episodes, scored, track.folder / "episodes")
    echo(f"to look at: {write_eval_page(episodes, evaluation.scenarios, scored, casts, track.folder / 'report.html')}")
    track.episodes([episode_row(agent, episode) for agent in episodes for episode in episodes[agent]])


def worth(settings: Any, summary: Mapping[str, Any]) -> float | None:
    """What eval.criterion says of the tuned model; None without an evaluation."""
    return float(summary["tuned"]["rates"][settings.eval.criterion]["rate"]) if summary.get("tuned") else None
