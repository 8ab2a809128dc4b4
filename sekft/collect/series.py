"""A series of episodes that survives being killed: finished ones are appended as they end, the same plan goes on with the rest."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from sekft.config import EvalConfig
from sekft.episode import trajectory
from sekft.episode.play import unanswered
from sekft.episode.pool import EpisodeRequest, play_many
from sekft.episode.trajectory import Ending, Trajectory
from sekft.errors import DataError
from sekft.sandbox.session import Backend
from sekft.sandbox.text import TEXT_VERSION
from sekft.scenario.document import dumps
from sekft.tracking.files import plain


def key(plan: Sequence[EpisodeRequest], settings: Mapping[str, Any]) -> str:
    """What decides the episodes, as 12 hex digits: scenarios, attempts, settings, formats."""
    hashed = hashlib.sha256(f"{trajectory.SCHEMA_VERSION}/{TEXT_VERSION}/{json.dumps(plain(settings), sort_keys=True)}\n".encode())
    for request in plan:
        hashed.update(f"{request.attempt} {dumps(request.scenario)}".encode())
    return hashed.hexdigest()[:12]


class Series:
    """The episodes of one key in a folder, in <folder>/trajectories.<key>.partial.jsonl until clear()."""

    def __init__(self, folder: Path, key: str) -> None:
        self.path = folder / f"trajectories.{key}.partial.jsonl"

    def played(self) -> list[Trajectory]:
        """What an earlier process finished. A line it did not finish is cut off."""
        if not self.path.exists():
            return []
        whole = self.path.read_bytes().rpartition(b"\n")[0]
        self.path.write_bytes(whole + b"\n" if whole else b"")
        return list(trajectory.read(self.path)) if whole else []

    def play(self, plan: Sequence[EpisodeRequest], backend: Backend, config: EvalConfig, workers: int, title: str) -> list[Trajectory]:
        """All episodes of the plan, sorted by scenario and id; only those are played that are not there yet."""
        there = {episode.id: episode for episode in self.played()}
        wanted = [f"{request.scenario.id}#{request.attempt}@{request.agent.name}" for request in plan]
        rest = [request for request, name in zip(plan, wanted, strict=True) if name not in there]
        with self.path.open("a", encoding="utf-8", newline="\n") as file:

            def keep(episode: Trajectory) -> None:
                if is_settled(episode):
                    file.write(trajectory.dumps(episode))
                    file.flush()

            made = play_many(rest, backend, config, workers, title, keep)
        return sorted([*(there[name] for name in wanted if name in there), *made], key=by_scenario)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """No other process collects there. Raises DataError; the lock of a killed process is free."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".collecting", timeout=0):
            yield
    except Timeout:
        raise DataError(f"{folder}: another process collects there; allowed: one at a time") from None


def clear(folder: Path) -> None:
    """Remove what was kept to go on from: all is written under its own name."""
    for partial in folder.glob("*.partial.jsonl"):
        partial.unlink()


def is_settled(episode: Trajectory) -> bool:
    """Whether running it once more would say nothing new: neither our engine nor the agent's endpoint failed it."""
    return episode.ending is not Ending.broken and not unanswered(episode)


def by_scenario(episode: Trajectory) -> tuple[str, str]:
    """The order of a file of episodes."""
    return episode.scenario_id, episode.id
