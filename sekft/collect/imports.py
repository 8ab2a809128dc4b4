"""Import episodes recorded by other tools: logs of {role, content} turns become trajectories in the deployed text.

Covers: every container that sources of data are read from; a record is a list of turns or an object that holds one; `keep`, `outcome`,
`steps`, `meta.clean`. Turns are read as those of data sources are, and an episode with one that is not text is left out.
Does not cover: verification. Nothing is played again; `checked` is taken from `keep`.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from sekft.data.containers import Container, container
from sekft.data.conversation import Conversation, RawTurn, Turn, leading_system_turns, to_messages
from sekft.data.lines import read_lines
from sekft.data.reader import ReadStats
from sekft.episode import outcome
from sekft.episode.trajectory import Command, Ending, Outcome, Trajectory
from sekft.errors import DataError, utf8_problem, validation_line
from sekft.rendering.messages import Message
from sekft.sandbox.text import CONTINUATION, PROMPT, TEXT_VERSION, environment_turn
from sekft.scenario.document import Terminal

AGENT = "imported"
MAX_RECORD_BYTES = 1 << 24
FILES = (".json", ".jsonl", ".json.gz", ".jsonl.gz")
KEPT_OUTCOMES = frozenset({Outcome.verified.value, Outcome.justified_panic.value})


class Log(BaseModel):
    """An episode as another tool records it; further fields are ignored."""

    model_config = ConfigDict(frozen=True)

    messages: list[RawTurn] = Field(validation_alias=AliasChoices("messages", "conversations", "turns", "trajectory", "conversation"))
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
    for name, text in _records(path, left_out):
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


def _records(path: Path, left_out: Counter[str]) -> Iterator[tuple[str, bytes]]:
    """(name, JSON text) of every record of the file, or of the files of the folder; a file that cannot be read counts as left out."""
    if not path.exists():
        raise DataError(f"imports={path}: no such file or folder")
    for file in sorted(file for file in path.rglob("*") if file.name.endswith(FILES)) if path.is_dir() else [path]:
        name = (file.relative_to(path) if path.is_dir() else Path(file.name)).as_posix().removesuffix(".gz").rpartition(".")[0]
        stats = ReadStats(max_bad=10**9)
        try:
            is_document = container(file) is Container.json
            for number, line in enumerate(read_lines([file], MAX_RECORD_BYTES, stats), 1):
                place = int(line.location.rpartition(":")[2])
                yield name.replace("/", "-") if is_document and number == 1 else f"{name.replace('/', '-')}-{place}", line.text
        except DataError as error:
            left_out[str(error).removeprefix(f"{file}: ")] += 1
        left_out.update(entry.removeprefix(f"{file}:").partition(": ")[2] for entry in stats.invalid)


def _parse(text: bytes) -> Any:
    """The JSON value. Raises ValueError that says what is wrong with the text."""
    try:
        return from_json(text.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError(utf8_problem(error)) from None
    except ValueError:
        raise ValueError("no JSON") from None


def _episode(log: Log, scenario: str, attempt: int) -> Trajectory:
    """The log as a trajectory. Raises ValueError for a conversation that is not an episode."""
    conversation, stripped = _messages(log)
    messages = conversation.messages
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
        meta={
            "text_version": TEXT_VERSION,
            "steps": log.steps,
            "system_turns_stripped": stripped,
            **({"unlearned": sorted(conversation.unlearned)} if conversation.unlearned else {}),
        },
    )


def _other_terminal(ending: Ending) -> Terminal:
    """The terminal that was not used: an episode labelled as not good counts as ended by the wrong one."""
    return Terminal.exit if ending is Ending.panic else Terminal.panic


def _messages(log: Log) -> tuple[Conversation, int]:
    """(turns in the deployed text, number of system turns removed from the beginning); ends with the last assistant turn.

    Raises ValueError.
    """
    turns = [turn.turn() for turn in log.messages]
    if foreign := next((turn.foreign for turn in turns if turn.foreign), ""):
        raise ValueError(foreign)
    stripped = leading_system_turns(turns)
    turns = turns[stripped:]
    if any(turn.role == "system" for turn in turns):
        raise ValueError("a system turn in the middle")
    if turns and turns[0].role == "assistant":
        turns.insert(0, Turn("user", ""))  # an arrival without output is a bare prompt
    while turns and turns[-1].role != "assistant":
        turns.pop()
    if not turns:
        raise ValueError("no assistant turn")
    found = to_messages(turns)
    return Conversation(tuple(map(_as_deployed, found.messages)), found.unlearned), stripped


def _as_deployed(turn: Message) -> Message:
    """An environment turn with the prompt at its end; an assistant turn unchanged."""
    if turn.role == "assistant" or turn.content.endswith((PROMPT, CONTINUATION)):
        return turn
    return Message(role="user", content=environment_turn(turn.content, "ready"))
