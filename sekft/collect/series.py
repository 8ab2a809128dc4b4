"""A resumable series of episodes: each is appended to a partial file as it ends, and the same plan continues after a kill."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sekft.config import EvalConfig
from sekft.episode import trajectory
from sekft.episode.pool import EpisodeRequest, play_many
from sekft.episode.trajectory import Ending, Trajectory
from sekft.errors import DataError
from sekft.sandbox.session import Backend
from sekft.sandbox.text import TEXT_VERSION
from sekft.scenario.document import dumps
from sekft.tracking.files import lock, plain


def series_key(plan: Sequence[EpisodeRequest], settings: Mapping[str, Any]) -> str:
    """A hash of everything that decides the episodes (scenarios, attempts, settings, formats), as 12 hex digits."""
    hashed = hashlib.sha256(f"{trajectory.SCHEMA_VERSION}/{TEXT_VERSION}/{json.dumps(plain(settings), sort_keys=True)}\n".encode())
    for request in plan:
        hashed.update(f"{request.attempt} {dumps(request.scenario)}".encode())
    return hashed.hexdigest()[:12]


class Series:
    """The episodes of one key, kept in <folder>/trajectories.<key>.partial.jsonl until remove_partials()."""

    def __init__(self, folder: Path, key: str) -> None:
        self.path = folder / f"trajectories.{key}.partial.jsonl"

    def finished(self) -> list[Trajectory]:
        """The episodes that an earlier process finished."""
        return list(trajectory.read(self.path)) if whole_lines(self.path) else []

    def play(self, plan: Sequence[EpisodeRequest], backend: Backend, config: EvalConfig, workers: int, title: str) -> list[Trajectory]:
        """All episodes of the plan, sorted by scenario and id; finished ones are not played again."""
        finished = {episode.id: episode for episode in self.finished()}
        ids = [f"{request.scenario.id}#{request.attempt}@{request.agent.name}" for request in plan]
        rest = [request for request, name in zip(plan, ids, strict=True) if name not in finished]
        with self.path.open("a", encoding="utf-8", newline="\n") as file:

            def append(episode: Trajectory) -> None:
                if is_settled(episode):
                    file.write(trajectory.dumps(episode))
                    file.flush()

            played = play_many(rest, backend, config, workers, title, append)
        return sorted([*(finished[name] for name in ids if name in finished), *played], key=by_scenario)


def whole_lines(path: Path) -> list[bytes]:
    """The complete lines of a partial file; an incomplete last line, left by a killed process, is cut off the file."""
    if not path.exists():
        return []
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        path.write_bytes(whole)
    return whole.splitlines()


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Lock the folder against other processes that collect into it. Raises DataError if one does; a killed process leaves no lock."""
    with lock(folder / ".collecting", DataError(f"{folder}: another process collects there; allowed: one at a time")):
        yield


def remove_partials(folder: Path) -> None:
    """Remove what a killed collection would continue from, once everything is written under its final name."""
    for partial in folder.glob("*.partial.jsonl"):
        partial.unlink()


def is_settled(episode: Trajectory) -> bool:
    """Whether playing it again would give nothing new: neither the sandbox nor the agent's endpoint failed."""
    return episode.ending is not Ending.broken


def by_scenario(episode: Trajectory) -> tuple[str, str]:
    """The sort key of a file of episodes."""
    return episode.scenario_id, episode.id
