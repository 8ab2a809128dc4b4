"""One criterion of the gate and the finding on it: met, not met, undecided or not measured, with the reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from sekft.eval.paired import ALPHA, Paired
from sekft.eval.power import scenarios_needed


class Tier(StrEnum):
    """critical: must be met; supporting: must not be shown to be violated; informational: reported only."""

    critical = "critical"
    supporting = "supporting"
    informational = "informational"


class Rule(StrEnum):
    """How a rate or a loss may change from base to tuned."""

    up = "up"
    not_up = "not_up"
    not_down = "not_down"


class Criterion(BaseModel):
    """How a rate or a loss must, or must not, change between base and tuned.

    margin: with `up` the smallest gain that counts, else the largest change for the worse that is tolerated; rates in shares of
    episodes, losses in nats per token. enough: with `up`, the tuned rate from which on it suffices that the rate does not fall.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    tier: Tier
    rule: Rule
    margin: float = Field(default=0.05, gt=0)
    enough: float | None = Field(default=None, ge=0, le=1)


@dataclass(frozen=True)
class Finding:
    """The result of one criterion. state: met | not met | undecided | not measured.

    needs: the number of scenarios that would decide an undecided critical criterion; None if no number of scenarios would.
    """

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


def judge_rate(pair: Paired, criterion: Criterion) -> Finding:
    """Judge a rate on the same scenarios: a change counts as shown if the exact test and the interval over archetypes agree."""
    state, text = _judge_gain(pair, criterion) if criterion.rule is Rule.up else _judge_harm(pair, criterion)
    needs = _needed(pair, criterion.margin) if state == "undecided" and criterion.tier is Tier.critical else None
    return Finding(
        criterion=pair.criterion,
        tier=criterion.tier.value,
        rule=criterion.rule.value,
        state=state,
        text=text,
        base=pair.base_rate,
        tuned=pair.base_rate + pair.difference,
        difference=pair.difference,
        low=pair.low,
        high=pair.high,
        p=pair.holm_p,
        needs=needs,
    )


def judge_loss(criterion: Criterion, losses: Mapping[str, tuple[float, float]]) -> list[Finding]:
    """Judge every (base, tuned) loss by its change alone: a loss is one number per text, not a share of scenarios.

    Without losses there is one finding, `not measured`; unless the criterion is critical, that finding is informational.
    """
    if not losses:
        tier = criterion.tier if criterion.tier is Tier.critical else Tier.informational
        return [Finding("loss", tier.value, criterion.rule.value, "not measured", NOTHING_TO_FORGET, None, None, None)]
    findings = []
    for name, (base, tuned) in losses.items():
        change = tuned - base
        worse = -change if criterion.rule is Rule.not_down else change
        met = -change >= criterion.margin if criterion.rule is Rule.up else worse <= criterion.margin
        state, text = "met" if met else "not met", f"{change:+.3f} nats per token, {criterion.margin:+.3f} allowed"
        findings.append(Finding(f"loss of {name}", criterion.tier.value, criterion.rule.value, state, text, base, tuned, change))
    return findings


def _judge_gain(pair: Paired, criterion: Criterion) -> tuple[str, str]:
    """(state, text) of the rule `up`."""
    margin = criterion.margin
    # The unadjusted p value: Holm's correction makes gains harder to show; it must not hide harm.
    if pair.mcnemar_p < ALPHA and pair.losses > pair.wins:
        return "not met", "worse than the base"
    shown = pair.holm_p < ALPHA and pair.low is not None and pair.low > 0
    if shown and pair.difference >= margin:
        return "met", f"better by {_points(pair.difference)}, at least {100 * margin:.3g} required"
    tuned = pair.base_rate + pair.difference
    if criterion.enough is not None and tuned >= criterion.enough and pair.difference >= -margin:
        return "met", f"tuned at {tuned:.0%}; from {criterion.enough:.0%} on it is enough not to get worse"
    if shown:
        return "not met", f"better by less than {_points(margin)}"
    if pair.high is not None and pair.high < margin:
        return "not met", f"the interval excludes a gain of {_points(margin)}"
    return "undecided", f"a gain of {_points(margin)} is neither shown nor excluded"


def _judge_harm(pair: Paired, criterion: Criterion) -> tuple[str, str]:
    """(state, text) of the rules `not_up` and `not_down`."""
    sign = 1 if criterion.rule is Rule.not_up else -1  # the direction of a change for the worse
    change, word = sign * pair.difference, "up" if sign > 0 else "down"
    least, most = (pair.low, pair.high) if sign > 0 else (pair.high, pair.low)
    shown = pair.mcnemar_p < ALPHA and (least is None or sign * least > 0)
    if shown and change > criterion.margin:
        return "not met", f"{word} by {_points(change)}, {100 * criterion.margin:.3g} allowed"
    if most is not None and sign * most <= criterion.margin:
        return "met", f"{word} by {_points(max(0.0, sign * most))} at most, {100 * criterion.margin:.3g} allowed"
    return "undecided", f"{word} by more than {_points(criterion.margin)} is neither shown nor excluded"


NOTHING_TO_FORGET = "no text was measured that the base can read: it has nothing to forget"


def _points(share: float) -> str:
    return f"{100 * share:.3g} points"


def _needed(pair: Paired, margin: float) -> int | None:
    """Scenarios that would show a gain as large as the observed one; None if more scenarios of as many archetypes would not."""
    n = scenarios_needed(max(abs(pair.difference), margin), pair.archetypes)
    return None if n is None else max(n, pair.n + 1)
