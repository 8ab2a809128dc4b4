"""Tool calls in gptme's logs (fenced blocks, XML elements, `@tool(id): {...}`), and shell calls as an episode at a prompt."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic_core import from_json

from sekft.data.conversation import Role
from sekft.data.reader import ReadStats
from sekft.sandbox.text import environment_turn

TOOLS = "append|bash|browser|chats|computer|gh|ipython|morph|patch|python|read|rag|save|screenshot|sh|shell|subagent|tmux|vision|youtube"
SHELL = frozenset({"bash", "sh", "shell"})
FENCED = re.compile(rf"^```({TOOLS})\b([^\n]*)\n(.*?)^```[ \t]*$", re.M | re.S)
NATIVE = re.compile(rf"^@({TOOLS})\(([\w-]*)\):\s*(?=\{{)", re.M)
XML = re.compile(rf"<tool-use>\s*<({TOOLS})\b([^>]*)>(.*?)</\1>\s*</tool-use>", re.S)
OUTPUT = re.compile(r"```(?:stdout|stderr)?\n(.*?)\n?```", re.S)


@dataclass(frozen=True)
class ToolCall:
    tool: str
    text: str  # its argument; of a shell the command
    start: int  # character in the message


def find_tool_calls(content: str) -> list[ToolCall]:
    """The tool calls of a message in any of the three encodings, in the order of the text."""
    found = [ToolCall(match[1], match[3].strip("\n"), match.start()) for match in FENCED.finditer(content)]
    found += [ToolCall(match[1], match[3].strip(), match.start()) for match in XML.finditer(content)]
    found += _native_calls(content)
    return sorted(found, key=lambda call: call.start)


def _native_calls(content: str) -> Iterator[ToolCall]:
    """The `@tool(id): {...}` calls. The arguments are one JSON object, which may hold braces and span lines."""
    for match in NATIVE.finditer(content):
        for end in (brace.end() for brace in re.finditer(r"\}", content[match.end() :])):
            try:
                arguments = from_json(content[match.end() : match.end() + end])
            except ValueError:
                continue
            yield ToolCall(match[1], str(arguments.get("command", arguments.get("code", ""))), match.start())
            break


def to_episode(turns: Sequence[tuple[Role, str]], stats: ReadStats) -> list[tuple[Role, str]]:
    """The turns as an episode at a prompt: the request, then commands and their output. It ends before the first other tool's call.

    Prose around commands is dropped; so are answers without a command.
    """
    episode: list[tuple[Role, str]] = []
    for role, content in turns:
        if role != "assistant":
            episode.append(("user", environment_turn(_output(content), "ready")))
            continue
        calls = find_tool_calls(content)
        if others := [call.tool for call in calls if call.tool not in SHELL]:
            stats.count_change(f"cut at a call of {others[0]}")
            break
        if calls:
            episode.append(("assistant", "\n".join(call.text for call in calls)))
        else:
            stats.count_change("answers without a command dropped")
    return episode


def _output(content: str) -> str:
    """What the command printed, if the message is gptme's report of a command; else the message."""
    if not content.startswith(("Ran ", "Executed ")):
        return content
    blocks = [match[1] for match in OUTPUT.finditer(content)]
    return "\n".join(blocks[1:] if len(blocks) > 1 and "```bash" in content else blocks)
