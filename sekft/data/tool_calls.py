"""What gptme executed: shell calls of its logs, and its reports of them, as an episode at a prompt.

gptme reports every command that it ran ("Ran command: `ls`") and the report is what decides: a command is taken only if a report names it,
an output only if it is the whole of what the report holds. A call is a fenced block, an XML element, or `@tool(id): {...}`. Which line
closes a fence depends on gptme's version where a command holds fences itself, so each line that may close it is tried against the report.
A command cut short in the report (`first line... (9 lines)`) must agree in its first line and the number of its lines.
What cannot be told ends the episode, and is counted.
"""

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic_core import from_json

from sekft.data.conversation import Turn
from sekft.data.reader import ReadStats
from sekft.episode.syntax import parse
from sekft.sandbox.text import environment_turn

SHELL = frozenset({"bash", "sh", "shell"})
TOOLS = frozenset(
    {
        "append", "browser", "chats", "choice", "clarify", "complete", "computer", "elicit", "form", "gh", "hashline_edit", "ipython",
        "mcp", "memory", "morph", "patch", "patch_many", "progress", "py", "rag", "read", "request_tool_change", "restart", "save",
        "screenshot", "shell", "subagent", "tmux", "todo", "vent", "vision", "watch", "youtube",
    }
)  # fmt: skip
NO_TOOLS = frozenset(
    {"console", "csv", "diff", "html", "json", "markdown", "md", "output", "result", "stderr", "stdout", "text", "txt", "xml"}
)  # languages of quotations
MAX_ENDS = 50  # lines that may close a block and are tried
THOUGHT = re.compile(r"\A.*</think(?:ing)?>", re.S)
OPEN_THOUGHT = re.compile(r"^<think(?:ing)?>.*\Z", re.M | re.S)
FENCE = re.compile(r"(`{3,})([^`]*)")
NATIVE = re.compile(r"^@([^\s(]+)\(([\w:.-]+)\):\s*(?=\{)", re.M)
XML = re.compile(r"<tool-use>\s*<([\w-]+)\b[^>]*>(.*?)</\1>\s*</tool-use>|<invoke name=\"([\w-]+)\">(.*?)</invoke>", re.S)
RAN = re.compile(r"Ran (?:allowlisted )?command(?=:)")
NOT_ENDED = re.compile(r"(?:Command (?:timed out|interrupted|killed)|Promoted to background|Started background)\b")
ECHO = re.compile(r":[ \t\n]*`([^\n]*)`[ \t]*(?:\n|\Z)")
SHORTENED = re.compile(r"(.*)\.\.\. \((\d+) lines?\)")
SHOWN = 80  # characters of the first line in a report that is cut short
NOTHING = re.compile(r"No output\b")
BLOCK = r"`[^`\n]+`[ \t]*|(?P<{0}>`{{3,}})(?:stdout|stderr)?\n.*\n(?P={0})[ \t]*"
END = r"\n*(?:Return code: -?\d+\s*)?\Z"
ONE_BLOCK = re.compile(rf"(?:{BLOCK.format('fence')}){END}", re.S)
CUT_OUTPUT = re.compile(r"^(?:\.\.\. \(.*truncated.*\) \.\.\.|\[output truncated at .*\])$", re.M)


@dataclass(frozen=True)
class ToolCall:
    """A call in an answer. texts: its argument, of a shell the command, as (text, end in the answer); the likeliest first."""

    tool: str
    start: int
    texts: tuple[tuple[str, int], ...]

    @property
    def text(self) -> str:
        return self.texts[0][0]

    @property
    def end(self) -> int:
        return self.texts[0][1]


def find_tool_calls(content: str, any_block: bool = False) -> list[ToolCall]:
    """The tool calls of an answer in any of the three encodings, in the order of the text; those in a thought are none.

    any_block: a fenced block of any language counts, as of a tool that is not known here.
    """
    content = spoken(content)
    calls: list[ToolCall] = []
    at = 0
    while (call := _next_call(content, at, any_block)) is not None:
        calls.append(call)
        at = call.end
    return calls


def spoken(content: str) -> str:
    """The content without its thoughts."""
    return OPEN_THOUGHT.sub("", THOUGHT.sub("", content.replace("\r\n", "\n")))


