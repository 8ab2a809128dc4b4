"""What an episode amounts to: the first outcome that applies, and whether it is worth learning from."""

from collections.abc import Sequence

from sekft.episode.trajectory import Command, Ending, Outcome
from sekft.scenario.document import Terminal

RAN_OUT = frozenset({Ending.turn_limit, Ending.token_limit, Ending.gone, Ending.lost})


def is_prose(text: str, output: str) -> bool:
    """A code fence, or a line of more than three words that the shell could not take for a command."""
    if "```" in text:
        return True
    complaints = [line for line in output.splitlines() if line.startswith("sh: ")]
    misread = any("yntax error" in line for line in complaints)
    wordy = [line.split() for line in text.splitlines() if len(line.split()) > 3]
    return any(misread or f"sh: {words[0]}: not found" in complaints for words in wordy)


def outcome(ending: Ending, checked: bool | None, clean: bool, terminal: Terminal) -> Outcome:
    right = ending.value == terminal.value
    if ending is Ending.broken:
        return Outcome.broken
    if ending is Ending.silent:
        return Outcome.silent
    if ending in RAN_OUT:
        return Outcome.ran_out
    if not clean:
        return Outcome.prose
    if ending is Ending.panic:
        return Outcome.justified_panic if right and checked else Outcome.false_panic
    return Outcome.verified if right and checked else Outcome.false_exit


def kept(result: Outcome) -> bool:
    """The keep rule: right terminal, checker passes, clean."""
    return result in (Outcome.verified, Outcome.justified_panic)


def operated(commands: Sequence[Command], clean: bool) -> bool:
    """Ran at least one command, other than leaving, and stayed clean."""
    leaving = tuple(terminal.value for terminal in Terminal)
    return clean and any(command.text.split()[:1] and command.text.split()[0] not in leaving for command in commands)
