"""Talk to a model, watch it live in a container and take over, judge what it should have typed, measure what it can."""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sekft.chat.candidates import of_episodes, ranked, with_own
from sekft.chat.review import judged
from sekft.chat.review import review as judge_all
from sekft.chat.watch import Watch
from sekft.cli import prompt
from sekft.cli.launch import launch
from sekft.config import ChatConfig, Mode, Suite
from sekft.config.endpoint import text_or_file
from sekft.config.job import Job
from sekft.data import decision
from sekft.data.decision import Decision
from sekft.data.tinystories import suite as stories
from sekft.episode import trajectory
from sekft.episode.agent import Agent
from sekft.episode.play import Stopped, play
from sekft.episode.takeover import Watched
from sekft.errors import ModelError, SettingsError
from sekft.eval import score, suite_scores
from sekft.model.adapter import require_adapter
from sekft.model.locate import base_folder
from sekft.rendering.fingerprint import fingerprint
from sekft.sandbox import choose
from sekft.sandbox.text import TEXT_VERSION
from sekft.scenario.document import Scenario
from sekft.scenario.split import is_foreign, load
from sekft.tracking.signals import terminating

if TYPE_CHECKING:
    from sekft.chat.talk import Talk
    from sekft.model.base import Base

NEW = "/new"
EPISODE = "episode.jsonl"


def run(settings: ChatConfig, job: Job) -> dict[str, Any]:
    adapter = Path(settings.adapter) if settings.adapter else None
    if settings.top_k and settings.mode is not Mode.talk:
        raise SettingsError(f"top_k: found {settings.top_k} with mode={settings.mode.value}, allowed with mode=talk, which alone uses it")
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


def loaded(settings: ChatConfig, adapter: Path | None) -> "Base":
    """The base. Raises ModelError for an adapter that was trained on something else than it would be fed here."""
    from sekft.model import base as bases
    from sekft.model.lora import require_fingerprint

    base = bases.load(settings.model)
    if adapter and not require_fingerprint(adapter, fingerprint(base.tokenizer, base.identity(), TEXT_VERSION)):
        say(f"{adapter}: render unproven (no fingerprint.json)")
    return base


@contextmanager
def talking(settings: ChatConfig, adapter: Path | None) -> "Iterator[Talk]":
    from sekft.chat.talk import Talk
    from sekft.model.generate import Draw
    from sekft.model.generators import generators

    base = loaded(settings, adapter)
    draw = Draw(settings.max_tokens, settings.temperature, seed=settings.seed, top_k=settings.top_k)
    with generators(base, {"model": adapter}, settings.eval.engine, rows=1) as speaking:
        yield Talk(base, speaking.speak["model"], draw)


def talk(settings: ChatConfig, adapter: Path | None) -> dict[str, Any]:
    with talking(settings, adapter) as conversation:
        if settings.prompt is not None:
            answer(conversation, settings.prompt)
            return {"command": "chat", "turns": 1}
        turns = 0
        for line in prompt.lines((NEW,), prompt.history_file("chat"), "you> "):
            if line.strip() == NEW:
                conversation.messages = ()
                continue
            try:
                answer(conversation, line)
                turns += 1
            except ModelError as error:
                say(f"{error}; {NEW} begins another")
    return {"command": "chat", "turns": turns}


def answer(conversation: "Talk", text: str) -> None:
    """The reply, as it comes; Ctrl-C ends it where it is."""
    with prompt.stoppable() as stopped:

        def heard(piece: str) -> bool:
            print(piece, end="", flush=True)
            return stopped.is_set()

        conversation.say(text, heard)
    print()


def shell(settings: ChatConfig, adapter: Path | None, job: Job) -> dict[str, Any]:
    """One episode, each turn of it under the eyes of a person; what became of the scenario is said at the end."""
    from sekft.model.agents import model_agents

    scenario = chosen_scenario(settings)
    backend = choose.backend(settings.sandbox, say, is_foreign(settings.scenarios))
    config = replace(settings.eval, temperature=settings.temperature)
    name = f"{settings.model.name}+adapter" if adapter else settings.model.name
    watch = Watch(scenario, Path(settings.decisions))
    with model_agents(loaded(settings, adapter), {name: adapter}, config, settings.seed) as cast, terminating():
        print(watch.opening(settings.scenario, settings.scenarios), flush=True)
        try:
            episode = play(scenario, Watched(cast.agents[name], watch.decide, watch.taken), backend, config)
        except Stopped:
            print("left; nobody judged the scenario")
            return {"command": "chat", "outcome": None, "saved": watch.saved}
    trajectory.write([episode], job.folder / EPISODE)
    print(watch.closing(episode))
    return {"command": "chat", "outcome": episode.outcome.value, "saved": watch.saved}


