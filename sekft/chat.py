"""Talk to a model, watch it live in a container and take over, judge what it should have typed, measure what it can."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sekft.command import prompt
from sekft.command.launch import Job, launch
from sekft.teaching.watch import Watch
from sekft.config.chat import ChatConfig, Mode
from sekft.errors import ModelError, SettingsError
from sekft.eval import require_adapter
from sekft.model.locate import base_folder
from sekft.rendering.fingerprint import fingerprint
from sekft.rollout import trajectory
from sekft.rollout.play import Stopped, play
from sekft.rollout.watched import Watched
from sekft.sandbox import choose
from sekft.sandbox.text import TEXT_VERSION
from sekft.scenario.bundle import Bundle
from sekft.scenario.split import is_foreign, load
from sekft.tracking.signals import terminating

if TYPE_CHECKING:
    from sekft.model.base import Base
    from sekft.model.talk import Talk

NEW = "/new"
LIFE = "life.jsonl"


def run(settings: ChatConfig, job: Job) -> dict[str, Any]:
    adapter = Path(settings.adapter) if settings.adapter else None
    require_adapter(adapter)
    base_folder(settings.model, weights=True)
    match settings.mode:
        case Mode.talk:
            return talk(settings, adapter)
        case Mode.shell:
            return shell(settings, adapter, job)
        case other:
            raise SettingsError(f"mode={other.value}: allowed: {', '.join(Mode)}")


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
    from sekft.model.generate import Draw
    from sekft.model.talk import Talk
    from sekft.model.voices import voices

    base = loaded(settings, adapter)
    draw = Draw(settings.max_tokens, settings.temperature, seed=settings.seed, top_k=settings.top_k)
    with voices(base, {"model": adapter}, settings.eval.engine, rows=1) as speaking:
        yield Talk(base, speaking.speak["model"], draw)


def talk(settings: ChatConfig, adapter: Path | None) -> dict[str, Any]:
    with talking(settings, adapter) as conversation:
        if settings.prompt is not None:
            answer(conversation, settings.prompt)
            return {"verb": "chat", "turns": 1}
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
    return {"verb": "chat", "turns": turns}


def answer(conversation: "Talk", text: str) -> None:
    """The reply, as it comes; Ctrl-C ends it where it is."""
    with prompt.stoppable() as stopped:

        def heard(piece: str) -> bool:
            print(piece, end="", flush=True)
            return stopped.is_set()

        conversation.say(text, heard)
    print()


def shell(settings: ChatConfig, adapter: Path | None, job: Job) -> dict[str, Any]:
    """One life, each turn of it under the eyes of a person; what became of the world is said at the end."""
    from sekft.model.players import players

    bundle = world(settings)
    backend = choose.backend(settings.sandbox, say, is_foreign(settings.scenarios))
    limits = replace(settings.eval, temperature=settings.temperature)
    name = f"{settings.model.name}+adapter" if adapter else settings.model.name
    watch = Watch(bundle, Path(settings.decisions))
    with players(loaded(settings, adapter), {name: adapter}, limits, settings.seed) as cast, terminating():
        print(watch.opening(settings.world, settings.scenarios), flush=True)
        try:
            life = play(bundle, Watched(cast.operators[name], watch.decide, watch.taken), backend, limits)
        except Stopped:
            print("left; nobody judged the world")
            return {"verb": "chat", "outcome": None, "saved": watch.saved}
    trajectory.write([life], job.folder / LIFE)
    print(watch.closing(life))
    return {"verb": "chat", "outcome": life.outcome.value, "saved": watch.saved}


def world(settings: ChatConfig) -> Bundle:
    bundles = load(settings.scenarios, settings.split, settings.seed, settings.world)
    if len(bundles) < settings.world:
        raise SettingsError(f"world: found {settings.world}, allowed: 1 to {len(bundles)}, the worlds of scenarios={settings.scenarios}")
    return bundles[settings.world - 1]


def say(line: str) -> None:
    """Beside what the model says."""
    print(line, file=sys.stderr, flush=True)


def main() -> None:
    launch("chat", run)


if __name__ == "__main__":
    main()
