"""The verdict: promote, hold, inconclusive or unmeasured, by criteria in three tiers that conf/eval/ sets, each with its reason."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import ValidationError

from sekft.config import EvalConfig
from sekft.episode.outcome import is_kept
from sekft.episode.play import OUT_OF_TIME, unanswered
from sekft.episode.trajectory import Ending, EpisodesByAgent, Trajectory
from sekft.errors import SettingsError, VerdictError, validation_line
from sekft.eval.criterion import Finding, Line, Rule, Tier, judge_loss, judge_rate
from sekft.eval.paired import Paired
from sekft.eval.rates import CRITERIA, JUDGED

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


def require_criterion(config: EvalConfig) -> None:
    """Raises SettingsError, before anything is played, for a gate that nothing could pass through or that nobody understands."""
    if config.criterion not in CRITERIA:
        raise SettingsError(f"eval.criterion: found {config.criterion!r}, allowed: {', '.join(CRITERIA)}")
    if config.require is not None and config.require not in tuple(Verdict):
        raise SettingsError(f"eval.require: found {config.require!r}, allowed: null, {', '.join(Verdict)}")
    criteria(config)


def require_verdict(verdict: str, config: EvalConfig) -> None:
    """Raises VerdictError unless the verdict is what eval.require asks for, if it asks."""
    if config.require is not None and verdict.split()[0] != config.require:
        raise VerdictError(f"eval.require={config.require}: the verdict is {verdict}")


def criteria(config: EvalConfig) -> dict[str, Line]:
    """Every line of the gate; the criterion the verdict is about comes first and is critical, whatever eval.gate says of it.

    Raises SettingsError for a line that cannot be read.
    """
    lines = {config.criterion: Line(tier=Tier.critical, rule=Rule.up, margin=config.min_gain)}
    for name, line in config.gate.items():
        if name not in (*JUDGED, LOSS):
            raise SettingsError(f"eval.gate: found {name!r}, allowed: {', '.join((*JUDGED, LOSS))}")
        try:
            lines.setdefault(name, Line.model_validate(line))
        except ValidationError as error:
            raise SettingsError(f"eval.gate.{name}.{validation_line(error)}") from None
    return lines


def broken_share(episodes: Sequence[Trajectory]) -> float:
    """Of episodes that say nothing of their agent: the engine failed them, or its endpoint did not answer."""
    return sum(episode.ending is Ending.broken or unanswered(episode) for episode in episodes) / len(episodes) if episodes else 1.0


def judge(
    agents: EpisodesByAgent,
    pairs: Mapping[str, Paired],
    config: EvalConfig,
    doubt: str = "",
    losses: Mapping[str, tuple[float, float]] | None = None,
) -> Judgement:
    """Incomplete evidence never promotes; neither does a gain that could be chance.

    agents: base, reference and the adapter at least. pairs: by criterion, the adapter against the base. doubt: why it may not be
    promoted whatever it achieves; else empty. losses: (base, tuned) by name of a text.
    """
    findings: list[Finding] = []
    for name, line in criteria(config).items():
        findings += judge_loss(line, losses or {}) if name == LOSS else [judge_rate(pairs[name], line)]
    if said := unmeasured(agents, config):
        return Judgement(said, tuple(findings))
    return Judgement(_verdict(findings, pairs[config.criterion], doubt), tuple(findings))


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


def unmeasured(agents: EpisodesByAgent, config: EvalConfig) -> str:
    """Why these episodes measure nothing; empty if they do."""
    if any(episode.reason == OUT_OF_TIME for episodes in agents.values() for episode in episodes):
        return f"unmeasured (the evaluation took longer than eval.max_eval_s={config.max_eval_s:g})"
    for agent, episodes in agents.items():
        if (share := broken_share(episodes)) > config.max_broken_share:
            return f"unmeasured ({share:.0%} of {agent}'s episodes broken, allowed eval.max_broken_share={config.max_broken_share})"
    known = [episode for episode in agents["reference"] if episode.ending is not Ending.broken]
    if lost := [episode for episode in known if not is_kept(episode.outcome)]:
        return f"unmeasured (the reference itself loses {len(lost)} of {len(known)} scenarios within these limits: {lost[0].reason})"
    return ""
