"""The verdict: promote, hold, inconclusive or unmeasured, by rules that conf/eval/ sets."""

from collections.abc import Sequence

from sekft.config import EvalConfig
from sekft.errors import SettingsError
from sekft.exam.paired import ALPHA, Paired, needed
from sekft.exam.rates import CRITERIA
from sekft.rollout.trajectory import Ending, Trajectory


def require_criterion(limits: EvalConfig) -> None:
    if limits.criterion not in CRITERIA:
        raise SettingsError(f"eval.criterion: found {limits.criterion!r}, allowed: {', '.join(CRITERIA)}")


def broken_share(lives: Sequence[Trajectory]) -> float:
    return sum(life.ending is Ending.broken for life in lives) / len(lives) if lives else 1.0


def verdict(base: Sequence[Trajectory], tuned: Sequence[Trajectory], paired: Paired, limits: EvalConfig, proven: bool) -> str:
    """Incomplete evidence never promotes; neither does a gain that could be chance.

    proven: the adapter carries the fingerprint of what is served.
    """
    for player, lives in (("base", base), ("tuned", tuned)):
        if (share := broken_share(lives)) > limits.max_broken_share:
            return f"unmeasured ({share:.0%} of {player}'s lives broken, allowed eval.max_broken_share={limits.max_broken_share})"
    significant = paired.mcnemar_p < ALPHA
    if significant and paired.losses > paired.wins:
        return "hold (worse than the base)"
    if significant and paired.low is not None and paired.low > 0 and paired.difference >= limits.min_gain:
        return "promote" if proven else "hold (better, but render unproven)"
    if paired.high is not None and paired.high < limits.min_gain and paired.wins + paired.losses > 0:
        return "hold (no gain worth eval.min_gain)"
    return f"inconclusive ({_lacking(paired, limits, significant)})"


def _lacking(paired: Paired, limits: EvalConfig, significant: bool) -> str:
    """What evidence is missing: worlds, or archetypes for the interval."""
    if significant:
        return f"needs more archetypes than {paired.archetypes}: the interval over them includes 0"
    n = needed(max(paired.difference, limits.min_gain))
    return f"needs n >= {n}" if n is not None else "needs more worlds than any exam has"