def to_episode(turns: Sequence[Turn], stats: ReadStats) -> list[Turn]:
    """The turns as an episode at a prompt: the request, then commands and their output.

    It ends before what was not a command that ran to its end in the shell, and after a command whose output cannot be told. Prose around
    commands is dropped; so are answers without a command, and messages of gptme that report no command.
    """
    episode: list[Turn] = []
    screen: list[str] = []  # what is shown before the next command
    for answer, following in _answers(turns):
        if answer is None:
            screen += [turn.text for turn in following]
            continue
        reports = [turn.text for turn in following if turn.role == "system" and (RAN.match(turn.text) or NOT_ENDED.match(turn.text))]
        notes = sum(turn.role == "system" for turn in following) - len(reports)
        found = list(_executed(spoken(answer.text), reports, notes > 0))
        for command, output in found:
            if isinstance(command, str):
                episode += [Turn("user", environment_turn(_lines(screen), "ready")), Turn("assistant", command)]
                screen = [] if output is None else [output]
            if output is None:
                stats.count_change(command.reason if isinstance(command, End) else "ended after an output that is not whole")
                return episode
        stats.count_change("messages of gptme itself dropped", notes)
        stats.count_change("answers without a command dropped", not found)
        screen += [turn.text for turn in following if turn.role == "user"]
    return episode


@dataclass(frozen=True)
class End:
    """Why an episode ends before the next command."""

    reason: str


def _answers(turns: Sequence[Turn]) -> Iterator[tuple[Turn | None, list[Turn]]]:
    """(answer, the turns up to the next one) of every answer; before the first one the answer is None."""
    answer: Turn | None = None
    following: list[Turn] = []
    for turn in turns:
        if turn.role == "assistant":
            yield answer, following
            answer, following = turn, []
        else:
            following.append(turn)
    yield answer, following


def _executed(content: str, reports: Sequence[str], has_notes: bool) -> Iterator[tuple[str | End, str | None]]:
    """(command, output) of every command of an answer that ran; an output of None is the end of the episode, after or instead of it."""
    at = 0
    for report in reports:
        call = _next_call(content, at, has_notes)
        if call is None or call.tool not in SHELL:
            yield End(f"ended before a call of {call.tool}" if call else "ended before a command that the answer does not hold"), None
            return
        if not RAN.match(report):
            yield End("ended before a command that did not run to its end"), None
            return
        told = _told(call, report)
        if told is None:
            yield End("ended before a command whose report is of another one"), None
            return
        command, at, body = told
        output = _output(body)
        yield command, output
        if output is None:
            return
    call = _next_call(content, at, has_notes)
    if call is not None:
        yield End("ended before a command that was not run" if call.tool in SHELL else f"ended before a call of {call.tool}"), None


def _told(call: ToolCall, report: str) -> tuple[str, int, str] | None:
    """(command, its end in the answer, the report's text behind it) of the reading of a call that the report names; None without one."""
    rest = RAN.sub("", report, count=1)
    for counted in (0, 1):  # versions of gptme count lines, or line ends
        for text, end in call.texts:
            lines = text.count("\n") + 1
            short = f"{text.split(chr(10))[0][:SHOWN]}... ({lines - counted} line"
            for shown, tail in ((text, ""), (short, r"s?\)")):
                pattern = re.escape(shown) + tail
                named = re.match(rf":[ \t\n]*(?:`{pattern}`|(?P<fence>`{{3,}})\w*\n{pattern}\n(?P=fence))[ \t]*(?:\n|\Z)", rest)
                if named and text.strip() and not (tail and parse(text).rest):  # a here-document without its end was not run
                    return text.strip(), end, rest[named.end() :]
    echo = ECHO.match(rest)  # the command as a person edited it before it ran
    if echo and echo[1].strip() and not SHORTENED.fullmatch(echo[1]) and len(call.texts) == 1:
        return echo[1].strip(), call.end, rest[echo.end() :]
    return None


def _output(body: str) -> str | None:
    """What a command printed, from the text of its report behind the command; None if that cannot be told."""
    body = body.strip("\n")
    if NOTHING.match(body) or not re.sub(END, "", body):
        return ""
    blocks = [body] if ONE_BLOCK.fullmatch(body) else []
    seams = [seam for seam in re.finditer(r"(?<=`)\n\n(?=`)", body) if _is_pair(body[: seam.start()], body[seam.end() :])]
    if marked := [seam for seam in seams if re.match(r"`{3,}stderr\n", body[seam.end() :])]:
        seams = marked
    elif blocks:
        seams = []
    if len(seams) > 1 or not (blocks or seams):
        return None
    if seams:
        blocks = [body[: seams[0].start()], body[seams[0].end() :]]
    output = _lines([_inside(block) for block in blocks])
    return None if CUT_OUTPUT.search(output) else output


def _is_pair(first: str, second: str) -> bool:
    return re.search(r"Return code: -?\d+\s*\Z", first) is None and bool(ONE_BLOCK.fullmatch(first) and ONE_BLOCK.fullmatch(second))


