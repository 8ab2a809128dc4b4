"""An evaluation's episodes as numbers: every agent scored, every adapter compared with the base and judged; plain data for summary and page."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from sekft.config import EvalConfig
from sekft.episode.trajectory import EpisodesByAgent, Trajectory
from sekft.eval import gate, labels, paired, power, rates, reasons
from sekft.eval.attempts import attempts
from sekft.eval.gate import Judgement
from sekft.eval.paired import Paired
from sekft.scenario.document import Scenario

BASE, REFERENCE, TUNED = "base", "reference", "tuned"
BASELINES = {"random": "types commands drawn at random", "exit": "types exit at once", "panic": "types panic at once"}
NAMES = (BASE, REFERENCE, *BASELINES)  # of agents that no adapter may have
Texts = Mapping[str, Mapping[str, Any]]  # by name: sha256, tokens, unigram, and nats_per_token by agent
TOLD_GAIN = 0.2
NO_EVALUATION: dict[str, Any] = {  # that part, without an evaluation
    **dict.fromkeys((BASE, TUNED, REFERENCE, "paired", "power", "sandbox", "scenarios")),
    "agents": {},
    "comparisons": {},
    "findings": [],
    "losses": {},
    "verdicts": {},
    "tokens": {},
    "remembered": [],
    "verdict": "unmeasured (eval=none)",
}


@dataclass(frozen=True)
class Score:
    """agents: as in summary.json, with reasons and attempts. pairs: by adapter, then criterion. judged: by adapter."""

    criterion: str
    agents: dict[str, dict[str, Any]]
    pairs: dict[str, dict[str, Paired]]
    judged: dict[str, Judgement]
    verdict: str  # of the adapter looked at; without one: why there is nothing to judge
    looked_at: str  # that adapter; without one: base
    power: str
    labels: labels.Labels
    readable: Mapping[str, Sequence[str]]
    losses: Texts

    def summary(self) -> dict[str, Any]:
        """The evaluation's part of summary.json."""
        pair = self.pairs[self.looked_at][self.criterion] if self.looked_at in self.pairs else None
        judged = self.judged.get(self.looked_at, Judgement(self.verdict))
        return {
            **{agent: self.agents.get(agent) for agent in (BASE, TUNED, REFERENCE)},
            "agents": {agent: scored for agent, scored in self.agents.items() if agent not in (BASE, TUNED, REFERENCE)},
            "paired": asdict(pair) if pair else None,
            "comparisons": {name: {key: asdict(one) for key, one in pairs.items()} for name, pairs in self.pairs.items()},
            "verdict": self.verdict,
            "findings": [asdict(finding) for finding in judged.findings],
            "verdicts": {name: judgement.verdict for name, judgement in self.judged.items()},
            "power": self.power,
            "losses": {name: dict(text) for name, text in self.losses.items()},
        }


def adapters(agents: Collection[str]) -> list[str]:
    """tuned first."""
    names = [agent for agent in agents if agent not in NAMES]
    return sorted(names, key=lambda name: name != TUNED)


def score(
    episodes: EpisodesByAgent,
    scenarios: Sequence[Scenario],
    config: EvalConfig,
    doubts: Mapping[str, str] | None = None,
    losses: Texts | None = None,
    held_out: Collection[str] = (),
    unseen: Collection[str] = (),
) -> Score:
    """episodes: of base and reference, of adapters by name, of STONES if they played. doubts: by adapter, see gate.judge.

    losses: of the base and of every adapter, or of nobody. held_out, unseen: archetypes, see labels.labels.
    """
    labelled, readable = labels.labels(scenarios, held_out, unseen), labels.readable(scenarios, episodes[REFERENCE])
    names = adapters(episodes)
    pairs = compared(episodes, names, config)
    looked_at = names[0] if names else BASE
    judged = {
        name: gate.judge(_agents(episodes, name), pairs[name], config, (doubts or {}).get(name, ""), _against_base(losses or {}, name))
        for name in names
    }
    alone = gate.unmeasured(_agents(episodes), config) or "unmeasured (no adapter to compare)"
    return Score(
        criterion=config.criterion,
        agents={agent: scored(played, config, labelled, readable) for agent, played in episodes.items()},
        pairs=pairs,
        judged=judged,
        verdict=judged[looked_at].verdict if judged else alone,
        looked_at=looked_at,
        power=power_line(len({episode.scenario_id for episode in episodes[BASE]}), len({episode.archetype for episode in episodes[BASE]})),
        labels=labelled,
        readable=readable,
        losses=losses or {},
    )


def compared(episodes: EpisodesByAgent, names: Sequence[str], config: EvalConfig) -> dict[str, dict[str, Paired]]:
    """Every adapter against the base, by every criterion of the gate; p values after Holm over the adapters."""
    found: dict[str, dict[str, Paired]] = {name: {} for name in names}
    for criterion in gate.criteria(config):
        if criterion == gate.LOSS:
            continue
        raw = {name: paired.pair(episodes[BASE], episodes[name], criterion) for name in names}
        adjusted = paired.holm({name: pair.mcnemar_p for name, pair in raw.items()})
        for name in names:
            found[name][criterion] = replace(raw[name], holm_p=adjusted[name])
    return found


def scored(
    episodes: Sequence[Trajectory], config: EvalConfig, labelled: labels.Labels, readable: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    tried = attempts(episodes, config.criterion)
    return {
        **rates.scored(episodes, labelled),
        "reasons": reasons.counted(episodes, readable),
        "limits": reasons.limits(episodes),
        "attempts": asdict(tried) if tried else None,
    }


def power_line(n: int, archetypes: int) -> str:
    gain = power.detectable(n, archetypes)
    least = "no gain is" if gain is None else f"a gain of {gain * 100:.0f} points or more is"
    seen, promoted = power.power(n, TOLD_GAIN), power.promotion(n, archetypes, TOLD_GAIN)
    return (
        f"with n={n} scenarios of {archetypes} archetypes a true gain of {TOLD_GAIN * 100:.0f} points is seen with {seen:.0%} "
        f"and promoted with {promoted:.0%}; {least} promoted with 80 %"
    )


def _against_base(losses: Texts, adapter: str) -> dict[str, tuple[float, float]]:
    """Of the texts the base can read at all: where it knows nothing, there is nothing to forget."""
    told = {name: text["nats_per_token"] for name, text in losses.items() if can_read(text)}
    return {name: (nats[BASE], nats[adapter]) for name, nats in told.items()}


def can_read(text: Mapping[str, Any]) -> bool:
    return bool(text["nats_per_token"][BASE] < text["unigram"])


def _agents(episodes: EpisodesByAgent, adapter: str | None = None) -> dict[str, Sequence[Trajectory]]:
    """Those an adapter's verdict hangs on: a baseline's broken episode spoils no verdict."""
    return {agent: episodes[agent] for agent in (BASE, adapter, REFERENCE) if agent is not None}
