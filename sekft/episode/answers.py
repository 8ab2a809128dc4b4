"""What the servers of language models answer, told by one table: a reply, a context without room, or trouble that is not the model's.

Covers the words of OpenAI, Azure, OpenRouter, Anthropic, Gemini, Mistral, llama.cpp, vLLM, SGLang, TGI, TensorRT-LLM, LM Studio, Ollama
and sekft.serve (tests/episode/test_answers.py has them). docs/endpoints.md shows the table. Does not cover: streams, and text that a model
wraps around its command, such as `<think>`, which is typed as it is.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sekft.rendering.messages import Reply, joined_parts

MAX_WORDS = 300  # characters of what a server says that are kept
FULL_CONTEXT = "the context of the endpoint's model"


class Kind(StrEnum):
    """The kinds of trouble of an endpoint. None of them is the model's doing: the episode is broken."""

    overloaded = "overloaded"  # too many requests, or the model is not loaded yet
    failed = "failed"  # an error of the server or of a provider behind it
    timeout = "timeout"
    unreachable = "unreachable"
    credit = "out of credit"
    denied = "denied"  # no key, a wrong one, or one that may not do this
    filtered = "filtered"  # the provider withholds the reply or refuses the prompt
    rejected = "rejected"  # the request is wrong for this server: a model it lacks, a field it refuses
    unreadable = "unreadable"  # not a chat completion


PASSING = frozenset({Kind.overloaded, Kind.failed, Kind.timeout, Kind.unreachable})  # asked again; the others would answer the same
PASSING_TROUBLE = frozenset(f"endpoint {kind}" for kind in PASSING)  # as EndpointError.trouble names them


class Trouble(Exception):
    """An answer that is no reply. words: the server's own, in one line."""

    def __init__(self, kind: Kind, words: str) -> None:
        super().__init__(words)
        self.kind, self.words = kind, words


# What servers say, in the order in which it is looked for. The first group are patterns of the text of an error, without regard to case.
RATE = re.compile(r"rate.?limit|per (minute|day|hour)|\b[tr]p[md]\b|too many requests", re.I)
CONTEXT = re.compile(
    r"context_length_exceeded|exceed_context_size|model_max_prompt_tokens_exceeded|tokens_limit_reached|string_above_max_length"
    r"|(context|sequence|model|prompt|input) (length|size|window|limit)[^.]{0,40}\b(exceed|overflow|reached|too (long|large))"
    r"|(exceed|longer than|larger than|greater than|too (long|large) for|above|over|beyond|out of)[^.]{0,80}"
    r"\b(context|maximum (model|prompt|input|sequence) length|max_model_len|max_seq_len|max_input_len|model token limit|n_ctx)\b"
    r"|maximum (context|prompt|model|sequence|input)[ _]?(length|size|window)|max context size|context length of only|context the overflows"
    r"|(prompt|input|messages?|request)\b[^.]{0,40}\b(is|are|was) too (long|large)\b(?!.{0,40}\b(bytes|mb)\b)|prompt too long"
    r"|(prompt|input) exceeds max|range of input length should be"
    r"|input (token count|length)[^.]{0,40} exceeds|token count[^.]{0,60} exceeds the|requested token count exceeds"
    r"|`?inputs`? (tokens \+ `?max_new_tokens`? must be <=|must have less than)|body too large[^.]{0,60}\. max size: \d+ tokens"
    r"|context length of \d+ tokens with this model|context overflow"
    r"|reduce the length of the (messages|input|prompt)|too many (input )?tokens|exceed(s|ed)? (the )?max(imum)? supported context",
    re.I,
)
NO_TEXT_WITHIN_LIMIT = re.compile(r"max_tokens or model output limit was reached", re.I)
FILTERED = re.compile(
    r"content_?(management_)?(filter|policy)|content_policy_violation|responsibleai|data_inspection_failed|inappropriate content"
    r"|safety (system|filter|reason|setting)|prohibited_content|block_?reason|flagged|moderation",
    re.I,
)
CREDIT = re.compile(
    r"insufficient[_ ]?(quota|credit|balance|funds)|billing_hard_limit|(credit|balance) (is )?(too low|exhausted)|payment required", re.I
)
DENIED = re.compile(
    r"(invalid|incorrect|missing|no)[_ ](api[_ ]?key|auth)|api[_ ]?key (is )?(not valid|invalid|missing|expired)|unauthori[sz]ed"
    r"|permission_denied|authentication",
    re.I,
)
OVERLOADED = re.compile(
    RATE.pattern + r"|overloaded|over capacity|at capacity|loading|busy|try again|unavailable|queue (is )?full|resource_?exhausted|no slot"
    r"|warming up|starting",
    re.I,
)
# Reasons why a choice ended, in lower case.
ENDED = {"", "stop", "end_turn", "eos", "eos_token", "stop_sequence", "tool_calls", "function_call", "length", "max_tokens", "model_length"}
LIMIT = {"length", "max_tokens", "model_length"}
WITHHELD = {"content_filter", "safety", "recitation", "prohibited_content", "blocklist", "spii", "sensitive", "refusal", "image_safety"}
LACKING = {"insufficient_system_resource"}
REASONING = ("reasoning_content", "reasoning", "thinking", "reasoning_details")  # fields of a message
REASONING_PARTS = {"thinking", "reasoning", "redacted_thinking", "reasoning_content", "summary_text"}
TEXT_PARTS = {"text", "output_text"}
WORD_KEYS = (
    "message",
    "detail",
    "error_description",
    "msg",
    "error_msg",
    "errormessage",
    "status_msg",
    "description",
    "title",
    "reason",
    "error",
    "raw",
)
CODE_KEYS = ("code", "type", "status", "error_type", "error_code", "status_code", "blockreason")


