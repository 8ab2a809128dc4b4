"""One line of the gate, and what the numbers say of it: met, not met, undecided or not measured, and why."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from sekft.eval.paired import ALPHA, Paired
from sekft.eval.power import needed


class Tier(StrEnum):
    """critical: must be met; supporting: must not be broken; informational: only said."""

    critical = "critical"
    supporting = "supporting"
    informational = "informational"


class Rule(StrEnum):
    up = "up"
    not_up = "not_up"
    not_down = "not_down"


class Line(BaseModel):
    """What must happen, or must not, to a rate or a loss between base and tuned.

    margin: of `up` the smallest gain, else the largest change for the worse; shares of episodes, of a loss nats per token.
    enough: of `up`, a tuned rate from which on not getting worse is enough.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tier: Tier
    rule: Rule
    margin: float = Field(default=0.05, gt=0)
    enough: float | None = Field(default=None, ge=0, le=1)


@dataclass(frozen=True)
class Finding:
    """state: met | not met | undecided | not measured. needs: scenarios that would decide a critical one; None where none would."""

    criterion: str
    tier: str
    rule: str
    state: str
    text: str
    base: float | None
    tuned: float | None
    difference: float | None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    needs: int | None = None


def judge_rate(pair: Paired, line: Line) -> Finding:
    """A rate, compared on the same scenarios: a change counts as shown if the exact test and the interval over archetypes agree."""
    state, text = _up(pair, line) if line.rule is Rule.up else _not_worse(pair, line)
    needs = _needs(pair, line.margin) if state == "undecided" and line.tier is Tier.critical else None
    numbers = {"base": pair.base_rate, "tuned": pair.base_rate + pair.difference, "difference": pair.difference}
    return Finding(
        pair.criterion, line.tier.value, line.rule.value, state, text, **numbers, low=pair.low, high=pair.high, p=pair.holm_p, needs=needs
    )


def judge_loss(line: Line, losses: Mapping[str, tuple[float, float]]) -> list[Finding]:
    """Losses are numbers over a whole text, not shares of scenarios: the change itself decides. Unmeasured and not critical: only said."""
    if not losses:
        tier = line.tier if line.tier is Tier.critical else Tier.informational
        return [Finding("loss", tier.value, line.rule.value, "not measured", "not measured", None, None, None)]
    found = []
    for name, (base, tuned) in losses.items():
        change = tuned - base
        worse = -change if line.rule is Rule.not_down else change
        met = -change >= line.margin if line.rule is Rule.up else worse <= line.margin
        text = f"{change:+.3f} nats per token, allowed {line.margin:+.3f}"
        found.append(Finding(f"loss of {name}", line.tier.value, line.rule.value, "met" if met else "not met", text, base, tuned, change))
    return found


def _up(pair: Paired, line: Line) -> tuple[str, str]:
    margin = line.margin
    if pair.mcnemar_p < ALPHA and pair.losses > pair.wins:  # several adapters pay for gains, never for what warns of one
        return "not met", "worse than the base"
    shown = pair.holm_p < ALPHA and pair.low is not None and pair.low > 0
    if shown and pair.difference >= margin:
        return "met", f"better by {pair.difference:+.2f}, at least {margin} asked"
    tuned = pair.base_rate + pair.difference
    if line.enough is not None and tuned >= line.enough and pair.difference >= -margin:
        return "met", f"tuned at {tuned:.2f}, from {line.enough} on not getting worse is enough"
    if shown:
        return "not met", f"better by less than {margin}"
    if pair.high is not None and pair.high < margin:
        return "not met", f"no gain of {margin} is left within the interval"
    return "undecided", f"a gain of {margin} is neither shown nor excluded"


def _not_worse(pair: Paired, line: Line) -> tuple[str, str]:
    sign = 1 if line.rule is Rule.not_up else -1  # of a change for the worse
    change, word = sign * pair.difference, "up" if sign > 0 else "down"
    least, most = (pair.low, pair.high) if sign > 0 else (pair.high, pair.low)
    shown = pair.mcnemar_p < ALPHA and (least is None or sign * least > 0)
    if shown and change > line.margin:
        return "not met", f"{word} by {change:.2f}, allowed {line.margin}"
    if most is not None and sign * most <= line.margin:
        return "met", f"{word} by {max(0.0, sign * most):.2f} at the most, allowed {line.margin}"
    return "undecided", f"{word} by more than {line.margin} is neither shown nor excluded"


def _needs(pair: Paired, margin: float) -> int | None:
    """Scenarios that would show a gain as large as this one; None where more scenarios of as many archetypes would not."""
    n = needed(max(abs(pair.difference), margin), pair.archetypes)
    return None if n is None else max(n, pair.n + 1)
