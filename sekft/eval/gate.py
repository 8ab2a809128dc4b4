"""The verdict: promote, hold, inconclusive or unmeasured, by criteria in three tiers that conf/eval/ sets, each with its reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import ValidationError

from sekft.config import EvalConfig
from sekft.episode.outcome import kept
from sekft.episode.play import LATE, unanswered
from sekft.episode.trajectory import Ending, Trajectory
from sekft.errors import SettingsError, VerdictError
from sekft.eval.criterion import Finding, Line, Rule, Tier, judge_loss, judge_rate
from sekft.eval.paired import Paired
from sekft.eval.rates import CRITERIA, JUDGED
from sekft.scenario.document import complaint

Players = Mapping[str, Sequence[Trajectory]]
LOSS = "loss"


class Verdict(StrEnum):
    """The first word of every verdict."""

    promote = "promote"
    hold = "hold"
    inconclusive = "inconclusive"
    unmeasured = "unmeasured"


@dataclass(frozen=True)
class Judgement:
    """verdict: one line, its first word a Verdict. findings: of every criterion, the one asked about first."""

    verdict: str
    findings: tuple[Finding, ...] = ()


def require_criterion(limits: EvalConfig) -> None:
    """Raises SettingsError, before anything is lived, for a gate that nothing could pass through or that nobody understands."""
    if limits.criterion not in CRITERIA:
        raise SettingsError(f"eval.criterion: found {limits.criterion!r}, allowed: {', '.join(CRITERIA)}")
    if limits.require is not None and limits.require not in tuple(Verdict):
        raise SettingsError(f"eval.require: found {limits.require!r}, allowed: null, {', '.join(Verdict)}")
    criteria(limits)


def require_verdict(verdict: str, limits: EvalConfig) -> None:
    """Raises VerdictError unless the verdict is what eval.require asks for, if it asks."""
    if limits.require is not None and verdict.split()[0] != limits.require:
        raise VerdictError(f"eval.require={limits.require}: the verdict is {verdict}")


def criteria(limits: EvalConfig) -> dict[str, Line]:
    """Every line of the gate; the criterion the verdict is about comes first and is critical, whatever eval.gate says of it.

    Raises SettingsError for a line that cannot be read.
    """
    lines = {limits.criterion: Line(tier=Tier.critical, rule=Rule.up, margin=limits.min_gain)}
    for name, line in limits.gate.items():
        if name not in (*JUDGED, LOSS):
            raise SettingsError(f"eval.gate: found {name!r}, allowed: {', '.join((*JUDGED, LOSS))}")
        try:
            lines.setdefault(name, Line.model_validate(line))
        except ValidationError as error:
            raise SettingsError(f"eval.gate.{name}.{complaint(error)}") from None
    return lines


def broken_share(lives: Sequence[Trajectory]) -> float:
    """Of lives that say nothing of their player: the engine failed them, or its endpoint did not answer."""
    return sum(life.ending is Ending.broken or unanswered(life) for life in lives) / len(lives) if lives else 1.0


def judge(
    players: Players,
    pairs: Mapping[str, Paired],
    limits: EvalConfig,
    doubt: str = "",
    losses: Mapping[str, tuple[float, float]] | None = None,
) -> Judgement:
    """Incomplete evidence never promotes; neither does a gain that could be chance.

    players: base, reference and the adapter at least. pairs: by criterion, the adapter against the base. doubt: why it may not be
    promoted whatever it achieves; else empty. losses: (base, tuned) by name of a text.
    """
    findings: list[Finding] = []
    for name, line in criteria(limits).items():
        findings += judge_loss(line, losses or {}) if name == LOSS else [judge_rate(pairs[name], line)]
    if said := unmeasured(players, limits):
        return Judgement(said, tuple(findings))
    return Judgement(_verdict(findings, pairs[limits.criterion], doubt), tuple(findings))


def _verdict(findings: Sequence[Finding], asked: Paired, doubt: str) -> str:
    def of(tier: Tier, state: str) -> list[Finding]:
        return [finding for finding in findings if finding.tier == tier.value and finding.state == state]

    if failed := of(Tier.critical, "not met") + of(Tier.supporting, "not met"):
        return f"hold ({'; '.join(_said(finding, asked) for finding in failed)})"
    if of(Tier.critical, "not measured"):
        return "inconclusive (needs the loss on a text)"
    if undecided := of(Tier.critical, "undecided"):
        wanted = [finding.needs for finding in undecided]
        if any(n is None for n in wanted):
            return f"inconclusive (needs more archetypes than {asked.archetypes})"
        return f"inconclusive (needs n >= {max(n for n in wanted if n is not None)})"
    return f"hold (better, but {doubt})" if doubt else "promote"


def _said(finding: Finding, asked: Paired) -> str:
    return finding.text if finding.criterion == asked.criterion else f"{finding.criterion}: {finding.text}"


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
