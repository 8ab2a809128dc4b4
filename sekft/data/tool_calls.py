"""Tool calls in gptme's logs: fenced blocks, XML elements and `@tool(id): {...}`, and an episode at a prompt made of those to the shell."""

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
class Call:
    tool: str
    text: str  # of the shell: its command
    start: int


def calls(content: str) -> list[Call]:
    """In the order of the text, in any of the three encodings."""
    found = [Call(match[1], match[3].strip("\n"), match.start()) for match in FENCED.finditer(content)]
    found += [Call(match[1], match[3].strip(), match.start()) for match in XML.finditer(content)]
    found += _native(content)
    return sorted(found, key=lambda call: call.start)


def _native(content: str) -> Iterator[Call]:
    """The arguments are one JSON object, which may hold braces and run over lines."""
    for match in NATIVE.finditer(content):
        for end in (closing.end() for closing in re.finditer(r"\}", content[match.end() :])):
            try:
                arguments = from_json(content[match.end() : match.end() + end])
            except ValueError:
                continue
            yield Call(match[1], str(arguments.get("command", arguments.get("code", ""))), match.start())
            break


def to_episode(turns: Sequence[tuple[Role, str]], stats: ReadStats) -> list[tuple[Role, str]]:
    """An episode at a prompt: what was asked for, the commands, what they printed. It ends before the first call of another tool.

    Prose around commands goes; so does an answer without a command, and what follows it up to the next one.
    """
    episode: list[tuple[Role, str]] = []
    for role, content in turns:
        if role != "assistant":
            episode.append(("user", environment_turn(_printed(content), "ready")))
            continue
        made = calls(content)
        if others := [call.tool for call in made if call.tool not in SHELL]:
            stats.change(f"cut at a call of {others[0]}")
            break
        if made:
            episode.append(("assistant", "\n".join(call.text for call in made)))
        else:
            stats.change("answers without a command left out")
    return episode


def _printed(content: str) -> str:
    """Of a report of what a command did, what it printed."""
    if not content.startswith(("Ran ", "Executed ")):
        return content
    blocks = [match[1] for match in OUTPUT.finditer(content)]
    return "\n".join(blocks[1:] if len(blocks) > 1 and "```bash" in content else blocks)
