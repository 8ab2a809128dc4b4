"""The author: a teacher model writes scenarios to order. Its answers are untrusted input; each is kept with its verdict."""

import dataclasses
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from sekft.collect.gate import Refusal
from sekft.collect.series import whole_lines
from sekft.config import AgentConfig, AuthorConfig, CollectConfig
from sekft.config.endpoint import EndpointConfig, text_or_file
from sekft.episode.play import EMPTY_REPLY
from sekft.errors import EndpointError, validation_line
from sekft.rendering.messages import Message, Reply
from sekft.scenario.document import MAX_DOCUMENT_BYTES, Scenario, dumps
from sekft.tracking.files import plain, write_text
from sekft.tracking.progress import ProgressLines

KEPT_CHARACTERS = 65536  # of an answer that is not a scenario
Complete = Callable[[Sequence[Message], int], Reply]  # (messages, seed) -> the teacher's answer

RULES = """\
You write scenarios in which a small model learns to operate a POSIX shell (dash, GNU coreutils, no network, user `agent`,
home /home/agent). Answer with one JSON object and nothing else: no comment, no code fence.

A scenario is a task for an agent without any instruction. On arrival an announcement names the program that keeps the directives. Called
with --help, that program (provider.script, POSIX sh, installed as /usr/local/bin/<provider.name>) explains how it lists them. `directives`
are exactly the sentences that it prints: paths, words, order. `fixtures` are the files that exist before the agent arrives.
- Paths are absolute and normalised: below /home/agent (owner agent), or below /srv or /usr/local (owner root, not writable by the agent).
- `checker` is POSIX sh, run in /home/agent after the episode. It looks at files only, exits 0 if every directive was carried out
  exactly, and 1 if nothing was done. It uses no clock and does not wait.
- `reference` are the command lines of an episode that succeeds, one by one, as typed by an agent that has to look around first; the last
  one is `exit`. If terminal is `panic`, the last directive is impossible (a missing file, a path that is not writable), the
  others are possible and are checked, and the reference ends with `panic WHY`.
- Nothing depends on the time, the host or chance."""


class Draft(BaseModel):
    """One answer of the teacher: a scenario, or the reason why it is none (see gate.Refusal) and the answer itself in `text`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    scenario: Scenario | None = Field(default=None, validation_alias=AliasChoices("scenario", "bundle"))  # bundle: the first edition
    reason: str = ""
    detail: str = ""
    text: str = ""


def drafts(wanted: Sequence[Scenario], settings: CollectConfig, folder: Path) -> list[Draft]:
    """Have the teacher write one draft per wanted scenario. Raises EndpointError if the endpoint does not answer at the start."""
    from rich import get_console
    from rich.progress import track

    from sekft.episode.endpoint import Client

    endpoint = author_endpoint(settings.agent, settings.author)
    client = Client(endpoint)
    client.require_answer()
    brief = text_or_file(settings.author.brief)
    decisive = json.dumps([endpoint.model, endpoint.temperature, endpoint.max_tokens, plain(endpoint.extra), brief, *map(dumps, wanted)])
    path = folder / f"authored.{hashlib.sha256(decisive.encode()).hexdigest()[:12]}.partial.jsonl"
    written = write(wanted, client.complete, settings.seed, brief, path, settings.workers)
    title, made = f"author: {settings.agent.model}", list[Draft]()
    lines = ProgressLines(title, not get_console().is_terminal)
    for draft in track(written, title, total=len(wanted)):
        made.append(draft)
        lines.update(len(made), len(wanted))
    return made


def author_endpoint(agent: AgentConfig, author: AuthorConfig) -> EndpointConfig:
    """The endpoint of the agent with the author's temperature, token limit and time-out."""
    fields = {field.name: getattr(agent, field.name) for field in dataclasses.fields(EndpointConfig)}
    return EndpointConfig(**fields | {"temperature": author.temperature, "max_tokens": author.max_tokens, "timeout_s": author.timeout_s})


