"""References that go astray and recover: what an episode types when it does not know everything at once. Each still verifies, clean."""

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
MOST_WORDS = 3  # of a mistyped line: a longer one that is not found would count as prose


def reference(scenario: Scenario, share: float, seed: int) -> Replies:
    """The straight replies, or in `share` of the scenarios, by chance of seed and id, with one detour or two."""
    rng = random.Random(f"{seed}:{scenario.id}:noise")
    if rng.random() >= share:
        return scenario.reference
    replies = scenario.reference
    for detour in rng.sample(DETOURS, rng.choice((1, 1, 2))):
        if len(replies) + 1 < scenario.limits.turns:
            replies = detour(replies, scenario, rng)
    return replies


def looking_around(replies: Replies, scenario: Scenario, rng: random.Random) -> Replies:
    """First a look at what there is."""
    return (rng.choice(LOOKS), *replies)


def guessing(replies: Replies, scenario: Scenario, rng: random.Random) -> Replies:
    """A sub-command the provider does not have, before the one it has; the usage it answers with leads back."""
    known = {word for reply in replies for word in reply.split()}
    wrong = [verb for verb in taxonomy.VERBS if verb not in known and f"  {verb})" not in scenario.provider.script]
    asked = _asking_for_help(replies, scenario)
    if not wrong or not asked:
        return replies
    return _put(replies, asked[0], f"{scenario.provider.name} {rng.choice(wrong)}")


def mistyping(replies: Replies, scenario: Scenario, rng: random.Random) -> Replies:
    """Two letters of a command swapped, then the line as it was meant."""
    name = scenario.provider.name
    typos = {**TYPOS, name: name[0] + name[2] + name[1] + name[3:]}
    short = [
        place
        for place, reply in enumerate(replies[:-1])
        if (words := reply.split()) and len(words) <= MOST_WORDS and typos.get(words[0], words[0]) != words[0] and "\n" not in reply
    ]
    if not short:
        return replies
    place = rng.choice(short)
    command, blank, rest = replies[place].partition(" ")
    return _put(replies, place, f"{typos[command]}{blank}{rest}")


def asking_twice(replies: Replies, scenario: Scenario, rng: random.Random) -> Replies:
    """The help is read a second time."""
    asked = _asking_for_help(replies, scenario)
    return _put(replies, asked[-1], replies[asked[-1]]) if asked else replies


DETOURS: Sequence[Callable[[Replies, Scenario, random.Random], Replies]] = (looking_around, guessing, mistyping, asking_twice)


def _asking_for_help(replies: Replies, scenario: Scenario) -> list[int]:
    name = scenario.provider.name
    return [place for place, reply in enumerate(replies) if reply in (f"{name} --help", f"{name} help", f"man {name}")]


def _put(replies: Replies, place: int, reply: str) -> Replies:
    return (*replies[:place], reply, *replies[place:])
