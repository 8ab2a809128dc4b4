"""The verdict of an evaluation: promote, hold, inconclusive or unmeasured, by criteria in three tiers, each with its reason."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from pydantic import ValidationError

from sekft.config import EvalConfig
from sekft.episode.outcome import TROUBLE, is_kept
from sekft.episode.play import OUT_OF_TIME
from sekft.episode.trajectory import Ending, EpisodesByAgent, Trajectory
from sekft.errors import SettingsError, VerdictError, validation_line
from sekft.eval.criterion import Criterion, Finding, Rule, Tier, judge_loss, judge_rate
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
    """verdict: one line whose first word is a Verdict. findings: one per criterion, that of eval.criterion first."""

    verdict: str
    findings: tuple[Finding, ...] = ()


def require_criterion(config: EvalConfig) -> None:
    """Check the settings of the gate before any episode is played. Raises SettingsError."""
    if config.criterion not in CRITERIA:
        raise SettingsError(f"eval.criterion: found {config.criterion!r}, allowed: {', '.join(CRITERIA)}")
    if config.require is not None and config.require not in tuple(Verdict):
        raise SettingsError(f"eval.require: found {config.require!r}, allowed: null, {', '.join(Verdict)}")
    criteria(config)


def require_verdict(verdict: str, config: EvalConfig) -> None:
    """Raises VerdictError unless the verdict is the one that eval.require names; without eval.require any verdict will do."""
    if config.require is not None and verdict.split()[0] != config.require:
        raise VerdictError(f"eval.require={config.require}: the verdict is {verdict}")


def criteria(config: EvalConfig) -> dict[str, Criterion]:
    """Every criterion of the gate by the name of its rate; eval.criterion comes first and is critical, whatever eval.gate has for it.

    Raises SettingsError for an unknown name or an invalid criterion.
    """
    found = {config.criterion: Criterion(tier=Tier.critical, rule=Rule.up, margin=config.min_gain)}
    for name, document in config.gate.items():
        if name not in (*JUDGED, LOSS):
            raise SettingsError(f"eval.gate: found {name!r}, allowed: {', '.join((*JUDGED, LOSS))}")
        try:
            found.setdefault(name, Criterion.model_validate(document))
        except ValidationError as error:
            raise SettingsError(f"eval.gate.{name}.{validation_line(error)}") from None
    return found


def broken_share(episodes: Sequence[Trajectory]) -> float:
    """The share of episodes that are no evidence about their agent: the sandbox failed, or the agent could not reply."""
    return sum(episode.ending is Ending.broken for episode in episodes) / len(episodes) if episodes else 1.0


def _by_trouble(episodes: Sequence[Trajectory]) -> str:
    """Why an agent could not reply, most frequent first; empty if the sandbox broke all of them."""
    counts = Counter(episode.meta[TROUBLE] for episode in episodes if TROUBLE in episode.meta)
    return f": {', '.join(f'{trouble} {count}' for trouble, count in counts.most_common())}" if counts else ""


def judge(
    agents: EpisodesByAgent,
    pairs: Mapping[str, Paired],
    config: EvalConfig,
    obstacle: str = "",
    losses: Mapping[str, tuple[float, float]] | None = None,
) -> Judgement:
    """Judge one adapter; incomplete evidence never promotes, and neither does a gain that could be chance.

    agents: base, reference and the adapter at least. pairs: the adapter against the base, by criterion. obstacle: a reason not to
    promote the adapter whatever its rates are; empty if there is none. losses: (base, tuned) by name of a text.
    """
    findings: list[Finding] = []
    for name, criterion in criteria(config).items():
        findings += judge_loss(criterion, losses or {}) if name == LOSS else [judge_rate(pairs[name], criterion)]
    verdict = unmeasured(agents, config) or _verdict(findings, pairs[config.criterion], obstacle)
    return Judgement(verdict, tuple(findings))


def _verdict(findings: Sequence[Finding], pair: Paired, obstacle: str) -> str:
    """pair: the comparison by eval.criterion."""

    def select(tier: Tier, state: str) -> list[Finding]:
        return [finding for finding in findings if finding.tier == tier.value and finding.state == state]

    if failed := select(Tier.critical, "not met") + select(Tier.supporting, "not met"):
        reasons = (finding.text if finding.criterion == pair.criterion else f"{finding.criterion}: {finding.text}" for finding in failed)
        return f"hold ({'; '.join(reasons)})"
    if select(Tier.critical, "not measured"):
        return "inconclusive (needs the loss on a text)"
    if undecided := select(Tier.critical, "undecided"):
        needed = [finding.needs for finding in undecided]
        if any(n is None for n in needed):
            return f"inconclusive (needs more archetypes than {pair.archetypes})"
        return f"inconclusive (needs n >= {max(n for n in needed if n is not None)})"
    return f"hold (better, but {obstacle})" if obstacle else "promote"


def unmeasured(agents: EpisodesByAgent, config: EvalConfig) -> str:
    """The verdict `unmeasured (...)` if these episodes are no valid measurement; else empty."""
    if any(episode.reason == OUT_OF_TIME for episodes in agents.values() for episode in episodes):
        return f"unmeasured (the evaluation took longer than eval.max_eval_s={config.max_eval_s:g})"
    for agent, episodes in agents.items():
        if (share := broken_share(episodes)) > config.max_broken_share:
            allowed = f"allowed eval.max_broken_share={config.max_broken_share}"
            return f"unmeasured ({share:.0%} of {agent}'s episodes broken{_by_trouble(episodes)}, {allowed})"
    played = [episode for episode in agents["reference"] if episode.ending is not Ending.broken]
    if lost := [episode for episode in played if not is_kept(episode.outcome)]:
        return f"unmeasured (the reference itself loses {len(lost)} of {len(played)} scenarios within these limits: {lost[0].reason})"
    return ""
