"""Whether a reply operates the shell or is prose, judged by what the shell was given and what it answered.

The shell decides whether a command ran: it names the words that it could not find, the lines that it could not parse, and whether it
waits for more. How a command reads decides only among those that did not run: one that reads like a sentence, like markup or like a
screen is prose, any other an attempt, such as a misspelt command. A command that ran is prose only if its arguments are a sentence.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sekft.episode.syntax import ShellText, SimpleCommand, parse
from sekft.rendering.messages import Message
from sekft.sandbox.text import CONTINUATION


class Kind(StrEnum):
    """What a reply was to the shell.

    command: a command ran; attempt: none ran, and none of the text is prose; waiting: the shell waits for the rest of a command;
    leaving: exit or panic alone; prose: text that is not addressed to the shell; mixed: prose, and a command that ran.
    """

    command = "command"
    attempt = "attempt"
    waiting = "waiting"
    leaving = "leaving"
    prose = "prose"
    mixed = "mixed"


PROSE = frozenset((Kind.prose, Kind.mixed))
LEAVING = frozenset(("exit", "panic"))
TEXT_COMMANDS = frozenset(("echo", "printf", ":"))  # their arguments are text by nature
# The closed classes of English words, without those that are also shell words (for, if, in, do, while, then, until, case) or names (a).
_FUNCTION_WORDS = """
    the an this that these those it its i im ive ill id me my mine we us our you your yours youre he she him her his they them their
    is are was were be been being am isnt arent wasnt can cant could couldnt will wont would wouldnt should shall may might must have
    has had havent hasnt does doesnt did didnt dont not no of to and or but so because as at by from into with without about on there
    here what which who whom whose how why when where please sorry sure yes hello hi thanks thank let lets heres theres
