"""An evaluation's episodes as numbers: every agent scored, every adapter compared with the base and judged."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sekft.config import EvalConfig
from sekft.episode.trajectory import EpisodesByAgent, Trajectory
from sekft.eval import gate, labels, paired, power, rates, reasons
from sekft.eval.attempts import score_attempts
from sekft.eval.gate import Judgement
from sekft.eval.paired import Paired
from sekft.eval.summary import BASE, REFERENCE, TUNED, AgentScore, EvaluationSummary, TextLoss
from sekft.scenario.document import Scenario

BASELINES = {"random": "types commands drawn at random", "exit": "types exit at once", "panic": "types panic at once"}
NAMES = (BASE, REFERENCE, *BASELINES)  # names that no adapter may have
NOTHING_TO_COMPARE = "no adapter to compare"
POWER_GAIN = 0.2  # the gain of the power line


@dataclass(frozen=True)
class Score:
    """agents: by name. pairs: every adapter against the base, by adapter, then criterion. judgements: by adapter.

    subject: the adapter that the verdict is about; base if no adapter was evaluated, and the verdict is then why nothing is judged.
    directives: by scenario id, those that the reference saw. losses: by name of the text. titles: see AgentSource.
    """

    criterion: str
    agents: dict[str, AgentScore]
    pairs: dict[str, dict[str, Paired]]
    judgements: dict[str, Judgement]
    verdict: str
    subject: str
    power: str
    labels: labels.Labels
    directives: Mapping[str, Sequence[str]]
    losses: Mapping[str, TextLoss]
    titles: Mapping[str, str] = field(default_factory=dict)

    def title(self, agent: str) -> str:
        """The name of an agent for a person."""
        return self.titles.get(agent, agent)

    def worded(self, text: str) -> str:
        """A text about the base and the adapter, with the titles of those that have one."""
        words = {self.subject: ("the tuned model", "the adapter"), BASE: ("the base", "its base")}
        for agent, title in self.titles.items():
            for word in words.get(agent, ()):
                text = text.replace(word, title)
        return text

    def summary(self) -> EvaluationSummary:
        return EvaluationSummary(
            verdict=self.verdict,
            agents=self.agents,
            paired=self.pairs[self.subject][self.criterion] if self.subject in self.pairs else None,
            comparisons=self.pairs,
            findings=self.judgements[self.subject].findings if self.subject in self.judgements else (),
            verdicts={name: judgement.verdict for name, judgement in self.judgements.items()},
            power=self.power,
            losses=dict(self.losses),
            titles=dict(self.titles),
        )


def adapter_names(agents: Collection[str]) -> list[str]:
    """The agents that are adapters, `tuned` first."""
    return sorted((agent for agent in agents if agent not in NAMES), key=lambda name: name != TUNED)


def score(
    episodes: EpisodesByAgent,
    scenarios: Sequence[Scenario],
    config: EvalConfig,
    obstacles: Mapping[str, str] | None = None,
    losses: Mapping[str, TextLoss] | None = None,
    held_out: Collection[str] = (),
    unseen: Collection[str] = (),
    titles: Mapping[str, str] = {},
) -> Score:
    """Score and judge an evaluation.

    episodes: of base and reference, of adapters by name, and of BASELINES if they played. obstacles: by adapter, see gate.judge.
    losses: of the base and of every adapter. held_out, unseen: archetypes, see labels.label_scenarios.
    titles: see AgentSource.
    """
    labelled, directives = labels.label_scenarios(scenarios, held_out, unseen), labels.seen_directives(scenarios, episodes[REFERENCE])
    names = adapter_names(episodes)
    pairs = compare_to_base(episodes, names, config)
    subject = names[0] if names else BASE
    judgements = {
        name: gate.judge(
            _relevant(episodes, titles, name), pairs[name], config, (obstacles or {}).get(name, ""), _paired_losses(losses or {}, name)
        )
        for name in names
    }
    without_adapter = gate.unmeasured(_relevant(episodes, titles), config) or f"unmeasured ({NOTHING_TO_COMPARE})"
    return Score(
        criterion=config.criterion,
        agents={agent: score_agent(played, config, labelled, directives) for agent, played in episodes.items()},
        pairs=pairs,
        judgements=judgements,
        verdict=judgements[subject].verdict if judgements else without_adapter,
        subject=subject,
        power=power_line(len({episode.scenario_id for episode in episodes[BASE]}), len({episode.archetype for episode in episodes[BASE]})),
        labels=labelled,
        directives=directives,
        losses=losses or {},
        titles=titles,
    )


def score_agent(
    episodes: Sequence[Trajectory], config: EvalConfig, labelled: labels.Labels, directives: Mapping[str, Sequence[str]]
) -> AgentScore:
    return AgentScore(
        rates=rates.rates(episodes),
        faults={name: rates.rate_of(episodes, met) for name, met in rates.FAULTS.items()},
        by=rates.rates_by_group(episodes, labelled),
        panic=rates.panic_rates(episodes),
        outcomes=dict(sorted(Counter(episode.outcome.value for episode in episodes).items())),
        turns=sum(len(episode.commands) for episode in episodes) / len(episodes) if episodes else 0.0,
        reasons=reasons.count_tags(episodes, directives),
        limits=reasons.count_limits(episodes),
        attempts=score_attempts(episodes, config.criterion),
    )


def compare_to_base(episodes: EpisodesByAgent, adapters: Sequence[str], config: EvalConfig) -> dict[str, dict[str, Paired]]:
    """Every adapter against the base by every criterion of the gate; p values have Holm's correction over the adapters."""
    pairs: dict[str, dict[str, Paired]] = {name: {} for name in adapters}
    for criterion in gate.criteria(config):
        if criterion == gate.LOSS:
            continue
        raw = {name: paired.pair(episodes[BASE], episodes[name], criterion) for name in adapters}
        adjusted = paired.holm({name: pair.mcnemar_p for name, pair in raw.items()})
        for name in adapters:
            pairs[name][criterion] = replace(raw[name], holm_p=adjusted[name])
    return pairs


def power_line(n: int, archetypes: int) -> str:
    """What n scenarios of so many archetypes can show, as a sentence without a full stop."""
    significant, promoted = power.power(n, POWER_GAIN), power.promotion(n, archetypes, POWER_GAIN)
    return (
        f"with n={n} scenarios of {archetypes} archetypes a true gain of {POWER_GAIN * 100:.0f} points is significant with probability "
        f"{significant:.2f} and promoted with probability {promoted:.2f}; {least_gain(n, archetypes)}"
    )


def least_gain(n: int, archetypes: int) -> str:
    """The smallest gain that n scenarios of so many archetypes promote, as a clause."""
    gain = power.detectable(n, archetypes)
    least = "no gain is" if gain is None else f"a gain of {gain * 100:.0f} points or more is"
    return f"{least} promoted with probability {power.POWER:.2f} or more"


def _paired_losses(losses: Mapping[str, TextLoss], adapter: str) -> dict[str, tuple[float, float]]:
    """(base, adapter) by text, for the texts that the base can read: elsewhere there is nothing to forget."""
    return {name: (text.nats_per_token[BASE], text.nats_per_token[adapter]) for name, text in losses.items() if text.base_can_read()}


def _relevant(episodes: EpisodesByAgent, titles: Mapping[str, str], adapter: str | None = None) -> EpisodesByAgent:
    """The agents that an adapter's verdict depends on, by title; a broken episode of a baseline spoils no verdict."""
    return {titles.get(agent, agent): episodes[agent] for agent in (BASE, adapter, REFERENCE) if agent is not None}
