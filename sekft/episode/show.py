"""An episode as a person reads it: the terminal it left behind, and what became of it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sekft.episode.outcome import kept
from sekft.episode.trajectory import Trajectory


def as_text(episode: Trajectory) -> str:
    screen = "".join(message.content + ("\n" if message.role == "assistant" else "") for message in episode.messages)
    reason = f" ({episode.reason})" if episode.reason else ""
    return f"{screen.rstrip()}\n\n-- {episode.id}: {episode.ending.value}, {episode.outcome.value}{reason}; checker {episode.checked}\n"


def write_examples(episodes: Sequence[Trajectory], folder: Path) -> dict[str, Path]:
    """One won and one lost episode as text files, those there are: {"won": path, "lost": path}."""
    wanted: dict[str, Callable[[Trajectory], bool]] = {
        "won": lambda episode: kept(episode.outcome),
        "lost": lambda episode: not kept(episode.outcome),
    }
    paths: dict[str, Path] = {}
    for name, fits in wanted.items():
        episode = next(filter(fits, episodes), None)
        if episode is not None:
            folder.mkdir(parents=True, exist_ok=True)
            paths[name] = folder / f"{name}.txt"
            paths[name].write_text(as_text(episode), encoding="utf-8")
    return paths


def episode_row(agent: str, episode: Trajectory) -> dict[str, Any]:
    """Of the table of episodes that W&B shows."""
    return {
        "agent": agent,
        "scenario": episode.scenario_id,
        "archetype": episode.archetype,
        "terminal": episode.meta.get("terminal"),
        "ending": episode.ending.value,
        "outcome": episode.outcome.value,
        "checked": episode.checked,
        "turns": len(episode.commands),
        "commands": "\n".join(command.text for command in episode.commands),
    }
