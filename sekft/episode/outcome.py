"""The outcome of an episode, and whether its trajectory is kept as training data."""

from collections.abc import Sequence

from sekft.episode.trajectory import Command, Ending, Outcome
from sekft.scenario.document import Terminal

RAN_OUT = frozenset({Ending.turn_limit, Ending.token_limit, Ending.gone, Ending.lost})


def is_prose(text: str, output: str) -> bool:
    """Whether a reply is prose: it has a code fence, or a line of more than three words that the shell could not run.

    text: what was typed; output: what the shell printed after it.
    """
    if "```" in text:
        return True
    errors = [line for line in output.splitlines() if line.startswith("sh: ")]
    misread = any("yntax error" in line for line in errors)
    wordy = [line.split() for line in text.splitlines() if len(line.split()) > 3]
    return any(misread or f"sh: {words[0]}: not found" in errors for words in wordy)


def classify(ending: Ending, checked: bool | None, clean: bool, terminal: Terminal) -> Outcome:
    """The first outcome that applies, in the order of Outcome. checked: the checker's result; terminal: the scenario's right ending."""
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


def is_kept(outcome: Outcome) -> bool:
    """The keep rule: right terminal, checker passes, clean."""
    return outcome in (Outcome.verified, Outcome.justified_panic)


def operated(commands: Sequence[Command], clean: bool) -> bool:
    """Whether the agent ran at least one command other than exit or panic, and no prose."""
    leaving = tuple(terminal.value for terminal in Terminal)
    return clean and any(command.text.split()[:1] and command.text.split()[0] not in leaving for command in commands)
