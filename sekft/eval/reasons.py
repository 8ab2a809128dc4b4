"""Why a life was not kept, as tags anyone can check in its transcript.

Covered: what the commands, the shown text, the ending and the checker's word prove. A kept life has no tag, others may have several.
Not covered: intent. A tag is left out rather than guessed.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from sekft.episode.outcome import kept
from sekft.episode.trajectory import Ending, Trajectory
from sekft.eval.labels import shown, squeezed
from sekft.eval.rates import FAULTS

LOOP = 4  # the same command so often in a row, showing the same each time
LEFT = (Ending.exit, Ending.panic)

MEANINGS = {
    "broken": "the place broke, twice: ours, says nothing of the player",
    "never_found_directive": "no half of any directive the reference saw was ever shown",
    "found_not_done": "every directive the reference saw was shown, and the checker says the work is not done",
    "done_not_left": "the checker passes, and neither exit nor panic was typed",
    "left_without_doing": "exit or panic was typed, and the checker says the work is not done",
    "false_panic": "panic in a world that can be solved, or with the doable work of a blocked one undone",
    "missed_panic": "exit in a world that is blocked",
    "never_acted": "no command but the one that leaves",
    "loop": f"one command {LOOP} times or more in a row, and the same was shown each time",
    "prose": "a code fence, or a sentence that the shell could not take for a command",
    "silent": "an empty reply",
    "out_of_turns": "the limit of turns came first",
    "out_of_tokens": "the limit of tokens came first",
    "shell_lost": "the shell was replaced, killed or never came back",
}
ENDED = {
    Ending.silent: "silent",
    Ending.turn_limit: "out_of_turns",
    Ending.token_limit: "out_of_tokens",
    Ending.gone: "shell_lost",
    Ending.lost: "shell_lost",
}


def tags(life: Trajectory, directives: Sequence[str] = ()) -> tuple[str, ...]:
    """In the order of MEANINGS. directives: those that can be read in this world; none: nothing is said about finding them."""
    if life.ending is Ending.broken:
        return ("broken",)
    if kept(life.outcome):
        return ()
    right, left = life.ending.value == life.meta.get("terminal"), life.ending in LEFT
    found = set() if life.checked is True else _found(life, directives)
    given = {
        "never_found_directive": found == {"nothing"},
        "found_not_done": found == {"all"},
        "done_not_left": life.checked is True and not left,
        "left_without_doing": life.checked is False and left,
        "false_panic": FAULTS["false_panic"](life),
        "missed_panic": life.ending is Ending.exit and not right,
        "never_acted": not any(command.text.split()[:1] not in ([], ["exit"], ["panic"]) for command in life.commands),
        "loop": _longest_repetition(life) >= LOOP,
        "prose": not life.clean,
    }
    return tuple(tag for tag in MEANINGS if given.get(tag) or ENDED.get(life.ending) == tag)


def counted(lives: Sequence[Trajectory], directives: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Lives per tag, most frequent first. directives: by bundle id, see worlds.readable."""
    return dict(Counter(tag for life in lives for tag in tags(life, directives.get(life.bundle_id, ()))).most_common())


def limits(lives: Sequence[Trajectory]) -> dict[str, int]:
    """Lives that reached each limit, by its name, most frequent first; those that were won count, too."""
    return dict(Counter(name for life in lives for name in life.meta.get("limits", ())).most_common())


def _found(life: Trajectory, directives: Sequence[str]) -> set[str]:
    """{"all"}, {"nothing"}, or neither: halves count as found, so that a cut listing is never called not found."""
    if not directives:
        return set()
    seen, wanted = shown(life), [squeezed(text) for text in directives]
    if all(text in seen for text in wanted):
        return {"all"}
    halves = [half for text in wanted for half in (text[: len(text) // 2], text[len(text) // 2 :])]
    return set() if any(half.strip() in seen for half in halves) else {"nothing"}


def _longest_repetition(life: Trajectory) -> int:
    longest = run = 0
    before: tuple[str, str] | None = None
    for at, message in enumerate(life.messages):
        if message.role != "assistant":
            continue
        now = (message.content.strip(), life.messages[at + 1].content if at + 1 < len(life.messages) else "")
        run = run + 1 if now == before else 1
        longest, before = max(longest, run), now
    return longest
