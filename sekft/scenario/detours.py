"""References with detours: a look around, a wrong guess, a typo, a wrong name, ... Each of them still verifies, without prose."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sekft.config import DEFAULT_DETOURS, Detour
from sekft.scenario import taxonomy
from sekft.scenario.document import HOME, AnnouncementKind, Scenario

Replies = tuple[str, ...]
LOOKS = ("pwd", "ls -a", "ls /srv", "whoami", "ls /usr/local/bin")
TYPOS = {
    "ls": "sl",
    "cat": "cta",
    "man": "mna",
    "printenv": "pritnenv",
    "help": "hlep",
    "mkdir": "mkdri",
    "cp": "pc",
    "mv": "vm",
    "rm": "mr",
}
# commands that fail and change nothing if a file that they name does not exist
READERS = frozenset(
    ("base64", "cat", "chmod", "cp", "cut", "diff", "find", "grep", "head", "mv", "rm", "sed", "sh", "sha256sum", "sort", "tac", "tail",
     "tar", "tr", "uniq", "wc")
)  # fmt: skip
WITH_TARGET = frozenset(("cp", "mv"))  # their last word is a target, which need not exist
MAX_TYPO_WORDS = 3  # words of a mistyped line; kept as it was, because it decides the detours that are drawn


@dataclass(frozen=True)
class Detours:
    """Which references take a detour. share: of the scenarios, 0 to 1, drawn by seed and scenario; kinds: the detours to draw from."""

    share: float = 0.0
    seed: int = 0
    kinds: tuple[Detour, ...] = DEFAULT_DETOURS

    def __str__(self) -> str:
        """A text that differs where the replies may differ; empty without detours."""
        kinds = "" if self.kinds == DEFAULT_DETOURS else "/" + ",".join(self.kinds)
        return f"{self.share}/{self.seed}{kinds}" if self.share else ""


NONE = Detours()


def with_detours(scenario: Scenario, detours: Detours) -> Replies:
    """The scenario's reference; in a share of the scenarios with one detour or two."""
    rng = random.Random(f"{detours.seed}:{scenario.id}:noise")
    if rng.random() >= detours.share:
        return scenario.reference
    replies = scenario.reference
    for kind in rng.sample(detours.kinds, min(rng.choice((1, 1, 2)), len(detours.kinds))):
        if len(replies) + 1 < scenario.limits.turns:
            replies = DETOURS[kind](replies, scenario, rng)
    return replies


def look_around(replies: Replies, scenario: Scenario, rng: random.Random) -> Replies:
    """Prepend a command that looks around."""
    return (rng.choice(LOOKS), *replies)


def guess(replies: Replies, scenario: Scenario, rng: random.Random) -> Replies:
    """Insert a sub-command that the provider lacks; the usage it prints leads back to the right one."""
    known = {word for reply in replies for word in reply.split()}
    wrong = [verb for verb in taxonomy.VERBS if verb not in known and f"  {verb})" not in scenario.provider.script]
    positions = _help_positions(replies, scenario)
    if not wrong or not positions:
        return replies
    return _insert(replies, positions[0], f"{scenario.provider.name} {rng.choice(wrong)}")


def mistype(replies: Replies, scenario: Scenario, rng: random.Random) -> Replies:
    """Insert a line with two letters of its command swapped before the right line."""
    name = scenario.provider.name
    typos = {**TYPOS, name: name[0] + name[2] + name[1] + name[3:]}
    short = [
        position
        for position, reply in enumerate(replies[:-1])
        if (words := reply.split()) and len(words) <= MAX_TYPO_WORDS and typos.get(words[0], words[0]) != words[0] and "\n" not in reply
    ]
    if not short:
        return replies
    position = rng.choice(short)
    command, blank, rest = replies[position].partition(" ")
    return _insert(replies, position, f"{typos[command]}{blank}{rest}")


def read_help_twice(replies: Replies, scenario: Scenario, rng: random.Random) -> Replies:
    """Repeat the last command that reads the help."""
    positions = _help_positions(replies, scenario)
    return _insert(replies, positions[-1], replies[positions[-1]]) if positions else replies


def absent_help(replies: Replies, scenario: Scenario, rng: random.Random) -> Replies:
    """Insert `help` where the shell has no such command; the way to the announcement follows."""
    if scenario.announcement.kind is AnnouncementKind.help:
        return replies
    return _insert(replies, 1 if replies[0] == "ls" else 0, "help")


def wrong_name(replies: Replies, scenario: Scenario, rng: random.Random) -> Replies:
    """Insert a line that names a file wrongly before the right line; in half of the cases with an `ls` between the two."""
    candidates = [(position, word) for position, reply in enumerate(replies[:-1]) for word in _names_read(reply, scenario)]
    if not candidates:
        return replies
    position, name = rng.choice(candidates)
    wrong = replies[position].replace(name, _misspell(name, rng), 1)
    looks = ("ls",) if rng.random() < 0.5 and len(replies) + 2 < scenario.limits.turns else ()
    return (*replies[:position], wrong, *looks, *replies[position:])


DETOURS: Mapping[Detour, Callable[[Replies, Scenario, random.Random], Replies]] = {
    Detour.look_around: look_around,
    Detour.guess: guess,
    Detour.mistype: mistype,
    Detour.read_help_twice: read_help_twice,
    Detour.absent_help: absent_help,
    Detour.wrong_name: wrong_name,
}


def _names_read(reply: str, scenario: Scenario) -> list[str]:
    """The files of the home folder that a line reads or changes, as the line names them, where a wrong name fails and changes nothing."""
    command, *words = reply.partition(">")[0].split() or [""]
    if command not in READERS or "\n" in reply:
        return []
    files = {fixture.path.removeprefix(f"{HOME}/") for fixture in scenario.fixtures} | {scenario.announcement.path.removeprefix(f"{HOME}/")}
    return [word for word in (words[:-1] if command in WITH_TARGET else words) if word in files]


def _misspell(name: str, rng: random.Random) -> str:
    """A path whose last name has one letter dropped, doubled or exchanged with the next one, or begins in upper case."""
    folder, slash, file = name.rpartition("/")
    at = rng.randrange(max(file.find(".") - 1, 1))
    dropped, doubled = file[:at] + file[at + 1 :], file[:at] + file[at] + file[at:]
    exchanged = file[:at] + file[at + 1 : at + 2] + file[at] + file[at + 2 :]
    wrong = [word for word in (dropped, doubled, exchanged, file.capitalize()) if word and word != file]
    return folder + slash + rng.choice(wrong)


def _help_positions(replies: Replies, scenario: Scenario) -> list[int]:
    name = scenario.provider.name
    return [position for position, reply in enumerate(replies) if reply in (f"{name} --help", f"{name} help", f"man {name}")]


def _insert(replies: Replies, position: int, reply: str) -> Replies:
    return (*replies[:position], reply, *replies[position:])