def read(status: int, body: bytes, max_tokens: int) -> Reply:
    """The reply in an answer. status: of HTTP. max_tokens: what was asked for at most. Raises Trouble.

    `full` is set where the context has no room left, and where the limit of tokens is used up before any text came.
    """
    document = _document(status, body)
    errors = list(_errors(document)) if status < 400 else [document]
    if errors:
        words, codes = _words(errors[0]), " ".join(map(str, _codes(errors[0])))
        return _refused(status, words or _plain(body), codes, max_tokens)
    return _choice(_field(document, "choices"), max_tokens)


def _document(status: int, body: bytes) -> Any:
    """The JSON of the body; the text of an error that is none. Raises Trouble."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if status >= 400:
            return _plain(body)
        raise Trouble(Kind.unreadable, f"not UTF-8: byte 0x{body[error.start]:02x} at {error.start}") from None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        if status >= 400:
            return _plain(body)
        raise Trouble(Kind.unreadable, f"{_kind_of_text(text)}, allowed: a chat completion as JSON") from None


def _kind_of_text(text: str) -> str:
    """What a text that is no JSON looks like, with its first words."""
    start = text.lstrip()[:200]
    if not start:
        return "an empty answer"
    if start.startswith("<"):
        return f"a page of HTML or XML ({_plain(text.encode())})"
    if re.match(r"(data|event|id|retry):", start):
        return f"a stream of events, though none was asked for ({_one_line(start)})"
    return f"no JSON ({_one_line(start)})"


def _errors(document: Any) -> Iterator[Any]:
    """The errors in the answer to a request that succeeded by its status."""
    if isinstance(document, list):  # Gemini wraps its errors in a list
        for item in document:
            yield from _errors(item)
    if not isinstance(document, Mapping):
        return
    if document.get("error") or document.get("errors"):
        yield document.get("error") or document["errors"]
    elif not document.get("choices") and (_words(document) or document.get("object") == "error"):
        yield document  # {"object": "error", "message": ...}, {"detail": ...}, {"base_resp": {"status_msg": ...}}
    for choice in document["choices"] if isinstance(document.get("choices"), list) else ():
        if isinstance(choice, Mapping) and choice.get("error"):
            yield choice["error"]


def _refused(status: int, words: str, codes: str, max_tokens: int) -> Reply:
    """A context without room or a used up limit as a Reply. Raises Trouble for every other error. codes: its fixed words and numbers."""
    text = f"{codes} {words}"
    numbers = [int(found) for found in re.findall(r"(?<!\S)[345]\d\d(?!\S)", codes)]
    code = status if status >= 400 else next(iter(numbers), 0)
    said = f"http {status}: {words}" if status >= 400 else words
    rated = RATE.search(text) is not None
    if code not in (401, 402, 403, 407) and not rated:
        if CONTEXT.search(text):
            return Reply("", full=True, reason=f"{FULL_CONTEXT}: {_one_line(words)}")
        if NO_TEXT_WITHIN_LIMIT.search(text):
            return _without_text_at_limit(max_tokens, 0)
    raise Trouble(_kind(code, text), _one_line(said))


def _kind(code: int, text: str) -> Kind:
    if code == 402 or CREDIT.search(text):
        return Kind.credit
    if code in (401, 403, 407):
        return Kind.denied
    if code in (408, 409, 425):
        return Kind.failed
    if code in (429, 503, 529):
        return Kind.overloaded
    if code >= 500:
        return Kind.failed
    if FILTERED.search(text):
        return Kind.filtered
    if RATE.search(text):
        return Kind.overloaded
    if DENIED.search(text):
        return Kind.denied
    if code >= 300:
        return Kind.rejected
    return Kind.overloaded if OVERLOADED.search(text) else Kind.failed


def _choice(choices: Any, max_tokens: int) -> Reply:
    """The reply in the first choice. Raises Trouble."""
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], Mapping):
        raise Trouble(Kind.unreadable, f"choices: found {_shown(choices)}, allowed: a list with a choice in it")
    choice = choices[0]
    ended = choice.get("finish_reason") or ""
    ended = str(ended.get("type", ended) if isinstance(ended, Mapping) else ended)
    how = ended.lower().replace(" ", "_").rpartition(":")[2].strip("_")
    if how in WITHHELD:
        raise Trouble(Kind.filtered, f"finish_reason {ended}")
    if how in LACKING:
        raise Trouble(Kind.overloaded, f"finish_reason {ended}")
    if how in ("error", "abort", "aborted"):
        raise Trouble(Kind.failed, _one_line(f"finish_reason {ended} {_words(choice.get('finish_reason'))}".strip()))
    message = choice.get("message")
    if not isinstance(message, Mapping):
        raise Trouble(Kind.unreadable, f"choices[0].message: found {_shown(message)}, allowed: an object with content")
    found = _content(message.get("content"))
    if any("\ud800" <= letter <= "\udfff" for letter in found.text):
        raise Trouble(Kind.unreadable, "choices[0].message.content: half of a character (a lone surrogate)")
    if found.text.strip():
        return Reply(found.text, cut=how in LIMIT)
    reasoning = found.reasoning + sum(_length(message.get(name)) for name in REASONING)
    if refusal := _words(message.get("refusal")) or found.refusal:
        return Reply("", reason=f"the model refused: {_one_line(refusal)}")
    if how in LIMIT:
        return _without_text_at_limit(max_tokens, reasoning)
    if message.get("tool_calls") or message.get("function_call") or found.calls_tool:
        return Reply("", reason="a tool call and no text; no tool is offered")
    if how not in ENDED:
        raise Trouble(Kind.failed, _one_line(f"no text, finish_reason {ended}"))
    return Reply("", reason=f"{reasoning} characters of reasoning and no text" if reasoning else "")


def _without_text_at_limit(max_tokens: int, reasoning: int) -> Reply:
    used = f": {reasoning} characters of reasoning used them up" if reasoning else ""
    return Reply("", full=True, cut=True, reason=f"no text within max_tokens={max_tokens}{used}; allow more tokens for a reply")


@dataclass(frozen=True)
class Content:
    """The content of a message. text: of its parts, joined by newlines as the parts of a prompt are. reasoning: characters."""

    text: str
    reasoning: int = 0
    refusal: str = ""
    calls_tool: bool = False


def _content(content: Any) -> Content:
    """Raises Trouble for what is no text, null or list of known parts."""
    if content is None or isinstance(content, str):
        return Content(content or "")
    if not isinstance(content, list):
        raise Trouble(Kind.unreadable, f"choices[0].message.content: found {_shown(content)}, allowed: text, null, a list of parts")
    texts, reasoning, refusal, calls_tool = [], 0, "", False
    for number, part in enumerate(content):
        kind = part.get("type", "text") if isinstance(part, Mapping) else ""
        if isinstance(part, str):
            texts.append(part)
        elif kind in TEXT_PARTS and isinstance(part.get("text") or "", str):
            texts.append(part.get("text") or "")
        elif kind in REASONING_PARTS:
            reasoning += _length({name: value for name, value in part.items() if name != "type"})
        elif kind == "refusal":
            refusal = refusal or _words(part.get("refusal"))
        elif kind in ("tool_use", "tool_call", "function_call"):
            calls_tool = True
        elif kind != "reference":  # Mistral's, to a document: it has no text
            raise Trouble(Kind.unreadable, f"choices[0].message.content[{number}]: found {_shown(part)}, allowed: a part of text")
    return Content(joined_parts(texts), reasoning, refusal, calls_tool)


def _length(value: Any) -> int:
    """Characters of text in nested values; the keys and the fixed words under `type` are not counted."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, Mapping):
        return sum(_length(item) for name, item in value.items() if name not in ("type", "format", "id", "signature"))
    return sum(map(_length, value)) if isinstance(value, Sequence) else 0


