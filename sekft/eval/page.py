"""The page of an evaluation: verdict and reasons, intervals, who won where, what a baseline scores, every episode side by side."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sekft.episode.trajectory import EpisodesByAgent, Outcome, Trajectory
from sekft.eval.labels import GROUPS
from sekft.eval.measures import LETTERS, letter
from sekft.eval.rates import CRITERIA, FAULTS, JUDGED
from sekft.eval.reasons import MEANINGS, tags
from sekft.eval.score import BASE, BASELINES, REFERENCE, Score
from sekft.eval.show import limits
from sekft.report.page import write_page
from sekft.report.transcript import Piece, parting, pieces, shortened
from sekft.scenario.document import Scenario

PAGE_BYTES = 3_500_000  # of transcripts; the rest of a page of 128 scenarios takes less than a megabyte
EPISODE_BYTES = 16_000
MOST_REASON = 160  # characters; a panic may say much more


@dataclass(frozen=True)
class Shown:
    """One episode on the page, from where it parts from the base's."""

    agent: str
    said: str
    tags: tuple[str, ...]
    screen: list[Piece]


def write_eval_page(episodes: EpisodesByAgent, scenarios: Sequence[Scenario], scored: Score, casts: Sequence[Path], path: Path) -> Path:
    """One self-contained file; casts are linked relative to it. Transcripts of baselines stay in episodes.jsonl."""
    shown = [agent for agent in episodes if agent not in BASELINES]
    most = min(EPISODE_BYTES, PAGE_BYTES // max(1, len(scenarios) * len(shown)))
    shown_scenarios = [scenario_values(scenario, episodes, shown, scored, most) for scenario in scenarios]
    left_out = sum(one["cut"] for one in shown_scenarios)
    values = {
        "title": f"Evaluation: {scored.looked_at} against base" if scored.looked_at != BASE else "Evaluation: the base alone",
        "word": scored.verdict.split()[0],
        "scored": scored,
        "findings": [asdict(finding) for finding in judged.findings] if (judged := scored.judged.get(scored.looked_at)) else [],
        "pair": scored.pairs.get(scored.looked_at, {}).get(scored.criterion),
        "amount": len(scenarios),
        "rates": {
            name: {agent: one[kind][name] for agent, one in scored.agents.items()}
            for kind, names in (("rates", CRITERIA), ("faults", FAULTS))
            for name in names
        },
        "groups": groups(scored),
        "matrix": matrix(episodes, scored),
        "outcomes": [outcome.value for outcome in Outcome],
        "archetypes": archetypes(shown_scenarios),
        "letters": LETTERS,
        "meanings": {tag: text for tag, text in MEANINGS.items() if any(one["reasons"].get(tag) for one in scored.agents.values())},
        "limits": limits(scored),
        "baselines": {agent: text for agent, text in BASELINES.items() if agent in episodes},
        "won_by_baselines": won_by_baselines(scored),
        "scenarios": shown_scenarios,
        "casts": [cast.relative_to(path.parent).as_posix() for cast in casts],
        "left_out": left_out_lines(episodes, shown, left_out),
    }
    write_page(Path(__file__).with_name("page.html.jinja"), values, path)
    return path


def scenario_values(scenario: Scenario, episodes: EpisodesByAgent, shown: Sequence[str], scored: Score, most_bytes: int) -> dict[str, Any]:
    """Both episodes from where they part, the others whole; of several attempts the first."""
    first = {agent: next((episode for episode in episodes[agent] if episode.scenario_id == scenario.id), None) for agent in shown}
    base, tuned = first[BASE], first[scored.looked_at]
    apart = parting(base, tuned) if base and tuned and base is not tuned else 0
    cut, played = 0, []
    for agent, episode in first.items():
        if episode is not None:
            together = apart if agent in (BASE, scored.looked_at) else 0
            screen, lost = shortened(pieces(episode.messages[together:]), most_bytes)
            cut += lost
            played.append(Shown(agent, said(episode), tags(episode, scored.readable.get(scenario.id, ())), screen))
    common, lost = shortened(pieces(base.messages[:apart]) if base else [], most_bytes)
    labels = scored.labels[scenario.id]
    before, after = ([episode for episode in episodes[agent] if episode.scenario_id == scenario.id] for agent in (BASE, scored.looked_at))
    return {
        "id": scenario.id,
        "archetype": scenario.archetype,
        "letter": letter(before, after, JUDGED[scored.criterion]),
        "about": ", ".join(labels[key] for key in (*GROUPS, "terminal") if labels.get(key)),
        "outcomes": [(one.agent, one.said) for one in played if one.agent != REFERENCE],
        "common": common,
        "pair": [one for one in played if one.agent in (BASE, scored.looked_at)],
        "others": [one for one in played if one.agent not in (BASE, scored.looked_at)],
        "cut": cut + lost,
    }


def said(episode: Trajectory) -> str:
    why = episode.reason if len(episode.reason) <= MOST_REASON else f"{episode.reason[:MOST_REASON]}..."
    reason = f" ({why})" if why and why != episode.outcome.value else ""
    return f"{episode.ending.value}, {episode.outcome.value}{reason}"


def matrix(episodes: EpisodesByAgent, scored: Score) -> dict[tuple[str, str], int]:
    """Scenarios by (outcome of the base, outcome of the adapter), first attempts."""
    if scored.looked_at == BASE:
        return {}
    base, tuned = (
        {episode.scenario_id: episode.outcome.value for episode in reversed(episodes[agent])} for agent in (BASE, scored.looked_at)
    )
    return dict(Counter((base[scenario], tuned[scenario]) for scenario in base if scenario in tuned))


def archetypes(scenarios: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    return {name: [one for one in scenarios if one["archetype"] == name] for name in sorted({one["archetype"] for one in scenarios})}


def groups(scored: Score) -> dict[str, dict[str, Any]]:
    """The criterion's rate by kind of scenario and agent; archetypes have the map."""
    by = {agent: one["by"] for agent, one in scored.agents.items() if agent not in BASELINES}
    kinds = [kind for kind in by[BASE] if not kind.startswith("archetype=")]
    return {kind: {agent: rates[kind][scored.criterion] for agent, rates in by.items() if kind in rates} for kind in kinds}


def won_by_baselines(scored: Score) -> dict[str, str]:
    """Rates that a baseline reaches within the interval of the agent looked at: they tell a mind from a baseline no longer."""
    mine = scored.agents[scored.looked_at]["rates"]
    best = {name: max((scored.agents[baseline]["rates"][name]["rate"], baseline) for baseline in BASELINES if baseline in scored.agents)
            for name in CRITERIA if any(baseline in scored.agents for baseline in BASELINES)}  # fmt: skip
    return {name: baseline for name, (rate, baseline) in best.items() if rate > 0 and rate >= mine[name]["low"]}


def left_out_lines(episodes: EpisodesByAgent, shown: Sequence[str], cut: int) -> list[str]:
    lines = [f"{cut} characters of long transcripts were left out."] if cut else []
    if silent := [agent for agent in episodes if agent not in shown]:
        lines.append(f"The episodes of {', '.join(silent)} are not drawn.")
    if len(episodes[BASE]) > len({episode.scenario_id for episode in episodes[BASE]}):
        lines.append("Of several attempts at one scenario the first is drawn.")
    return (
        [*lines, "episodes.jsonl has every episode whole."]
        if lines
        else ["Nothing was left out; episodes.jsonl has the same episodes as data."]
    )
