"""Whether a scenario can be played as its author means it: can the provider be found, started and read, and does the reference use it?

Does not cover: whether its directives can be understood, and whether its checker demands what they say.
"""

import re
import shlex
from collections.abc import Sequence
from pathlib import PurePosixPath

from sekft.episode.agent import Scripted
from sekft.episode.trajectory import Trajectory
from sekft.scenario.document import HOME, Scenario

PROBE = "probe"
SHELLS = ("sh", "dash", "bash")  # they can read a script without running it
_SHEBANG = re.compile(r"#!\s*(\S+)(?:[ \t]+(\S+))?")
_NAME = r"(?<![\w.-]){}(?![\w-])"
_TYPED = r"(?:^|[;&|(`{{!]|\b(?:then|do|else|if|while|until)\b)\s*(?:[A-Za-z_]\w*=\S*\s+)*(?:/usr/local/bin/)?{}(?![\w.-])"


def probe(scenarios: Sequence[Scenario]) -> Scripted:
    """An agent that asks the shell for the provider, and an interpreter whether it can read it."""
    return Scripted(PROBE, {scenario.id: (f"command -v {scenario.provider.name}", _read(scenario), "exit") for scenario in scenarios})


def faults(scenario: Scenario, solved: Trajectory, probed: Trajectory) -> dict[str, str]:
    """What makes the scenario unplayable, by its part: provider, announcement, directives, reference. Empty if nothing does.

    solved, probed: an episode of the reference, and one of probe().
    """
    found = {
        "provider": provider_fault(scenario, probed),
        "announcement": announcement_fault(scenario),
        "reference": reference_fault(scenario),
    }
    found["directives"] = "" if found["provider"] or found["reference"] else directives_fault(scenario, solved)
    return {part: fault for part, fault in found.items() if fault}


def provider_fault(scenario: Scenario, probed: Trajectory) -> str:
    file, name = _file(scenario), scenario.provider.name
    outputs = [message.content for message in probed.messages if message.role == "user"][1:]
    where = outputs[0].splitlines()[0] if outputs else ""
    if where != file:
        return f"the shell does not start {file} for {name}, but {where.removesuffix('$ ') or 'nothing'}; choose another provider.name"
    if len(probed.commands) > 1 and probed.commands[1].status:
        line = outputs[1].removesuffix("$ ").strip().splitlines()
        interpreter = _interpreter(scenario)
        if probed.commands[1].status == 127 or PurePosixPath(interpreter).name not in SHELLS:
            return f"its first line names the interpreter {interpreter}, which the image lacks; allowed: #!/bin/sh"
        return f"its script cannot be read: {line[0] if line else 'a syntax error'}"
    return ""


def announcement_fault(scenario: Scenario) -> str:
    """The announcement must name the provider, or a file on the way to it."""
    name, texts, seen = scenario.provider.name, [scenario.announcement.text], set[str]()
    files = {fixture.path: fixture.content for fixture in scenario.fixtures if fixture.kind == "file"}
    while texts:
        text = texts.pop()
        if re.search(_NAME.format(re.escape(name)), text):
            return ""
        for path, content in files.items():
            if path not in seen and (path in text or re.search(_NAME.format(re.escape(path.removeprefix(f"{HOME}/"))), text)):
                seen.add(path)
                texts.append(content)
    on_the_way = f", nor do the files that it names ({', '.join(sorted(seen))})" if seen else ""
    return f"its text does not name {name}, the provider{on_the_way}: nobody could find it"


def reference_fault(scenario: Scenario) -> str:
    typed = re.compile(_TYPED.format(re.escape(scenario.provider.name)), re.MULTILINE)
    if any(typed.search(reply) for reply in scenario.reference):
        return ""
    return f"no reply runs {scenario.provider.name}, the provider: it knows the directives without having read them"


def directives_fault(scenario: Scenario, solved: Trajectory) -> str:
    shown = _words(" ".join(message.content for message in solved.messages if message.role == "user"))
    for number, directive in enumerate(scenario.directives, 1):
        if _words(directive) not in shown:
            return f"number {number} is never shown to the reference, so that the provider does not print it: {directive[:60]!r}"
    return ""


def _read(scenario: Scenario) -> str:
    """A command that lets the script's interpreter read it, or asks for the interpreter if it cannot do that."""
    interpreter = _interpreter(scenario)
    if PurePosixPath(interpreter).name in SHELLS:
        return f"{shlex.quote(interpreter)} -n {_file(scenario)}"
    return f"command -v {shlex.quote(interpreter)}"


def _interpreter(scenario: Scenario) -> str:
    """The interpreter in the first line of the provider's script; without such a line the shell runs it."""
    found = _SHEBANG.match(scenario.provider.script)
    if not found:
        return "/bin/sh"
    return found[2] if PurePosixPath(found[1]).name == "env" and found[2] else found[1]


def _file(scenario: Scenario) -> str:
    return f"/usr/local/bin/{scenario.provider.name}"


def _words(text: str) -> str:
    return " ".join(text.split())