def _inside(block: str) -> str:
    """The text of a block in a report: a fenced one, or one line between backticks."""
    block = re.sub(END, "", block).rstrip(" \t")
    fence = FENCE.match(block)
    return block[block.index("\n") + 1 : block.rindex("\n")] if fence and "\n" in block else block[1:-1]


def _lines(texts: Sequence[str]) -> str:
    """The texts one below the other."""
    return "".join(text if at == len(texts) - 1 or text.endswith("\n") or not text else f"{text}\n" for at, text in enumerate(texts))


def _next_call(content: str, at: int, any_block: bool) -> ToolCall | None:
    """The first call of an answer from a character on."""
    found = [call for call in (_next_fenced(content, at, any_block), _next_native(content, at), _next_xml(content, at)) if call]
    return min(found, key=lambda call: call.start, default=None)


def _next_fenced(content: str, at: int, any_block: bool) -> ToolCall | None:
    """The first fenced block of a tool that starts a line; blocks of other languages are passed over, with what they quote."""
    lines = _line_starts(content)
    number = next((number for number, start in enumerate(lines) if start >= at), len(lines))
    texts = content.split("\n")
    while number < len(texts):
        fence = FENCE.fullmatch(texts[number])
        tag = fence[2].split()[0] if fence and fence[2].strip() else ""
        ends = [end for end in range(number + 1, len(texts)) if texts[end].rstrip() == fence[1]][:MAX_ENDS] if fence else []
        if not fence or not ends:
            number += 1
            continue
        bodies = [("\n".join(texts[number + 1 : end]), min(lines[end] + len(texts[end]) + 1, len(content))) for end in ends]
        if tag in SHELL:
            commands = [(text.strip().removeprefix("$ "), end) for text, end in bodies]
            whole = next((place for place, (text, _) in enumerate(commands) if not parse(text).rest), 0)
            return ToolCall("shell", lines[number], (commands[whole], *commands[:whole], *commands[whole + 1 :]))
        closing = _closing(texts, number, ends)
        if tag in TOOLS or (any_block and tag and tag not in NO_TOOLS):
            return ToolCall(tag, lines[number], (bodies[ends.index(closing)],))
        number = closing + 1
    return None


def _closing(texts: Sequence[str], opening: int, ends: Sequence[int]) -> int:
    """The line that closes a block which may quote further blocks with as many backticks; the first that may, if none fits."""
    marks = texts[ends[0]].rstrip()
    depth = 1
    for number in range(opening + 1, len(texts)):
        if number in ends:
            depth -= 1
        elif texts[number].startswith(marks) and FENCE.fullmatch(texts[number]) and not texts[number].startswith(f"{marks}`"):
            depth += 1
        if not depth:
            return number
    return ends[0]


def _line_starts(content: str) -> list[int]:
    return [0, *(match.end() for match in re.finditer("\n", content))]


def _fenced_spans(content: str) -> list[tuple[int, int]]:
    """The characters of every fenced block, up to the first line that may close it."""
    spans: list[tuple[int, int]] = []
    for match in re.finditer(r"^(`{3,})[^`\n]*\n(?:.*?\n)??\1[ \t]*$", content, re.M | re.S):
        spans.append(match.span())
    return spans


def _next_native(content: str, at: int) -> ToolCall | None:
    """The first `@tool(id): {...}` outside of fenced blocks. The arguments are one JSON object, which may hold braces and span lines."""
    if "@" not in content:
        return None
    spans = _fenced_spans(content)
    for match in NATIVE.finditer(content, at):
        if any(start <= match.start() < end for start, end in spans):
            continue
        for brace in re.finditer(r"\}", content[match.end() :]):
            end = match.end() + brace.end()
            try:
                arguments = from_json(content[match.end() : end])
            except ValueError:
                continue
            tool = "shell" if match[1] in SHELL else match[1]
            return ToolCall(tool, match.start(), ((str(arguments.get("command", arguments.get("code", ""))), end),))
    return None


def _next_xml(content: str, at: int) -> ToolCall | None:
    """The first XML element of a call; its text may hold entities."""
    match = XML.search(content, at) if "<" in content else None
    if match is None:
        return None
    tool, text = (match[1], match[2]) if match[1] else (match[3], match[4])
    plain, escaped = html.unescape(text).strip(), text.strip()
    texts = tuple((one, match.end()) for one in dict.fromkeys((plain, escaped)))
    return ToolCall("shell" if tool in SHELL else tool, match.start(), texts)
