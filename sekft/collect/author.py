"""The author: a teacher writes scenarios to order; what it answers is untrusted, every answer is kept with what became of it."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import from_json

from sekft.collect.gate import Refusal
from sekft.collect.teacher import author_endpoint
from sekft.config import CollectConfig
from sekft.config.endpoint import text_or_file
from sekft.errors import EndpointError
from sekft.rendering.messages import Message, Reply
from sekft.scenario.document import MAX_DOCUMENT_BYTES, Scenario, complaint, dumps
from sekft.tracking.files import plain

KEPT_CHARACTERS = 65536  # of an answer that is no scenario
Ask = Callable[[Sequence[Message], int], Reply]  # messages, seed

RULES = """\
You write worlds for a training ground where a small model lives in a POSIX shell (dash, GNU coreutils, no network, user `agent`,
home /home/agent). Answer with one JSON object and nothing else: no comment, no code fence.

A world is a job for somebody who was told nothing. On arrival an announcement says which program keeps the directives; asked with
--help, that program (provider.script, POSIX sh, installed as /usr/local/bin/<provider.name>) says how it lists them. `directives` are
those sentences, each exact: paths, words, order. `fixtures` are what lies there already.
- Paths are absolute and normal: below /home/agent (owner agent), or below /srv or /usr/local (owner root, the agent cannot write there).
- `checker` is POSIX sh, run in /home/agent when the life is over. It looks at files only, exits 0 if every directive was carried out
  exactly, and 1 if nothing was done. It prints no clock and waits for nothing.
- `reference` are the command lines of a life that succeeds, one by one, as typed by somebody who has to look around first; the last
  one is `exit`. If terminal is `panic`, the last directive is impossible (a file that is missing, a place that is not writable), the
  others are not and are checked, and the reference ends with `panic WHY`.
- Nothing depends on the time, the host or chance."""


class Draft(BaseModel):
    """One answer. reason: empty, or why it is no candidate (see gate.Refusal); text: the answer where it gave no scenario."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    scenario: Scenario | None = None
    reason: str = ""
    detail: str = ""
    text: str = ""


def order(example: Scenario, wanted: Scenario, brief: str) -> list[Message]:
    """What the teacher is asked. wanted: the scenario of the library whose place in the taxonomy is to be filled anew; example: another."""
    axes = {**wanted.axes.model_dump(mode="json"), "archetype": wanted.archetype, "provider.name": wanted.provider.name}
    shown = dumps(example)
    lines = [
        f"An example of a whole world:\n{shown}",
        f"Write another one, on a task of the kind `{wanted.archetype}`, with other texts and files, at this place in the taxonomy:",
        json.dumps(axes, indent=1),
        f"announcement.kind is {wanted.axes.announcement}, terminal is {wanted.terminal}, directives: {len(wanted.directives)}.",
        brief,
    ]
    return [Message(role="system", content=RULES), Message(role="user", content="\n\n".join(filter(None, lines)))]


def drafts(wanted: Sequence[Scenario], settings: CollectConfig, folder: Path) -> list[Draft]:
    """One per wanted scenario. Raises EndpointError if nothing answers at the start."""
    from rich.progress import track

    from sekft.episode.endpoint import Client

    asked = author_endpoint(settings.agent, settings.author)
    client = Client(asked)
    client.require_answer()
    brief = text_or_file(settings.author.brief)
    told = json.dumps([asked.model, asked.temperature, asked.max_tokens, plain(asked.extra), brief, *map(dumps, wanted)])
    path = folder / f"authored.{hashlib.sha256(told.encode()).hexdigest()[:12]}.partial.jsonl"
    written = write(wanted, client.complete, settings.seed, brief, path, settings.workers)
    return list(track(written, f"author: {settings.agent.model}", total=len(wanted)))


def write_verdicts(drafts: Sequence[Draft], refused: Mapping[str, Refusal], path: Path) -> None:
    """Every draft with what became of it."""
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for draft in drafts:
            if draft.id in refused:
                draft = draft.model_copy(update={"reason": refused[draft.id].reason, "detail": refused[draft.id].detail})
            file.write(draft.model_dump_json() + "\n")


def write(wanted: Sequence[Scenario], ask: Ask, seed: int, brief: str, path: Path, workers: int) -> Iterator[Draft]:
    """One draft per wanted scenario, in order. Each is appended to path as it comes; those an earlier process got are not asked for again."""
    there = {draft.id: draft for draft in _read(path)}
    path.parent.mkdir(parents=True, exist_ok=True)

    def one(index: int) -> Draft:
        name = f"authored-s{seed}-{index:04d}"
        return there.get(name) or _draft(name, order(wanted[index - 1], wanted[index], brief), wanted[index], ask, seed, index)

    with path.open("a", encoding="utf-8", newline="\n") as file, ThreadPoolExecutor(workers or 4, thread_name_prefix="author") as pool:
        for draft in pool.map(one, range(len(wanted))):
            if draft.id not in there and draft.reason != "no_answer":
                file.write(draft.model_dump_json() + "\n")
                file.flush()
            yield draft


def _draft(name: str, messages: Sequence[Message], wanted: Scenario, ask: Ask, seed: int, index: int) -> Draft:
    try:
        text = ask(messages, seed * 100_003 + index).text
    except EndpointError as error:
        return Draft(id=name, reason="no_answer", detail=f"endpoint {error.kind}")
    found = parse(text, name, wanted, seed)
    if isinstance(found, Scenario):
        return Draft(id=name, scenario=found)
    return Draft(id=name, reason=found.reason, detail=found.detail, text=text[:KEPT_CHARACTERS])


def parse(text: str, name: str, wanted: Scenario, seed: int) -> Scenario | Refusal:
    """The scenario in an answer; whatever stands around its outermost braces is dropped. Identity and place in the taxonomy are ours."""
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
        return Refusal("invalid", complaint(error))


def _read(path: Path) -> Iterator[Draft]:
    """The drafts of whole lines; a last line that was cut short is no draft, and is removed."""
    if path.exists():
        whole = path.read_bytes().rpartition(b"\n")[0]
        path.write_bytes(whole + b"\n" if whole else b"")
        yield from map(Draft.model_validate_json, whole.splitlines())