"""
FUNCTION_WORDS = frozenset(_FUNCTION_WORDS.split())
_PROGRAM = re.compile(
    r"(?:(?!\d+[.)]?$)[\w./~](?:[\w./~+*?:@,%=\[\]-]*[\w./~+*?\]-])?:?$|[$`](?!\d+[.,\d])[\w({`])", re.ASCII
)  # could name a program
_OPTION = re.compile(r"-{1,2}[a-zA-Z0-9]")
_PUNCTUATED = re.compile(r"[^\W\d_]{2,}['\"*_)]*[.,;:!?]+['\"*_)]*")  # a word with a mark behind it, as in a sentence
_UNPARSED = re.compile(r"^(?:.*: )?(?:\d+: )?(?:[Ss]yntax error|Bad substitution|unexpected EOF)", re.MULTILINE)
_NOT_RUN = r": (?:(?:command )?not found|Permission denied|File name too long|Is a directory)$"


class Verdict(StrEnum):
    """What the shell did with a simple command. unknown: its answer was not recorded."""

    ran = "ran"
    missing = "missing"
    unparsed = "unparsed"
    skipped = "skipped"
    waiting = "waiting"
    unknown = "unknown"


@dataclass(frozen=True)
class Judgement:
    """kind: of the reply. pending: the text that the shell has read and not run, because it waits for more."""

    kind: Kind
    pending: str = ""


def kinds(messages: Sequence[Message], last_output: str | None = None) -> tuple[Kind, ...]:
    """The kind of every reply of an episode. last_output: what the shell printed after a reply that ended it; None: not recorded."""
    return tuple(judgement.kind for judgement in _judgements(messages, last_output))


def _judgements(messages: Sequence[Message], last_output: str | None) -> Iterator[Judgement]:
    pending = ""
    for at, message in enumerate(messages):
        if message.role == "assistant":
            shown = messages[at + 1].content if at + 1 < len(messages) else None
            judgement = judge(message.content, last_output if shown is None else shown, pending, (shown or "").endswith(CONTINUATION))
            pending = judgement.pending
            yield judgement


def judge(text: str, output: str | None, pending: str = "", waits: bool = False) -> Judgement:
    """Judge one reply.

    output: what the shell printed after it, None if that is unknown. pending: what the shell had read before and not run. waits: whether
    it waits for more.
    """
    parsed = parse(f"{pending}{text}")
    rest = f"{(parsed.rest or f'{pending}{text}').removesuffix(chr(10))}\n" if waits else ""
    verdicts = list(_verdicts(parsed, output, waits))
    pairs = list(zip(parsed.commands, verdicts, strict=True))
    run = [command for command, verdict in pairs if verdict in (Verdict.ran, Verdict.unknown)]
    left = any(_leaves(command) for command in run)
    ran = not all(_leaves(command) for command in run)
    prose = parsed.fenced or any(_is_prose(command, verdict) for command, verdict in pairs) or not (pairs or waits)
    several = len({command.group for command in parsed.commands}) > 1
    if several and all(verdict in (Verdict.missing, Verdict.unparsed) for verdict in verdicts):
        prose = True  # several lines, and the shell could run none of them: an imagined screen, or another language
    if prose:
        return Judgement(Kind.mixed if ran else Kind.prose, rest)
    if ran:
        return Judgement(Kind.command, rest)
    return Judgement(Kind.leaving if left else Kind.waiting if waits else Kind.attempt, rest)


def _verdicts(parsed: ShellText, output: str | None, waits: bool) -> Iterator[Verdict]:
    """What the shell did with each command."""
    last = parsed.commands[-1].group if parsed.commands else 0
    reported = _reports(parsed, output or "")
    unparsed = _unparsed_groups(parsed, reported, len(_UNPARSED.findall(output or "")))
    absent = False  # whether the command before is known to have failed for want of a program
    for command, is_reported in zip(parsed.commands, reported, strict=True):
        if waits and command.group == last:
            yield Verdict.waiting
        elif command.group in unparsed:
            yield Verdict.unparsed
        elif is_reported:
            yield Verdict.missing
        elif absent and command.after == "&&" or command.is_list:
            yield Verdict.skipped
            continue
        elif output is None:
            yield Verdict.unknown
        else:
            yield Verdict.ran
        absent = is_reported


def _reports(parsed: ShellText, output: str) -> list[bool]:
    """Whether the shell names each command as one that it could not run."""
    left = Counter[str]()
    for word in {command.words[0] for command in parsed.commands if command.words}:
        left[word] = len(re.findall(rf"(?:^|: ){re.escape(word)}{_NOT_RUN}", output, re.MULTILINE)) if word else 0
    surplus = len(re.findall(rf"^sh: .*{_NOT_RUN}", output, re.MULTILINE)) - sum(left.values())
    found = []
    for command in parsed.commands:
        word = command.words[0] if command.words else ""
        found.append(left[word] > 0)
        left[word] -= 1
        if word and command.expands and not found[-1] and surplus > 0:  # the shell names the expanded word
            found[-1], surplus = True, surplus - 1
    return found


def _unparsed_groups(parsed: ShellText, reported: Sequence[bool], errors: int) -> frozenset[int]:
    """The groups that the shell refused as a whole: as many as it reported errors, first those that the parser finds odd, too."""
    if not errors:
        return frozenset()
    run = {command.group for command, is_reported in zip(parsed.commands, reported, strict=True) if is_reported}
    groups = [group for group in dict.fromkeys(command.group for command in parsed.commands) if group not in run]
    return frozenset(sorted(groups, key=lambda group: group not in parsed.compound)[:errors])


def _leaves(command: SimpleCommand) -> bool:
    return bool(command.words) and command.words[0] in LEAVING


def _is_prose(command: SimpleCommand, verdict: Verdict) -> bool:
    word = command.words[0] if command.words else ""
    tokens = command.plain.split()
    if word in TEXT_COMMANDS or (tokens and _bare(tokens[0]) in LEAVING):  # "panic: no such file" is a misspelt ending
        return False
    if word and any(letter.isspace() for letter in word):  # a quotation is the command word: judge what is in it
        tokens = word.split()
    functions = sum(_bare(token) in FUNCTION_WORDS for token in tokens)
    options = any(map(_OPTION.match, tokens))
    if verdict in (Verdict.ran, Verdict.skipped):
        return functions >= 2 and len(tokens) >= 5 and not options
    first = tokens[0].lstrip("({!\"'") if tokens else ""
    if len(tokens) == 1 and _bare(first) and first[:1].islower():
        return False  # a single word: "exit.", "help?"
    named = verdict is Verdict.missing or (verdict is Verdict.unparsed and not command.after)  # an odd word may be inside parentheses
    if named and not _PROGRAM.match(first):
        return True  # "1.", "-", "**Note:**", "Sure,", "$", "user@host:~$"
    return (
        command.apostrophe
        or functions >= 2
        or (first[:1].isupper() and len(tokens) > 1 and not options)
        or (len(tokens) >= 3 and any(map(_PUNCTUATED.fullmatch, tokens)))
        or (len(tokens) >= 5 and functions >= 1 and not options)
    )


def _bare(token: str) -> str:
    """The letters of a token, in lower case."""
    return re.sub(r"[^a-z]", "", token.lower().replace("’", ""))
