"""Trajectories: recorded episodes, one JSON line each, the same bytes for the same episode. Writes schema version 2, reads 1 and 2."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from sekft.errors import DataError, validation_line
from sekft.rendering.messages import Message
from sekft.tracking.files import replacing

SCHEMA_VERSION = 2
SCHEMA_1 = {"bundle_id": "scenario_id", "operator": "agent"}  # fields that had another name in version 1
LIMITS_1 = {"eval.max_life_tokens": "eval.max_episode_tokens", "eval.max_exam_s": "eval.max_eval_s"}  # keys of meta.limits in version 1


class Ending(StrEnum):
    """Why an episode ended.

    silent: an empty reply; gone: the agent replaced or killed its shell; lost: no prompt came back; broken: the engine, the sandbox or
    the agent's endpoint failed. gone and lost count as the agent's failures, broken never does.
    """

    exit = "exit"
    panic = "panic"
    turn_limit = "turn_limit"
    token_limit = "token_limit"
    silent = "silent"
    gone = "gone"
    lost = "lost"
    broken = "broken"


class Outcome(StrEnum):
    """The result of an episode: the first of these that applies, in this order."""

    broken = "broken"
    silent = "silent"
    ran_out = "ran_out"
    prose = "prose"
    false_panic = "false_panic"
    false_exit = "false_exit"
    justified_panic = "justified_panic"
    verified = "verified"


class Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Command(Record):
    """What was typed in one assistant turn. turn: index into messages; status: exit status, None if no prompt came back."""

    turn: int
    text: str
    status: int | None


class Trajectory(Record):
    """One recorded episode. messages: environment turns have the role user, replies the role assistant."""

    schema_version: Literal[2] = 2
    id: str
    scenario_id: str
    archetype: str
    agent: str
    messages: tuple[Message, ...]
    commands: tuple[Command, ...]
    ending: Ending
    checked: bool | None  # whether the checker passed; None: it could not run
    clean: bool  # no reply was prose
    outcome: Outcome
    kept: bool
    reason: str = ""  # why it ended as it did, or why it is not kept
    meta: dict[str, Any] = {}

    @model_validator(mode="before")
    @classmethod
    def _upgraded(cls, fields: Any) -> Any:
        """Accept a record of version 1, and one in which an endpoint that failed made the episode silent instead of broken."""
        if not isinstance(fields, dict):
            return fields
        if fields.get("ending") == Ending.silent and str(fields.get("reason")).startswith("endpoint "):
            fields = {**fields, "ending": Ending.broken, "outcome": Outcome.broken, "checked": None}
        if fields.get("schema_version") != 1:
            return fields
        upgraded = {SCHEMA_1.get(name, name): value for name, value in fields.items()} | {"schema_version": SCHEMA_VERSION}
        if isinstance(meta := fields.get("meta"), dict) and isinstance(limits := meta.get("limits"), dict):
            upgraded["meta"] = {**meta, "limits": {LIMITS_1.get(name, name): times for name, times in limits.items()}}
        return upgraded


EpisodesByAgent = Mapping[str, Sequence[Trajectory]]


def by_agent(episodes: Iterable[Trajectory]) -> dict[str, list[Trajectory]]:
    """The episodes of each agent by its name, in the order given."""
    found: dict[str, list[Trajectory]] = {}
    for episode in episodes:
        found.setdefault(episode.agent, []).append(episode)
    return found


def dumps(trajectory: Trajectory) -> str:
    """The trajectory as one JSON line, newline included."""
    return trajectory.model_dump_json() + "\n"


def read(path: Path) -> Iterator[Trajectory]:
    """The trajectories of a *.jsonl file, or of every *.jsonl of a folder in name order.

    Raises DataError naming file and line; also when there is no file, or a file is empty.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file or folder of trajectories")
    files = sorted(path.glob("*.jsonl")) if path.is_dir() else [path]
    if not files:
        raise DataError(f"{path}: no *.jsonl in this folder")
    for file in files:
        yield from _read_file(file)


def _read_file(file: Path) -> Iterator[Trajectory]:
    empty = True
    with file.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            empty = False
            try:
                yield Trajectory.model_validate_json(line)
            except ValidationError as error:
                raise DataError(f"{file}:{number}: {validation_line(error)}") from None
    if empty:
        raise DataError(f"{file}: empty; a trajectory is one JSON line (python -m sekft.collect makes them)")


def write(trajectories: Iterable[Trajectory], path: Path) -> None:
    """Write all of them or none: the file gets its name only when it is complete."""
    with replacing(path) as file:
        file.writelines(dumps(trajectory) for trajectory in trajectories)
