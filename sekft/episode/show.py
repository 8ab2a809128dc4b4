"""Trajectories for people: the transcript as text, example files, and the row of a table."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sekft.episode.outcome import is_kept
from sekft.episode.trajectory import Trajectory
from sekft.tracking.files import write_text


def as_text(trajectory: Trajectory) -> str:
    """The terminal as the episode left it, then a line with ending, outcome, reason and the checker's result."""
    screen = "".join(message.content + ("\n" if message.role == "assistant" else "") for message in trajectory.messages)
    reason = f" ({trajectory.reason})" if trajectory.reason else ""
    result = f"{trajectory.ending.value}, {trajectory.outcome.value}{reason}; checker {trajectory.checked}"
    return f"{screen.rstrip()}\n\n-- {trajectory.id}: {result}\n"


def write_examples(trajectories: Sequence[Trajectory], folder: Path) -> dict[str, Path]:
    """Write the first won and the first lost episode to won.txt and lost.txt: {"won": path, "lost": path}, without what does not occur."""
    paths: dict[str, Path] = {}
    for name, won in (("won", True), ("lost", False)):
        example = next((trajectory for trajectory in trajectories if is_kept(trajectory.outcome) is won), None)
        if example is not None:
            paths[name] = folder / f"{name}.txt"
            write_text(paths[name], as_text(example))
    return paths


def episode_row(agent: str, trajectory: Trajectory) -> dict[str, Any]:
    """One row of a tracker's table of episodes."""
    return {
        "agent": agent,
        "scenario": trajectory.scenario_id,
        "archetype": trajectory.archetype,
        "terminal": trajectory.meta.get("terminal"),
        "ending": trajectory.ending.value,
        "outcome": trajectory.outcome.value,
        "checked": trajectory.checked,
        "turns": len(trajectory.commands),
        "commands": "\n".join(command.text for command in trajectory.commands),
        "transcript": as_text(trajectory),
    }
