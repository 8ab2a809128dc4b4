"""A person beside a model: a conversation, a supervised episode, a review of decision points, measurements without episodes."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sekft.chat.proposals import from_episodes, rank, with_own_turns
from sekft.chat.review import judged_ids
from sekft.chat.review import review as review_proposals
from sekft.chat.watch import Watch
from sekft.cli import prompt
from sekft.config import ChatConfig, Mode, Suite
from sekft.config.endpoint import text_or_file
from sekft.config.job import Job
from sekft.data import decision
from sekft.data.decision import Decision
from sekft.data.tinystories import suite as stories
from sekft.episode import trajectory
from sekft.episode.agent import Agent
from sekft.episode.play import play
from sekft.episode.takeover import Watched
from sekft.errors import ModelError, SettingsError, Stopped
from sekft.eval import score, suite_scores
from sekft.model.adapter import require_adapter, require_fingerprint
from sekft.model.locate import base_folder
from sekft.sandbox import choose
from sekft.scenario.document import Scenario
from sekft.scenario.split import is_foreign, load
from sekft.tracking.signals import terminating

if TYPE_CHECKING:
    from sekft.chat.conversation import Conversation
    from sekft.model.base import Base

NEW_CONVERSATION = "/new"
EPISODE = "episode.jsonl"


def run(settings: ChatConfig, job: Job) -> dict[str, Any]:
    adapter = Path(settings.adapter) if settings.adapter else None
    if settings.top_k and settings.mode is not Mode.talk:
        raise SettingsError(f"top_k: found {settings.top_k} with mode={settings.mode.value}, allowed with mode=talk only")
    require_adapter(adapter)
    base_folder(settings.model, weights=True)
    match settings.mode:
        case Mode.talk:
            return talk(settings, adapter)
        case Mode.shell:
            return shell(settings, adapter, job)
        case Mode.suite:
            return suite(settings, adapter)
        case Mode.review:
            return review(settings, adapter)


def load_base(settings: ChatConfig, adapter: Path | None) -> "Base":
    """Load the base. Raises ModelError for an adapter that was trained with another base, tokenizer, template or text version."""
    from sekft.model import base as bases

    base = bases.load(settings.model)
    if adapter and not require_fingerprint(adapter, base):
        report(f"{adapter}: render unproven (no fingerprint.json)")
    return base


@contextmanager
def open_conversation(settings: ChatConfig, adapter: Path | None) -> "Iterator[Conversation]":
    from sekft.chat.conversation import Conversation
    from sekft.model.generate import SamplingParameters
    from sekft.model.generators import generators

    base = load_base(settings, adapter)
    sampling = SamplingParameters(settings.max_tokens, settings.temperature, seed=settings.seed, top_k=settings.top_k)
    with generators(base, {"model": adapter}, settings.eval.engine, rows=1) as models:
        yield Conversation(base, models.by_name["model"], sampling)


def talk(settings: ChatConfig, adapter: Path | None) -> dict[str, Any]:
    with open_conversation(settings, adapter) as conversation:
        if settings.prompt is not None:
            answer(conversation, settings.prompt)
            return {"command": "chat", "turns": 1}
        turns = 0
        for line in prompt.lines((NEW_CONVERSATION,), prompt.history_file("chat"), "you> "):
            if line.strip() == NEW_CONVERSATION:
                conversation.messages = ()
                continue
            try:
                answer(conversation, line)
                turns += 1
            except ModelError as error:
                report(f"{error}; {NEW_CONVERSATION} begins another")
    return {"command": "chat", "turns": turns}


def answer(conversation: "Conversation", text: str) -> None:
    """Print the reply while it is generated; Ctrl-C ends it."""
    with prompt.stoppable() as stopped:

        def on_text(piece: str) -> bool:
            print(piece, end="", flush=True)
            return stopped.is_set()

        conversation.send(text, on_text)
    print()


def shell(settings: ChatConfig, adapter: Path | None, job: Job) -> dict[str, Any]:
    """Run one episode in which a person confirms or replaces each turn; print its outcome."""
    from sekft.model.agents import model_agents

    scenario = select_scenario(settings)
    backend = choose.backend(settings.sandbox, report, is_foreign(settings.scenarios))
    config = replace(settings.eval, temperature=settings.temperature)
    name = f"{settings.model.name}+adapter" if adapter else settings.model.name
    watch = Watch(scenario, Path(settings.decisions))
    with model_agents(load_base(settings, adapter), {name: adapter}, config, settings.seed) as models, terminating():
        print(watch.opening(settings.scenario, settings.scenarios), flush=True)
        try:
            episode = play(scenario, Watched(models.agents[name], watch.decide, watch.record), backend, config)
        except Stopped:
            print("left; the scenario was not checked")
            return {"command": "chat", "outcome": None, "saved": watch.saved}
    trajectory.write([episode], job.folder / EPISODE)
    print(watch.closing(episode))
    return {"command": "chat", "outcome": episode.outcome.value, "saved": watch.saved}


def review(settings: ChatConfig, adapter: Path | None) -> dict[str, Any]:
    """Rank the proposed decision points, then let the person judge each."""
    from sekft.model.agents import model_agents
    from sekft.model.divergence import divergence
    from sekft.model.lora import loaded

    require_proposals(settings)
    approved, left_out = Path(settings.decisions), Counter[str]()
    base = load_base(settings, adapter)
    with model_agents(base, {"model": adapter}, settings.eval, settings.seed) as models:
        proposed = list(proposed_decisions(settings, models.agents["model"], judged_ids(approved), left_out))
    with loaded(base, adapter) if adapter else nullcontext(base.model) as model:
        proposals = rank(proposed, partial(divergence, base, model), left_out)
    for reason, count in sorted(left_out.items()):
        report(f"left out: {reason}: {count}")
    counts = review_proposals(proposals, approved)
    print(f"{', '.join(f'{name} {count}' for name, count in counts.items() if count) or 'nothing to judge'}; kept in {approved}")
    return {"command": "chat", "judged": dict(counts)}


def require_proposals(settings: ChatConfig) -> None:
    """Raise SettingsError unless exactly one source of proposals is given."""
    given = [key for key in ("candidates", "episodes") if getattr(settings, key)]
    if len(given) != 1:
        raise SettingsError(
            f"mode=review: found {' and '.join(given) or 'neither candidates nor episodes'}, allowed: candidates=FILE or episodes=FILE"
        )
    if settings.episodes and not settings.hint:
        raise SettingsError("hint: found nothing, allowed with episodes=FILE: the hint that would have helped, as a text or a file")


def proposed_decisions(settings: ChatConfig, agent: Agent, judged: set[str], left_out: Counter[str]) -> Iterator[Decision]:
    """The decision points to review. judged: ids that are skipped; left_out: counts turns that are not proposed, by reason."""
    if settings.episodes:
        episodes = trajectory.read(Path(settings.episodes))
        yield from from_episodes(episodes, text_or_file(settings.hint), agent, left_out)
    else:
        points = decision.load(Path(settings.candidates or ""))
        yield from with_own_turns((point for point in points if point.id not in judged), agent)


def suite(settings: ChatConfig, adapter: Path | None) -> dict[str, Any]:
    """Measure base and adapter without episodes: the loss on a text that ships with sekft, and the answers of eval=tinystories."""
    from sekft.model import prose
    from sekft.model.agents import answer_questions

    adapters = {score.TUNED: adapter} if adapter else {}
    base = load_base(settings, adapter)
    measured = prose.measure(base, adapters)
    losses = ", ".join(f"{name} {loss:.3f}" for name, loss in measured.losses.items())
    print(f"loss of {prose.NAME}: {losses} nats per token, {measured.tokens} tokens")
    if settings.eval.suite is Suite.none:
        return {"command": "chat", prose.NAME: measured.summary()}
    questions = stories.load_questions(settings.eval.suite_path, settings.eval.suite_stories)
    messages = {question.id: question.messages for question in questions}
    replies = answer_questions(base, {score.BASE: None, **adapters}, messages, settings.eval, settings.seed)
    scores = suite_scores.compare_scores({agent: stories.score_answers(questions, own) for agent, own in replies.items()})
    for line in suite_scores.lines(scores):
        print(line)
    return {"command": "chat", prose.NAME: measured.summary(), "suite": scores}


def select_scenario(settings: ChatConfig) -> Scenario:
    """Scenario number settings.scenario, counted from 1. Raises SettingsError if there are fewer."""
    scenarios = load(settings.scenarios, settings.split, settings.seed, settings.scenario)
    if len(scenarios) < settings.scenario:
        raise SettingsError(
            f"scenario: found {settings.scenario}, allowed: 1 to {len(scenarios)}, the scenarios of scenarios={settings.scenarios}"
        )
    return scenarios[settings.scenario - 1]


def report(line: str) -> None:
    """Print to standard error: standard output holds the model's text alone."""
    print(line, file=sys.stderr, flush=True)
