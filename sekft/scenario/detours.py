"""References with detours: a look around, a wrong guess, a typo, the help read twice. Each of them still verifies, without prose."""

import random
from collections.abc import Callable, Sequence

from sekft.scenario import taxonomy
from sekft.scenario.document import Scenario

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
MAX_TYPO_WORDS = 3  # words of a mistyped line; kept as it was, because it decides the detours that are drawn


def with_detours(scenario: Scenario, share: float, seed: int) -> Replies:
    """The scenario's reference; in `share` of the scenarios, drawn by seed and id, with one detour or two."""
    rng = random.Random(f"{seed}:{scenario.id}:noise")
    if rng.random() >= share:
        return scenario.reference
    replies = scenario.reference
    for detour in rng.sample(DETOURS, rng.choice((1, 1, 2))):
        if len(replies) + 1 < scenario.limits.turns:
            replies = detour(replies, scenario, rng)
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


DETOURS: Sequence[Callable[[Replies, Scenario, random.Random], Replies]] = (look_around, guess, mistype, read_help_twice)


def _help_positions(replies: Replies, scenario: Scenario) -> list[int]:
    name = scenario.provider.name
    return [position for position, reply in enumerate(replies) if reply in (f"{name} --help", f"{name} help", f"man {name}")]


def _insert(replies: Replies, position: int, reply: str) -> Replies:
    return (*replies[:position], reply, *replies[position:])
