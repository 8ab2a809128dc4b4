"""Who lives the lives of an exam: the base and its adapters as operators on one model, generated together or one by one."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from peft import PeftModel

from sekft.config import Engine as EngineKind
from sekft.config import EvalConfig
from sekft.model import whole
from sekft.model.base import Base
from sekft.model.engine import Counts, Engine
from sekft.model.generate import ModelOperator, Speak, generate
from sekft.model.lora import chosen, loaded_all


@dataclass(frozen=True)
class Players:
    """operators: by player. counts: of every engine at work; none where replies are generated one by one."""

    operators: dict[str, ModelOperator]
    counts: tuple[Counts, ...] = ()

    def tokens(self) -> dict[str, float]:
        """read: through the model; context: of the longest contexts of all lives. Empty where nobody counted."""
        read, context = (sum(getattr(count, name)() for count in self.counts) for name in ("read", "needed"))
        generated = sum(count.generated for count in self.counts)
        return {"read": read, "context": context, "read_per_context": read / context, "generated": generated} if context else {}

    def line(self) -> str:
        """Tokens generated so far, for a progress line."""
        return f"{sum(count.generated for count in self.counts):,} tokens" if self.counts else ""


@contextmanager
def players(base: Base, folders: Mapping[str, Path | None], limits: EvalConfig, seed: int) -> Iterator[Players]:
    """folders: of each player's adapter or weights, None for the base itself. Raises ModelError for one that does not fit."""
    with ExitStack() as stack:
        own = {player: folder for player, folder in folders.items() if folder is not None and whole.is_whole(folder)}
        slots = {player: f"player_{at}" if folder else None for at, (player, folder) in enumerate(folders.items()) if player not in own}
        adapters = {slot: folder for player, slot in slots.items() if slot and (folder := folders[player])}
        model = stack.enter_context(loaded_all(base, adapters)) if adapters else base.model
        groups = [stack.enter_context(playing(base, model, slots, limits, seed))] if slots else []
        for player, folder in own.items():
            weights = stack.enter_context(whole.loaded(base, folder, trainable=False))
            groups.append(stack.enter_context(playing(base, weights, {player: None}, limits, seed)))
        operators = {player: operator for group in groups for player, operator in group.operators.items()}
        yield Players({player: operators[player] for player in folders}, tuple(count for group in groups for count in group.counts))


@contextmanager
def playing(base: Base, model: Any, slots: Mapping[str, str | None], limits: EvalConfig, seed: int) -> Iterator[Players]:
    """slots: PEFT's name of each player's adapter on the model, None for the model without one. model: in eval mode."""
    if limits.engine is EngineKind.sequential:
        turn = threading.Lock()
        yield Players({name: ModelOperator(name, base, _one_by_one(base, model, slot, turn), limits, seed) for name, slot in slots.items()})
        return
    with Engine(model, base.tokenizer.stop_ids, limits.rows) as engine:
        together = {name: ModelOperator(name, base, _together(engine, name, slot), limits, seed) for name, slot in slots.items()}
        yield Players(together, (engine.counts,))


def _one_by_one(base: Base, model: Any, slot: str | None, turn: threading.Lock) -> Speak:
    """The whole conversation is read anew for every reply."""

    def speak(life: str, prompt: list[int], draw: Any) -> list[int]:
        with turn, chosen(model, slot) if isinstance(model, PeftModel) else ExitStack():
            return generate(base, model, prompt, draw)

    return speak


def _together(engine: Engine, player: str, slot: str | None) -> Speak:
    return lambda life, prompt, draw: engine.reply(f"{life}@{player}", prompt, draw, slot)