def _words(error: Any, depth: int = 0) -> str:
    """What a person can read in an error, whatever its shape."""
    if isinstance(error, str):
        return _inner(error, depth)
    if depth > 5:
        return ""
    if isinstance(error, list):
        return "; ".join(filter(None, (_words(item, depth + 1) for item in error[:3])))
    if not isinstance(error, Mapping):
        return ""
    fields = {str(name).lower(): value for name, value in error.items()}
    found = next((words for name in WORD_KEYS if (words := _words(fields.get(name), depth + 1))), "")
    inside = [
        _words(value, depth + 1)
        for name in ("metadata", "base_resp", "fault", "innererror")
        if isinstance(value := fields.get(name), Mapping)
    ]
    place = ".".join(map(str, where[1:])) if isinstance(where := fields.get("loc"), list) else ""  # FastAPI's: ["body", "seed"]
    return "; ".join(dict.fromkeys(filter(None, [f"{place}: {found}" if place and found else found, *inside])))


def _inner(text: str, depth: int) -> str:
    """The words in an error that a proxy of models hands on as JSON in a string; any other text as it is."""
    if text.lstrip()[:1] in ("{", "[") and depth <= 5:
        try:
            return _words(json.loads(text), depth + 1) or text
        except (ValueError, RecursionError):
            return text
    return text