def write(wanted: Sequence[Scenario], complete: Complete, seed: int, brief: str, path: Path, workers: int) -> Iterator[Draft]:
    """One draft per wanted scenario, in order.

    Each draft is appended to path as it arrives; drafts that an earlier process appended there are not requested again.
    """
    known = {draft.id: draft for draft in map(Draft.model_validate_json, whole_lines(path))}
    path.parent.mkdir(parents=True, exist_ok=True)

    def draft_at(index: int) -> Draft:
        name = f"authored-s{seed}-{index:04d}"
        return known.get(name) or _draft(name, order(wanted[index - 1], wanted[index], brief), wanted[index], complete, seed, index)

    with path.open("a", encoding="utf-8", newline="\n") as file, ThreadPoolExecutor(workers or 4, thread_name_prefix="author") as pool:
        for draft in pool.map(draft_at, range(len(wanted))):
            if draft.id not in known and draft.reason != "no_answer":
                file.write(draft.model_dump_json() + "\n")
                file.flush()
            yield draft


def order(example: Scenario, wanted: Scenario, brief: str) -> list[Message]:
    """The request to the teacher: write another scenario with the archetype and axes of `wanted`; `example` shows the format."""
    axes = {**wanted.axes.model_dump(mode="json"), "archetype": wanted.archetype, "provider.name": wanted.provider.name}
    shown = dumps(example)
    lines = [
        f"An example of a complete scenario:\n{shown}",
        f"Write another one, on a task of the kind `{wanted.archetype}`, with other texts and files, at this place in the taxonomy:",
        json.dumps(axes, indent=1),
        f"announcement.kind is {wanted.axes.announcement}, terminal is {wanted.terminal}, directives: {len(wanted.directives)}.",
        brief,
    ]
    return [Message(role="system", content=RULES), Message(role="user", content="\n\n".join(filter(None, lines)))]


def parse(text: str, name: str, wanted: Scenario, seed: int) -> Scenario | Refusal:
    """The scenario in an answer, or why it holds none.

    Text around the outermost braces is dropped. id, seed, archetype and axes are set by us, whatever the answer gives.
    """
    document = text[text.find("{") : text.rfind("}") + 1]
    if len(document) > MAX_DOCUMENT_BYTES:
        return Refusal("invalid", f"{len(document)} characters, allowed: {MAX_DOCUMENT_BYTES} bytes")
    try:
        fields: Any = from_json(document)
    except ValueError as error:
        return Refusal("unparsable", f"no JSON object: {str(error)[:120]}")
    ours = {"schema_version": 1, "id": name, "seed": seed, "archetype": wanted.archetype, "axes": wanted.axes.model_dump(mode="json")}
    try:
        return Scenario.model_validate({**fields, **ours})
    except ValidationError as error:
        return Refusal("invalid", validation_line(error))


def write_drafts(drafts: Sequence[Draft], refused: Mapping[str, Refusal], path: Path) -> None:
    """Write every draft with its verdict: the gate's refusal replaces reason and detail."""
    verdicts = {name: {"reason": refusal.reason, "detail": refusal.detail} for name, refusal in refused.items()}
    lines = [draft.model_copy(update=verdicts.get(draft.id, {})).model_dump_json() + "\n" for draft in drafts]
    write_text(path, "".join(lines))


def _draft(name: str, messages: Sequence[Message], wanted: Scenario, complete: Complete, seed: int, index: int) -> Draft:
    try:
        reply = complete(messages, seed * 100_003 + index)
    except EndpointError as error:
        return Draft(id=name, reason="no_answer", detail=error.reason)
    text = reply.text
    if not text.strip():
        return Draft(id=name, reason="no_answer", detail=reply.reason or EMPTY_REPLY)
    parsed = parse(text, name, wanted, seed)
    if reply.cut and isinstance(parsed, Refusal):
        parsed = Refusal(parsed.reason, f"cut at author.max_tokens; {parsed.detail}")
    if isinstance(parsed, Scenario):
        return Draft(id=name, scenario=parsed)
    return Draft(id=name, reason=parsed.reason, detail=parsed.detail, text=text[:KEPT_CHARACTERS])
