"""Import episodes recorded by other tools: logs of {role, content} turns become trajectories in the deployed text.

Covers: one JSON document or JSONL line per episode, a list of turns or an object that holds one; `keep`, `outcome`, `steps`, `meta.clean`.
Does not cover: verification. Nothing is played again; `checked` is taken from `keep`.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from sekft.episode import outcome
from sekft.episode.trajectory import Command, Ending, Outcome, Trajectory
from sekft.errors import DataError, validation_line
from sekft.rendering.messages import Message, canonical
from sekft.sandbox.text import CONTINUATION, PROMPT, TEXT_VERSION, environment_turn
from sekft.scenario.document import Terminal

AGENT = "imported"
ROLES: dict[str, Literal["system", "user", "assistant"]] = {
    "system": "system",
    "user": "user",
    "environment": "user",
    "tool": "user",
    "assistant": "assistant",
    "model": "assistant",
}
KEPT_OUTCOMES = frozenset({Outcome.verified.value, Outcome.justified_panic.value})


class LogTurn(BaseModel):
    model_config = ConfigDict(frozen=True)

    role: str
    content: str


class Log(BaseModel):
    """An episode as another tool records it; further fields are ignored."""

    model_config = ConfigDict(frozen=True)

    messages: list[LogTurn] = Field(validation_alias=AliasChoices("messages", "turns", "trajectory", "conversation"))
    scenario: str | None = Field(None, validation_alias=AliasChoices("bundle_id", "scenario_id", "scenario", "task_id", "id"))
    archetype: str = "imported"
    keep: bool | None = Field(None, validation_alias=AliasChoices("keep", "kept"))
    outcome: str | None = None
    steps: int | None = None
    meta: dict[str, Any] | None = None


def read(path: Path) -> tuple[list[Trajectory], Counter[str]]:
    """(episodes in file order, number of records that are not episodes by reason). Raises DataError if there is no episode."""
    episodes: list[Trajectory] = []
    left_out: Counter[str] = Counter()
    attempts: Counter[str] = Counter()
    for name, text in _records(path):
        try:
            value = _parse(text)
            if isinstance(value, dict) and "schema_version" in value:  # a trajectory of sekft
                episodes.append(Trajectory.model_validate(value))
                continue
            log = Log.model_validate({"messages": value} if isinstance(value, list) else value)
            scenario = log.scenario or name
            episodes.append(_episode(log, scenario, attempts[scenario]))
            attempts[scenario] += 1
        except ValidationError as error:
            left_out[validation_line(error).partition(" (found")[0]] += 1
        except ValueError as error:
            left_out[str(error)] += 1
    if not episodes:
        reasons = ", ".join(f"{reason} {count}" for reason, count in left_out.items()) or "no *.json, no *.jsonl"
        raise DataError(f"imports={path}: no episode in it ({reasons}); allowed: a list of {{role, content}}, or an object with `messages`")
    return episodes, left_out


def _records(path: Path) -> Iterator[tuple[str, str]]:
    """(name, text) of every JSON document and every JSONL line."""
    if not path.exists():
        raise DataError(f"imports={path}: no such file or folder")
    for file in sorted(file for kind in ("*.json", "*.jsonl") for file in path.rglob(kind)) if path.is_dir() else [path]:
        name = file.relative_to(path).with_suffix("").as_posix().replace("/", "-") if path.is_dir() else file.stem
        text = file.read_text(encoding="utf-8", errors="replace")
        if file.suffix == ".jsonl":
            yield from ((f"{name}-{number}", line) for number, line in enumerate(text.split("\n"), 1) if line.strip())
        else:
            yield name, text


def _parse(text: str) -> Any:
    try:
        return from_json(text)
    except ValueError:
        raise ValueError("no JSON") from None


def _episode(log: Log, scenario: str, attempt: int) -> Trajectory:
    """The log as a trajectory. Raises ValueError for a conversation that is not an episode."""
    messages, stripped = _messages(log)
    commands = tuple(Command(turn=at, text=turn.content, status=None) for at, turn in enumerate(messages) if turn.role == "assistant")
    last = commands[-1].text.split()[:1] if commands else []
    ending = Ending(last[0]) if last in (["exit"], ["panic"]) else Ending.turn_limit if commands else Ending.silent
    clean = (log.meta or {}).get("clean") is not False
    good = log.keep if log.keep is not None else log.outcome in KEPT_OUTCOMES
    terminal = Terminal(ending.value) if ending in (Ending.exit, Ending.panic) and good else _other_terminal(ending)
    result = outcome.classify(ending, good, clean, terminal)
    kept = outcome.is_kept(result)
    label = log.outcome or f"keep={str(log.keep).lower()}"
    return Trajectory(
        id=f"{scenario}#{attempt}@{AGENT}",
        scenario_id=scenario,
        archetype=log.archetype,
        agent=AGENT,
        messages=messages,
        commands=commands,
        ending=ending,
        checked=good if log.keep is not None or log.outcome else None,
        clean=clean,
        outcome=result,
        kept=kept,
        reason="" if kept else f"recorded as {label}",
        meta={"text_version": TEXT_VERSION, "steps": log.steps, "system_turns_stripped": stripped},
    )


def _other_terminal(ending: Ending) -> Terminal:
    """The terminal that was not used: an episode labelled as not good counts as ended by the wrong one."""
    return Terminal.exit if ending is Ending.panic else Terminal.panic


def _messages(log: Log) -> tuple[tuple[Message, ...], int]:
    """(turns in the deployed text, number of system turns removed from the beginning); ends with the last assistant turn.

    Raises ValueError.
    """
    if unknown := sorted({turn.role for turn in log.messages} - set(ROLES)):
        raise ValueError(f"unknown role {unknown[0]!r}")
    turns = [(ROLES[turn.role], turn.content) for turn in log.messages]
    stripped = next((at for at, (role, _) in enumerate(turns) if role != "system"), len(turns))
    turns = turns[stripped:]
    if any(role == "system" for role, _ in turns):
        raise ValueError("a system turn in the middle")
    if turns and turns[0][0] == "assistant":
        turns.insert(0, ("user", ""))  # an arrival without output is a bare prompt
    while turns and turns[-1][0] != "assistant":
        turns.pop()
    if not turns:
        raise ValueError("no assistant turn")
    messages = canonical([Message(role=role, content=content) for role, content in turns])
    return tuple(map(_as_deployed, messages)), stripped


def _as_deployed(turn: Message) -> Message:
    """An environment turn with the prompt at its end; an assistant turn unchanged."""
    if turn.role == "assistant" or turn.content.endswith((PROMPT, CONTINUATION)):
        return turn
    return Message(role="user", content=environment_turn(turn.content, "ready"))
