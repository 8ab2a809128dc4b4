"""Functions that generate replies, one for the base and one for each adapter on it or full model beside it."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

from peft import PeftModel

from sekft.config import Engine
from sekft.errors import Stopped
from sekft.model import full_weights
from sekft.model.adapter import is_full_model
from sekft.model.base import Base
from sekft.model.engine import BatchedEngine, TokenCounts, can_batch
from sekft.model.generate import GenerateReply, SamplingParameters, ShouldStop, generate
from sekft.model.lora import activated, loaded_all


@dataclass(frozen=True)
class Generators:
    """by_name: one generate function for each name. counts: of every engine; empty where replies are generated one by one.

    cancelled: once it is set, every reply that is being generated, and every later one, raises Stopped within one forward pass.
    """

    by_name: dict[str, GenerateReply]
    cancelled: Event
    counts: tuple[TokenCounts, ...] = ()


@contextmanager
def generators(base: Base, folders: Mapping[str, Path | None], kind: Engine, rows: int) -> Iterator[Generators]:
    """Load what the folders hold and generate with it.

    folders: by name, an adapter or a full model as training saves it, None for the base itself. rows: replies generated together, at most.
    Raises ModelError for a folder that does not fit the base.
    """
    cancelled = Event()
    with ExitStack() as stack:
        full = {name: folder for name, folder in folders.items() if folder is not None and is_full_model(folder)}
        # PEFT allows no dot in the name of an adapter
        slots = {name: f"slot_{at}" if folder else None for at, (name, folder) in enumerate(folders.items()) if name not in full}
        adapters = {slot: folder for name, slot in slots.items() if slot and (folder := folders[name])}
        model = stack.enter_context(loaded_all(base, adapters)) if adapters else base.model
        groups = [stack.enter_context(generators_on(base, model, slots, kind, rows, cancelled))] if slots else []
        for name, folder in full.items():
            weights = stack.enter_context(full_weights.loaded(base, folder, trainable=False))
            groups.append(stack.enter_context(generators_on(base, weights, {name: None}, kind, rows, cancelled)))
        by_name = {name: generator for group in groups for name, generator in group.by_name.items()}
        counts = tuple(count for group in groups for count in group.counts)
        yield Generators({name: by_name[name] for name in folders}, cancelled, counts)


@contextmanager
def generators_on(
    base: Base, model: Any, slots: Mapping[str, str | None], kind: Engine, rows: int, cancelled: Event | None = None
) -> Iterator[Generators]:
    """Generate with a loaded model and its adapters.

    slots: by name, PEFT's name of the adapter on the model, None for the model without an adapter. model: in eval mode. A model that
    cannot generate in batches (recurrent layers, DoRA) generates one by one, whatever kind requests. cancelled: None for one of its own.
    """
    cancelled = cancelled or Event()
    if kind is Engine.sequential or not can_batch(model):
        lock = threading.Lock()
        yield Generators({name: _sequential(base, model, slot, lock, cancelled) for name, slot in slots.items()}, cancelled)
        return
    with BatchedEngine(model, base.tokenizer.stop_ids, rows, cancelled) as engine:
        yield Generators({name: _batched(engine, name, slot) for name, slot in slots.items()}, cancelled, (engine.counts,))


def _sequential(base: Base, model: Any, slot: str | None, lock: threading.Lock, cancelled: Event) -> GenerateReply:
    """One reply at a time; every reply reads its whole prompt."""

    def generate_reply(
        conversation: str, prompt: list[int], sampling: SamplingParameters, should_stop: ShouldStop | None = None
    ) -> list[int]:
        with lock, activated(model, slot) if isinstance(model, PeftModel) else ExitStack():
            if cancelled.is_set():
                raise Stopped
            reply = generate(base, model, prompt, sampling, lambda so_far: cancelled.is_set() or bool(should_stop and should_stop(so_far)))
            if cancelled.is_set():
                raise Stopped
            return reply

    return generate_reply


def _batched(engine: BatchedEngine, name: str, slot: str | None) -> GenerateReply:
    def generate_reply(
        conversation: str, prompt: list[int], sampling: SamplingParameters, should_stop: ShouldStop | None = None
    ) -> list[int]:
        return engine.reply(conversation and f"{conversation}@{name}", prompt, sampling, slot, should_stop)

    return generate_reply
