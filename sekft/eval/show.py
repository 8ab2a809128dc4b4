"""An evaluation as a person reads it in the terminal: a table of rates, one of reasons, a line of pairing, the gate's findings, the verdict."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from sekft.episode.trajectory import Trajectory
from sekft.eval import score
from sekft.eval.criterion import Finding
from sekft.eval.paired import Paired
from sekft.eval.rates import CRITERIA, FAULTS, Rate, rates
from sekft.eval.reasons import MEANINGS
from sekft.eval.score import Score, can_read
from sekft.scenario.document import Scenario


def rates_table(agents: Mapping[str, Sequence[Trajectory]]) -> Table:
    table = Table(title="episodes, k/n [95 % Wilson]", title_justify="left")
    table.add_column("rate")
    for agent in agents:
        table.add_column(agent, justify="right")
    scores = {agent: rates(episodes) for agent, episodes in agents.items()}
    for name in CRITERIA:
        table.add_row(name, *(str(scored[name]) for scored in scores.values()))
    return table


def score_table(scored: Score) -> Table:
    """Rates and losses, below them why episodes were not kept, below that how many reached which limit."""
    table = Table(title="episodes, k/n [95 % Wilson]; below: why not kept; limits reached", title_justify="left")
    table.add_column("rate")
    for agent in scored.agents:
        table.add_column(agent, justify="right")
    for kind, names in (("rates", CRITERIA), ("faults", FAULTS)):
        for name in names:
            table.add_row(name, *(str(Rate(**agent[kind][name])) for agent in scored.agents.values()))
    for name, text in scored.losses.items():
        told = text["nats_per_token"]
        table.add_row(f"loss of {name}", *(f"{told[agent]:.3f}" if agent in told else "" for agent in scored.agents))
    for counted, tags in (("reasons", list(MEANINGS)), ("limits", limits(scored))):
        table.add_section()
        for tag in tags:
            counts = [agent[counted].get(tag, 0) for agent in scored.agents.values()]
            if any(counts):
                table.add_row(tag, *(str(count or "") for count in counts))
    return table


def limits(scored: Score) -> list[str]:
    """Names of those that anybody reached."""
    return sorted({name for agent in scored.agents.values() for name in agent["limits"]})


def paired_line(adapter: str, pair: Paired) -> str:
    interval = (
        "no interval below two archetypes" if pair.low is None else f"[{pair.low:+.2f}, {pair.high:+.2f}] over {pair.archetypes} archetypes"
    )
    holm = "" if pair.holm_p == pair.mcnemar_p else f", after Holm {pair.holm_p:.3g}"
    return (
        f"{pair.criterion}, {adapter} minus base on the same {pair.n} scenarios: {pair.difference:+.2f} {interval}; "
        f"won {pair.wins}, lost {pair.losses}, both {pair.both}, neither {pair.neither}; McNemar p = {pair.mcnemar_p:.3g}{holm}"
    )


def finding_line(finding: Finding) -> str:
    return f"  {finding.state}: {finding.criterion} ({finding.tier}): {finding.text}"


def text_line(name: str, text: Mapping[str, Any]) -> str:
    losses = ", ".join(f"{agent} {loss:.3f}" for agent, loss in text["nats_per_token"].items())
    said = f"loss of {name}, the text of sha256 {text['sha256'][:16]}, over {text['tokens']} tokens: {losses} nats per token"
    least = f"{said}; no better than knowing how often each token is in it ({text['unigram']:.3f})"
    return said if can_read(text) else f"{least}: the base has nothing to forget"


def attempts_line(agent: str, tried: Mapping[str, Mapping[int, float]]) -> str:
    numbers = [f"pass@{k} {tried['pass_at'][k]:.2f}, pass^{k} {tried['pass_all'][k]:.2f}" for k in tried["pass_at"]]
    return f"{agent}: {'; '.join(numbers)}"


def power_line(scenarios: Sequence[Scenario]) -> str:
    return f"this evaluation: {score.power_line(len(scenarios), len({scenario.archetype for scenario in scenarios}))}"


def lines(scored: Score) -> list[str]:
    """What stands below the table; the verdict last."""
    out = [text_line(name, text) for name, text in scored.losses.items()]
    out += [attempts_line(agent, one["attempts"]) for agent, one in scored.agents.items() if one["attempts"]]
    for name, judgement in scored.judged.items():
        out.append(paired_line(name, scored.pairs[name][scored.criterion]))
        out += map(finding_line, judgement.findings)
        if name != scored.looked_at:
            out.append(f"verdict on {name}: {judgement.verdict}")
    return [*out, scored.power, f"verdict: {scored.verdict}"]


def print_score(scored: Score) -> None:
    Console(width=max(120, 22 + 25 * len(scored.agents))).print(score_table(scored))
