"""The verdict: promote, hold, inconclusive or unmeasured, by rules that conf/eval/ sets."""

from collections.abc import Mapping, Sequence

from sekft.config import EvalConfig
from sekft.errors import SettingsError
from sekft.exam.paired import ALPHA, Paired, needed
from sekft.exam.rates import CRITERIA
from sekft.rollout.many import LATE
from sekft.rollout.trajectory import Ending, Trajectory
from sekft.rollout.verdict import kept

Players = Mapping[str, Sequence[Trajectory]]


def require_criterion(limits: EvalConfig) -> None:
    if limits.criterion not in CRITERIA:
        raise SettingsError(f"eval.criterion: found {limits.criterion!r}, allowed: {', '.join(CRITERIA)}")


def broken_share(lives: Sequence[Trajectory]) -> float:
    return sum(life.ending is Ending.broken for life in lives) / len(lives) if lives else 1.0


def verdict(players: Players, paired: Paired, limits: EvalConfig, doubt: str) -> str:
    """Incomplete evidence never promotes; neither does a gain that could be chance.

    players: base, tuned, reference. doubt: why the adapter may not be promoted whatever it achieves; else empty.
    """
    if said := unmeasured(players, limits):
        return said
    significant = paired.mcnemar_p < ALPHA
    if significant and paired.losses > paired.wins:
        return "hold (worse than the base)"
    if significant and paired.low is not None and paired.low > 0:
        if paired.difference < limits.min_gain:
            return f"hold (better by less than eval.min_gain={limits.min_gain})"
        return f"hold (better, but {doubt})" if doubt else "promote"
    if paired.high is not None and paired.high < limits.min_gain:
        return f"hold (no gain of eval.min_gain={limits.min_gain} is left within the interval)"
    return f"inconclusive ({_lacking(paired, limits)})"


def unmeasured(players: Players, limits: EvalConfig) -> str:
    """Why these lives measure nothing; empty if they do."""
    if any(life.reason == LATE for lives in players.values() for life in lives):
        return f"unmeasured (the exam took longer than eval.max_exam_s={limits.max_exam_s:g})"
    for player, lives in players.items():
        if (share := broken_share(lives)) > limits.max_broken_share:
            return f"unmeasured ({share:.0%} of {player}'s lives broken, allowed eval.max_broken_share={limits.max_broken_share})"
    known = [life for life in players["reference"] if life.ending is not Ending.broken]
    if lost := [life for life in known if not kept(life.outcome)]:
        return f"unmeasured (the reference itself loses {len(lost)} of {len(known)} worlds within these limits: {lost[0].reason})"
    return ""


def _lacking(paired: Paired, limits: EvalConfig) -> str:
    """What evidence is missing: worlds, or archetypes."""
    n = needed(max(paired.difference, limits.min_gain), paired.archetypes)
    return f"needs n >= {max(n, paired.n + 1)}" if n is not None else f"needs more archetypes than {paired.archetypes}"
