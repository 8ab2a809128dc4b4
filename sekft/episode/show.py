"""A life as a person reads it: the terminal it left behind, and what became of it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sekft.episode.outcome import kept
from sekft.episode.trajectory import Trajectory


def as_text(life: Trajectory) -> str:
    screen = "".join(message.content + ("\n" if message.role == "assistant" else "") for message in life.messages)
    reason = f" ({life.reason})" if life.reason else ""
    return f"{screen.rstrip()}\n\n-- {life.id}: {life.ending.value}, {life.outcome.value}{reason}; checker {life.checked}\n"


def write_examples(lives: Sequence[Trajectory], folder: Path) -> dict[str, Path]:
    """One won and one lost life as text files, those there are: {"won": path, "lost": path}."""
    wanted: dict[str, Callable[[Trajectory], bool]] = {"won": lambda life: kept(life.outcome), "lost": lambda life: not kept(life.outcome)}
    paths: dict[str, Path] = {}
    for name, fits in wanted.items():
        life = next(filter(fits, lives), None)
        if life is not None:
            folder.mkdir(parents=True, exist_ok=True)
            paths[name] = folder / f"{name}.txt"
            paths[name].write_text(as_text(life), encoding="utf-8")
    return paths


def episode_row(player: str, life: Trajectory) -> dict[str, Any]:
    """Of the table of lives that W&B shows."""
    return {
        "player": player,
        "bundle": life.bundle_id,
        "archetype": life.archetype,
        "terminal": life.meta.get("terminal"),
        "ending": life.ending.value,
        "outcome": life.outcome.value,
        "checked": life.checked,
        "turns": len(life.commands),
        "commands": "\n".join(command.text for command in life.commands),
    }
