"""Reasons why an episode was not kept, as tags that anyone can check in its transcript.

Covers: what the commands, the text on the screen, the ending and the checker's result prove. A kept episode has no tag, another may
have several.
Does not cover: intent. A tag that cannot be proven is left out.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from sekft.episode.outcome import is_kept, kinds_of_replies
from sekft.episode.replies import PROSE, Kind
from sekft.episode.trajectory import Ending, Trajectory
from sekft.eval.labels import squeeze, visible_text
from sekft.eval.rates import FAULTS

LOOP = 4  # repetitions of one command in a row, with the same output each time
ACTED = frozenset((Kind.command, Kind.mixed))
LEFT = (Ending.exit, Ending.panic)

MEANINGS = {
    "broken": "the sandbox or the agent's endpoint failed twice; no evidence about the agent",
    "never_found_directive": "neither half of any directive that the reference saw was ever shown",
    "found_not_done": "every directive that the reference saw was shown, and the checker fails",
    "done_not_left": "the checker passes, and neither exit nor panic was typed",
    "left_without_doing": "exit or panic was typed, and the checker fails",
    "false_panic": "panic in a solvable scenario, or in a blocked one before the work that can be done there was done",
    "missed_panic": "exit in a blocked scenario",
    "never_acted": "the shell ran no command other than exit or panic",
    "loop": f"one command {LOOP} times or more in a row, with the same output each time",
    "prose": "a reply, or a line of one, is a sentence, markup or an imagined screen, not a command",
    "silent": "an empty reply",
    "out_of_turns": "the limit of turns was reached",
    "out_of_tokens": "the limit of tokens was reached",
    "shell_lost": "the shell was replaced, killed or did not come back",
}
ENDED = {
    Ending.silent: "silent",
    Ending.turn_limit: "out_of_turns",
    Ending.token_limit: "out_of_tokens",
    Ending.gone: "shell_lost",
    Ending.lost: "shell_lost",
}


def tags(episode: Trajectory, directives: Sequence[str] = ()) -> tuple[str, ...]:
    """The tags of an episode in the order of MEANINGS.

    directives: those that the reference saw in this scenario; without any, no tag about finding directives is given.
    """
    if episode.ending is Ending.broken:
        return ("broken",)
    if is_kept(episode.outcome):
        return ()
    right, left = episode.ending.value == episode.meta.get("terminal"), episode.ending in LEFT
    replies = kinds_of_replies(episode)
    shown = None if episode.checked is True else _directives_shown(episode, directives)
    given = {
        "never_found_directive": shown == "none",
        "found_not_done": shown == "all",
        "done_not_left": episode.checked is True and not left,
        "left_without_doing": episode.checked is False and left,
        "false_panic": FAULTS["false_panic"](episode),
        "missed_panic": episode.ending is Ending.exit and not right,
        "never_acted": not ACTED.intersection(replies),
        "loop": _longest_repetition(episode) >= LOOP,
        "prose": bool(PROSE.intersection(replies)),
    }
    return tuple(tag for tag in MEANINGS if given.get(tag) or ENDED.get(episode.ending) == tag)


def count_tags(episodes: Sequence[Trajectory], directives: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Episodes per tag, most frequent first. directives: by scenario id, see labels.seen_directives."""
    return dict(Counter(tag for episode in episodes for tag in tags(episode, directives.get(episode.scenario_id, ()))).most_common())


def count_limits(episodes: Sequence[Trajectory]) -> dict[str, int]:
    """Episodes that reached each limit, kept or not, by the name of the limit, most frequent first."""
    return dict(Counter(name for episode in episodes for name in episode.meta.get("limits", ())).most_common())


def _directives_shown(episode: Trajectory, directives: Sequence[str]) -> str | None:
    """How many of the directives the episode showed: "all", "none", or None for some, or if there are no directives.

    A directive of which either half was shown is not counted as unseen, so that a truncated listing is never called "none".
    """
    if not directives:
        return None
    text, wanted = visible_text(episode), [squeeze(directive) for directive in directives]
    if all(directive in text for directive in wanted):
        return "all"
    halves = [half for directive in wanted for half in (directive[: len(directive) // 2], directive[len(directive) // 2 :])]
    return None if any(half.strip() in text for half in halves) else "none"


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