def review(settings: ChatConfig, adapter: Path | None) -> dict[str, Any]:
    """Ranks what is proposed, then asks the person about each."""
    from sekft.model.agents import model_agents
    from sekft.model.divergence import divergence
    from sekft.model.lora import loaded as tuned

    require_proposals(settings)
    kept, left_out = Path(settings.decisions), Counter[str]()
    base = loaded(settings, adapter)
    with model_agents(base, {"model": adapter}, settings.eval, settings.seed) as cast:
        proposed = list(proposals(settings, cast.agents["model"], judged(kept), left_out))
    with tuned(base, adapter) if adapter else nullcontext(base.model) as model:
        candidates = ranked(proposed, partial(divergence, base, model), left_out)
    for reason, count in sorted(left_out.items()):
        say(f"left out: {reason}: {count}")
    counts = judge_all(candidates, kept)
    print(f"{', '.join(f'{name} {count}' for name, count in counts.items() if count) or 'nothing to judge'}; kept in {kept}")
    return {"command": "chat", "judged": dict(counts)}


def require_proposals(settings: ChatConfig) -> None:
    given = [key for key in ("candidates", "episodes") if getattr(settings, key)]
    if len(given) != 1:
        raise SettingsError(
            f"mode=review: found {' and '.join(given) or 'neither candidates nor episodes'}, allowed: candidates=FILE or episodes=FILE"
        )
    if settings.episodes and not settings.hint:
        raise SettingsError("hint: empty; allowed with episodes=FILE: what would have helped, a text or a file")


def proposals(settings: ChatConfig, agent: Agent, done: set[str], left_out: Counter[str]) -> Iterator[Decision]:
    if settings.episodes:
        episodes = trajectory.read(Path(settings.episodes))
        yield from of_episodes(episodes, text_or_file(settings.hint), agent, left_out)
    else:
        yield from with_own((one for one in decision.load(Path(settings.candidates or "")) if one.id not in done), agent)


def suite(settings: ChatConfig, adapter: Path | None) -> dict[str, Any]:
    """What is measured without running: the loss on a text that ships and, with eval=tinystories, answers; the base's beside it."""
    from sekft.model import prose
    from sekft.model.questions import replies

    adapters = {score.TUNED: adapter} if adapter else {}
    base = loaded(settings, adapter)
    read = prose.read(base, adapters)
    print(f"loss of {prose.NAME}: {', '.join(f'{name} {loss:.3f}' for name, loss in read.losses.items())} nats a token of {read.tokens}")
    if settings.eval.suite is Suite.none:
        return {"command": "chat", prose.NAME: read.summary()}
    asked = stories.load_questions(settings.eval.suite_path, settings.eval.suite_stories)
    questions = {one.id: one.messages for one in asked}
    given = replies(base, {score.BASE: None, **adapters}, questions, settings.eval, settings.seed)
    told = suite_scores.compare_scores({agent: stories.score_answers(asked, own) for agent, own in given.items()})
    for line in suite_scores.lines(told):
        print(line)
    return {"command": "chat", prose.NAME: read.summary(), "suite": told}


def chosen_scenario(settings: ChatConfig) -> Scenario:
    scenarios = load(settings.scenarios, settings.split, settings.seed, settings.scenario)
    if len(scenarios) < settings.scenario:
        raise SettingsError(
            f"scenario: found {settings.scenario}, allowed: 1 to {len(scenarios)}, the scenarios of scenarios={settings.scenarios}"
        )
    return scenarios[settings.scenario - 1]


def say(line: str) -> None:
    """Beside what the model says."""
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    launch("chat", run)


if __name__ == "__main__":
    main()
