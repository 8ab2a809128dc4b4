"""The outcome of an episode, and whether its trajectory is kept as training data."""

from collections.abc import Sequence

from sekft.episode.replies import PROSE, Kind, kinds
from sekft.episode.trajectory import Ending, Outcome, Trajectory
from sekft.scenario.document import Terminal

LAST_OUTPUT = "last_output"  # key of a trajectory's meta: what the shell printed after the reply that ended the episode, if anything
TROUBLE = "trouble"  # key of a trajectory's meta: the kind of trouble of an agent that could not reply, such as `endpoint overloaded`
RAN_OUT = frozenset({Ending.turn_limit, Ending.token_limit, Ending.gone, Ending.lost})


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


REFUSED = "the checker did not accept the final state"


def why_lost(trajectory: Trajectory) -> str:
    """Outcome and reason of an episode that is not kept."""
    reason = trajectory.reason if trajectory.reason not in ("", trajectory.outcome.value) else ""
    if not reason and trajectory.checked is False:
        reason = REFUSED
    return f"{trajectory.outcome.value}{f': {reason}' if reason else ''}"


def broken_lines(episodes: Sequence[Trajectory]) -> list[str]:
    """What broke episodes, one line for each kind, the most frequent first, with the words of the first of them."""
    reasons: dict[str, list[str]] = {}
    for episode in episodes:
        if episode.ending is Ending.broken:
            reasons.setdefault(episode.meta.get(TROUBLE, "the sandbox"), []).append(episode.reason)
    found = sorted(reasons.items(), key=lambda item: -len(item[1]))
    return [f"{len(own)} of {len(episodes)} episodes broken: {what}: {own[0].removeprefix(f'{what}: ')}" for what, own in found]


def is_kept(outcome: Outcome) -> bool:
    """The keep rule: right terminal, checker passes, clean."""
    return outcome in (Outcome.verified, Outcome.justified_panic)


def kinds_of_replies(trajectory: Trajectory) -> tuple[Kind, ...]:
    """The kind of every reply of a recorded episode."""
    return kinds(trajectory.messages, trajectory.meta.get(LAST_OUTPUT))


def operated(trajectory: Trajectory) -> bool:
    """Whether the shell ran at least one command other than exit or panic, and no reply was prose."""
    found = kinds_of_replies(trajectory)
    return Kind.command in found and not PROSE.intersection(found)


def judged_again(trajectory: Trajectory) -> Trajectory:
    """The same episode with `clean`, `outcome` and `kept` as the present rules give them; nothing is played.

    For episodes recorded by an earlier version. Their reason is changed only where it named the outcome. An imported episode is not
    changed: its right ending is not known.
    """
    if "terminal" not in trajectory.meta:
        return trajectory
    clean = not PROSE.intersection(kinds_of_replies(trajectory))
    result = classify(trajectory.ending, trajectory.checked, clean, Terminal(trajectory.meta["terminal"]))
    reason = trajectory.reason
    if reason in ("", trajectory.outcome.value):
        reason = "" if is_kept(result) else result.value
    return trajectory.model_copy(update={"clean": clean, "outcome": result, "kept": is_kept(result), "reason": reason})