def _codes(error: Any, depth: int = 0) -> Iterator[Any]:
    """The fixed words and the numbers that an error has beside its text, the outermost first."""
    if isinstance(error, list) and depth <= 5:
        for item in error[:3]:
            yield from _codes(item, depth + 1)
    if not isinstance(error, Mapping) or depth > 5:
        return
    for name, value in error.items():
        if str(name).lower() in CODE_KEYS and isinstance(value, str | int) and not isinstance(value, bool):
            yield value
    for value in error.values():
        if isinstance(value, Mapping | list):
            yield from _codes(value, depth + 1)


def _field(document: Any, name: str) -> Any:
    if not isinstance(document, Mapping):
        raise Trouble(Kind.unreadable, f"found {_shown(document)}, allowed: a chat completion as JSON")
    return document.get(name)


def _plain(body: bytes) -> str:
    """The text of a page: its title, or its words without tags."""
    text = body.decode("utf-8", "replace")
    title = re.search(r"<title[^>]*>(.*?)</title>", text[:20000], re.I | re.S)
    return _one_line(title[1] if title else re.sub(r"<(script|style).*?</\1>|<[^>]*>", " ", text[:20000], flags=re.I | re.S))


def _one_line(text: str) -> str:
    """The text in one line without control characters, at most MAX_WORDS long."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text[: 8 * MAX_WORDS]).split())
    return line if len(line) <= MAX_WORDS else f"{line[: MAX_WORDS - 3]}..."


def _shown(value: Any) -> str:
    """A value for a message: its first characters as JSON."""
    if value is None:
        return "nothing"
    text = _one_line(json.dumps(value)[:400])
    return text if len(text) <= 80 else f"{text[:77]}..."
