"""Why an episode was not kept, as tags anyone can check in its transcript.

Covered: what the commands, the shown text, the ending and the checker's word prove. A kept episode has no tag, others may have several.
Not covered: intent. A tag is left out rather than guessed.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from sekft.episode.outcome import is_kept
from sekft.episode.trajectory import Ending, Trajectory
from sekft.eval.labels import shown, squeezed
from sekft.eval.rates import FAULTS

LOOP = 4  # the same command so often in a row, showing the same each time
LEFT = (Ending.exit, Ending.panic)

MEANINGS = {
    "broken": "the place broke, twice: ours, says nothing of the agent",
    "never_found_directive": "no half of any directive the reference saw was ever shown",
    "found_not_done": "every directive the reference saw was shown, and the checker says the work is not done",
    "done_not_left": "the checker passes, and neither exit nor panic was typed",
    "left_without_doing": "exit or panic was typed, and the checker says the work is not done",
    "false_panic": "panic in a scenario that can be solved, or with the doable work of a blocked one undone",
    "missed_panic": "exit in a scenario that is blocked",
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


def tags(episode: Trajectory, directives: Sequence[str] = ()) -> tuple[str, ...]:
    """In the order of MEANINGS. directives: those that can be read in this scenario; none: nothing is said about finding them."""
    if episode.ending is Ending.broken:
        return ("broken",)
    if is_kept(episode.outcome):
        return ()
    right, left = episode.ending.value == episode.meta.get("terminal"), episode.ending in LEFT
    found = set() if episode.checked is True else _found(episode, directives)
    given = {
        "never_found_directive": found == {"nothing"},
        "found_not_done": found == {"all"},
        "done_not_left": episode.checked is True and not left,
        "left_without_doing": episode.checked is False and left,
        "false_panic": FAULTS["false_panic"](episode),
        "missed_panic": episode.ending is Ending.exit and not right,
        "never_acted": not any(command.text.split()[:1] not in ([], ["exit"], ["panic"]) for command in episode.commands),
        "loop": _longest_repetition(episode) >= LOOP,
        "prose": not episode.clean,
    }
    return tuple(tag for tag in MEANINGS if given.get(tag) or ENDED.get(episode.ending) == tag)


def counted(episodes: Sequence[Trajectory], directives: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Episodes per tag, most frequent first. directives: by scenario id, see scenarios.readable."""
    return dict(Counter(tag for episode in episodes for tag in tags(episode, directives.get(episode.scenario_id, ()))).most_common())


def limits(episodes: Sequence[Trajectory]) -> dict[str, int]:
    """Episodes that reached each limit, by its name, most frequent first; those that were won count, too."""
    return dict(Counter(name for episode in episodes for name in episode.meta.get("limits", ())).most_common())


def _found(episode: Trajectory, directives: Sequence[str]) -> set[str]:
    """{"all"}, {"nothing"}, or neither: halves count as found, so that a cut listing is never called not found."""
    if not directives:
        return set()
    seen, wanted = shown(episode), [squeezed(text) for text in directives]
    if all(text in seen for text in wanted):
        return {"all"}
    halves = [half for text in wanted for half in (text[: len(text) // 2], text[len(text) // 2 :])]
    return set() if any(half.strip() in seen for half in halves) else {"nothing"}


def _longest_repetition(episode: Trajectory) -> int:
    longest = run = 0
    before: tuple[str, str] | None = None
    for at, message in enumerate(episode.messages):
        if message.role != "assistant":
            continue
        now = (message.content.strip(), episode.messages[at + 1].content if at + 1 < len(episode.messages) else "")
        run = run + 1 if now == before else 1
        longest, before = max(longest, run), now
    return longest
