"""One base and what was trained on it, each speaking under its own name: generated together, or one reply after another."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peft import PeftModel

from sekft.config import Engine as EngineKind
from sekft.model import full_weights
from sekft.model.base import Base
from sekft.model.engine import Counts, Engine, generated_together
from sekft.model.generate import Draw, Ended, Speak, generate
from sekft.model.lora import chosen, loaded_all


@dataclass(frozen=True)
class Generators:
    """speak: by name. counts: of every engine at work; none where replies are generated one by one."""

    speak: dict[str, Speak]
    counts: tuple[Counts, ...] = ()


@contextmanager
def generators(base: Base, folders: Mapping[str, Path | None], kind: EngineKind, rows: int) -> Iterator[Generators]:
    """folders: what training saved, None for the base itself. Raises ModelError for one that does not fit."""
    with ExitStack() as stack:
        own = {name: folder for name, folder in folders.items() if folder is not None and full_weights.is_whole(folder)}
        # PEFT allows no dot in a name
        slots = {name: f"slot_{at}" if folder else None for at, (name, folder) in enumerate(folders.items()) if name not in own}
        adapters = {slot: folder for name, slot in slots.items() if slot and (folder := folders[name])}
        model = stack.enter_context(loaded_all(base, adapters)) if adapters else base.model
        groups = [stack.enter_context(generators_on(base, model, slots, kind, rows))] if slots else []
        for name, folder in own.items():
            weights = stack.enter_context(full_weights.loaded(base, folder, trainable=False))
            groups.append(stack.enter_context(generators_on(base, weights, {name: None}, kind, rows)))
        speak = {name: generator for group in groups for name, generator in group.speak.items()}
        yield Generators({name: speak[name] for name in folders}, tuple(count for group in groups for count in group.counts))


@contextmanager
def generators_on(base: Base, model: Any, slots: Mapping[str, str | None], kind: EngineKind, rows: int) -> Iterator[Generators]:
    """slots: PEFT's name of each one's adapter on the model, None for the model without one. model: in eval mode.

    What cannot be generated together is generated one by one, whatever kind says: recurrent layers, DoRA.
    """
    if kind is EngineKind.sequential or not generated_together(model):
        turn = threading.Lock()
        yield Generators({name: _one_by_one(base, model, slot, turn) for name, slot in slots.items()})
        return
    with Engine(model, base.tokenizer.stop_ids, rows) as engine:
        yield Generators({name: _together(engine, name, slot) for name, slot in slots.items()}, (engine.counts,))


def _one_by_one(base: Base, model: Any, slot: str | None, turn: threading.Lock) -> Speak:
    """The whole conversation is read anew for every reply."""

    def speak(episode: str, prompt: list[int], draw: Draw, ended: Ended | None = None) -> list[int]:
        with turn, chosen(model, slot) if isinstance(model, PeftModel) else ExitStack():
            return generate(base, model, prompt, draw, ended)

    return speak


def _together(engine: Engine, name: str, slot: str | None) -> Speak:
    def speak(episode: str, prompt: list[int], draw: Draw, ended: Ended | None = None) -> list[int]:
        return engine.reply(episode and f"{episode}@{name}", prompt, draw, slot, ended)

    return speak
