"""report.html of an evaluation: the verdict with its findings, rates, outcomes, baselines, and every episode side by side."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from sekft.episode.trajectory import EpisodesByAgent, Outcome, Trajectory
from sekft.eval.about import About
from sekft.eval.labels import GROUPS
from sekft.eval.measures import LETTERS, letter
from sekft.eval.rates import CRITERIA, JUDGED, Rate
from sekft.eval.reasons import MEANINGS, tags
from sekft.eval.score import BASELINES, Score
from sekft.eval.summary import BASE, REFERENCE
from sekft.eval.terminal import limit_names, result_line, verdict_line
from sekft.eval.turns import Turn, describe, turns
from sekft.report.curves import LOSSES, chart
from sekft.report.page import write_page
from sekft.report.transcript import Piece, parting, pieces, shortened
from sekft.scenario.document import Scenario

TRANSCRIPT_BYTES = 3_500_000  # of all transcripts; the rest of a page of 128 scenarios takes less than a megabyte
EPISODE_BYTES = 16_000
HOW = ("command", "code", "tracker")  # facts that stand at the end of the page, not at its head
NEWS = {  # rates at the head of the page
    "verified": "did the work and left by the right terminal",
    "terminated": "left by exit or panic",
    "false_panic": "panicked too early; fewer are better",
}
SIGNS = {  # of a turn in a strip
    Turn.looked: "·", Turn.asked: "?", Turn.read: "≡", Turn.worked: "+", Turn.nothing: "×", Turn.exited: "→", Turn.panicked: "!",
}  # fmt: skip
FROM_BEST = [outcome.value for outcome in reversed(Outcome)]
MAX_REASON = 160  # characters; the text after panic may be much longer


@dataclass(frozen=True)
class ShownEpisode:
    """One episode on the page. screen: from the turn at which base and adapter differ, for those two; else the whole episode.

    strip: what each of its turns did; strip_text: the same in words.
    """

    agent: str
    outcome: str
    result: str
    tags: tuple[str, ...]
    screen: list[Piece]
    strip: tuple[Turn, ...]
    strip_text: str


@dataclass(frozen=True)
class ShownScenario:
    """One scenario on the page. labels: as one line. common: the screen before base and adapter differ. cut: characters left out."""

    id: str
    archetype: str
    letter: str
    labels: str
    common: list[Piece]
    pair: list[ShownEpisode]
    others: list[ShownEpisode]
    cut: int

    def shown(self) -> list[ShownEpisode]:
        """The episodes of every agent but the reference."""
        return [episode for episode in (*self.pair, *self.others) if episode.agent != REFERENCE]

    def outcomes(self) -> list[str]:
        """The outcomes of base and adapter."""
        return [episode.outcome for episode in self.pair]


def write_eval_page(
    episodes: EpisodesByAgent,
    scenarios: Sequence[Scenario],
    scored: Score,
    casts: Sequence[Path],
    path: Path,
    about: About = About(),  # noqa: B008, immutable
) -> Path:
    """Write one self-contained file that links the casts relative to itself; transcripts of baselines are left to episodes.jsonl.

    about: the run, empty if there is no record of it.
    """
    agents = [agent for agent in episodes if agent not in BASELINES]
    max_bytes = min(EPISODE_BYTES, TRANSCRIPT_BYTES // max(1, len(scenarios) * len(agents)))
    shown = [show_scenario(scenario, episodes, agents, scored, max_bytes) for scenario in scenarios]
    judgement = scored.judgements.get(scored.subject)
    drawn_agents = list(dict.fromkeys((BASE, scored.subject)))
    base = scored.worded("the base")
    word, _, sentence = verdict_line(scored).removeprefix("verdict: ").partition(":")
    charts = [
        chart("Loss", LOSSES, {"": [about.curves]}),
        *(chart(name.replace("_", " "), (f"eval/{name}",), {"": [about.curves]}) for name in NEWS),
    ]
    values = {
        "title": f"Evaluation: {scored.title(scored.subject)} against {scored.title(BASE)}"
        if scored.subject != BASE
        else f"Evaluation: {base} alone",
        "word": word,
        "sentence": f": {sentence.strip()}",
        "result": _sentence(result_line(scored).removeprefix("result: ")) if judgement else "",
        "about": about,
        "how": HOW,
        "base": base,
        "subject": scored.title(scored.subject),
        "news": NEWS,
        "charts": [one for one in charts if one],
        "behaviour": any(charts[1:]),
        "baseline_remarks": baseline_remarks(scored),
        "drawn_agents": drawn_agents,
        "outcomes_by_archetype": outcomes_by_archetype(episodes, drawn_agents),
        "outcomes_seen": [
            one.value for one in reversed(Outcome) if any(one.value in scored.agents[agent].outcomes for agent in drawn_agents)
        ],
        "turns": list(SIGNS),
        "signs": {turn.name: sign for turn, sign in SIGNS.items()},
        "scored": scored,
        "findings": [asdict(finding) | {"text": scored.worded(finding.text)} for finding in judgement.findings] if judgement else [],
        "pair": scored.pairs.get(scored.subject, {}).get(scored.criterion),
        "amount": len(scenarios),
        "rates": {name: {agent: (own.rates | own.faults)[name] for agent, own in scored.agents.items()} for name in JUDGED},
        "groups": criterion_by_group(scored),
        "matrix": outcome_matrix(episodes, scored),
        "outcomes": [outcome.value for outcome in Outcome],
        "archetypes": {
            name: [scenario for scenario in shown if scenario.archetype == name]
            for name in sorted({scenario.archetype for scenario in shown})
        },
        "letters": {sign: scored.worded(text) for sign, text in LETTERS.items()},
        "meanings": {tag: text for tag, text in MEANINGS.items() if any(own.reasons.get(tag) for own in scored.agents.values())},
        "limits": limit_names(scored),
        "baselines": {agent: text for agent, text in BASELINES.items() if agent in episodes},
        "reached_by_baselines": reached_by_baselines(scored),
        "scenarios": shown,
        "casts": [cast.relative_to(path.parent).as_posix() for cast in casts],
        "left_out": left_out_lines(episodes, agents, sum(scenario.cut for scenario in shown)),
    }
    write_page(Path(__file__).with_name("page.html.jinja"), values, path)
    return path


def show_scenario(scenario: Scenario, episodes: EpisodesByAgent, agents: Sequence[str], scored: Score, max_bytes: int) -> ShownScenario:
    """The first attempt of each agent; base and adapter from the turn at which they differ, the other agents in full."""
    pair = (BASE, scored.subject)
    first = {agent: next((episode for episode in episodes[agent] if episode.scenario_id == scenario.id), None) for agent in agents}
    base, tuned = first[BASE], first[scored.subject]
    shared = parting(base, tuned) if base and tuned and base is not tuned else 0
    common, cut = shortened(pieces(base.messages[:shared]) if base else [], max_bytes)
    shown = []
    for agent, episode in first.items():
        if episode is not None:
            screen, lost = shortened(pieces(episode.messages[shared if agent in pair else 0 :]), max_bytes)
            cut += lost
            strip = turns(episode, scenario.provider.name, scored.directives.get(scenario.id, ()))
            why = tags(episode, scored.directives.get(scenario.id, ()))
            shown.append(ShownEpisode(agent, episode.outcome.value, ending_line(episode), why, screen, strip, describe(strip)))
    labels = scored.labels[scenario.id]
    before, after = ([episode for episode in episodes[agent] if episode.scenario_id == scenario.id] for agent in pair)
    return ShownScenario(
        id=scenario.id,
        archetype=scenario.archetype,
        letter=letter(before, after, JUDGED[scored.criterion]),
        labels=", ".join(labels[key] for key in (*GROUPS, "terminal") if labels.get(key)),
        common=common,
        pair=[episode for episode in shown if episode.agent in pair],
        others=[episode for episode in shown if episode.agent not in pair],
        cut=cut,
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def ending_line(episode: Trajectory) -> str:
    """Ending, outcome and reason."""
    text = episode.reason if len(episode.reason) <= MAX_REASON else f"{episode.reason[:MAX_REASON]}..."
    reason = f" ({text})" if text and text != episode.outcome.value else ""
    return f"{episode.ending.value}, {episode.outcome.value}{reason}"


def outcome_matrix(episodes: EpisodesByAgent, scored: Score) -> dict[tuple[str, str], int]:
    """The number of scenarios by (outcome of the base, outcome of the adapter), from the first attempts; empty without an adapter."""
    if scored.subject == BASE:
        return {}
    base, tuned = (
        {episode.scenario_id: episode.outcome.value for episode in reversed(episodes[agent])} for agent in (BASE, scored.subject)
    )
    return dict(Counter((base[scenario], tuned[scenario]) for scenario in base if scenario in tuned))


def outcomes_by_archetype(episodes: EpisodesByAgent, agents: Sequence[str]) -> dict[str, dict[str, dict[str, int]]]:
    """Episodes by archetype, agent and outcome, the outcomes from the best to the worst."""
    found: dict[str, dict[str, Counter[str]]] = {}
    for agent in agents:
        for episode in episodes[agent]:
            counts = found.setdefault(episode.archetype, {one: Counter() for one in agents})
            counts[agent][episode.outcome.value] += 1
    return {
        archetype: {agent: {name: counts[name] for name in FROM_BEST if counts[name]} for agent, counts in by_agent.items()}
        for archetype, by_agent in found.items()
    }


def baseline_remarks(scored: Score) -> dict[str, str]:
    """By criterion of the gate that a baseline reaches: what that means, and which other criterion shows skill."""
    remarks = {}
    for name, baseline in reached_by_baselines(scored).items():
        own = {other: scored.agents[baseline].rates[other] for other in (name, scored.criterion)}
        reached = f"The baseline {baseline}, which {BASELINES[baseline]}, reaches {own[name].k}/{own[name].n}"
        remarks[name] = f"{reached}: meeting this criterion needs no skill."
        if name != scored.criterion:
            decisive = own[scored.criterion]
            remarks[name] += f" The gate asks for {scored.criterion} as well, where {baseline} reaches {decisive.k}/{decisive.n}."
    return remarks


def criterion_by_group(scored: Score) -> dict[str, dict[str, Rate]]:
    """The rate of the criterion by group of scenarios, then agent; without archetypes, which have a table of their own."""
    by = {name: agent.by for name, agent in scored.agents.items() if name not in BASELINES}
    groups = [group for group in by[BASE] if not group.startswith("archetype=")]
    return {group: {agent: rates[group][scored.criterion] for agent, rates in by.items() if group in rates} for group in groups}


def reached_by_baselines(scored: Score) -> dict[str, str]:
    """Rates at which the best baseline is at or above the low end of the subject's interval, with that baseline's name."""
    baselines = [name for name in BASELINES if name in scored.agents]
    subject = scored.agents[scored.subject].rates
    best = {name: max((scored.agents[baseline].rates[name].rate, baseline) for baseline in baselines) for name in CRITERIA if baselines}
    return {name: baseline for name, (rate, baseline) in best.items() if rate > 0 and rate >= subject[name].low}


def left_out_lines(episodes: EpisodesByAgent, agents: Sequence[str], cut: int) -> list[str]:
    """What the page leaves out, in sentences. agents: whose transcripts are on it; cut: characters left out of those."""
    lines = [f"{cut} characters of long transcripts were left out."] if cut else []
    if missing := [agent for agent in episodes if agent not in agents]:
        lines.append(f"The episodes of {', '.join(missing)} are not shown.")
    if len(episodes[BASE]) > len({episode.scenario_id for episode in episodes[BASE]}):
        lines.append("Of several attempts at one scenario the first is shown.")
    if not lines:
        return ["Nothing was left out; episodes.jsonl has the same episodes as data."]
    return [*lines, "episodes.jsonl has every episode in full."]
