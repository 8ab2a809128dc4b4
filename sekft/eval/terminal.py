"""An evaluation as text for the terminal: a table of rates and reasons, then lines with comparisons, findings and the verdict."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from sekft.eval import score
from sekft.eval.attempts import Attempts
from sekft.eval.criterion import Finding
from sekft.eval.paired import Paired
from sekft.eval.rates import CRITERIA, FAULTS
from sekft.eval.reasons import MEANINGS
from sekft.eval.score import Score
from sekft.eval.summary import TextLoss
from sekft.scenario.document import Scenario


def score_table(scored: Score) -> Table:
    """Rates and losses; below them the reasons why episodes were not kept, and how many episodes reached which limit."""
    table = Table(title="episodes, k/n [95 % Wilson]; below: why not kept; limits reached", title_justify="left")
    table.add_column("rate")
    agents = scored.agents.values()
    for name in scored.agents:
        table.add_column(name, justify="right")
    for name in CRITERIA:
        table.add_row(name, *(str(agent.rates[name]) for agent in agents))
    for name in FAULTS:
        table.add_row(name, *(str(agent.faults[name]) for agent in agents))
    for name, text in scored.losses.items():
        losses = text.nats_per_token
        table.add_row(f"loss of {name}", *(f"{losses[agent]:.3f}" if agent in losses else "" for agent in scored.agents))
    _add_counts(table, {tag: [agent.reasons.get(tag, 0) for agent in agents] for tag in MEANINGS})
    _add_counts(table, {name: [agent.limits.get(name, 0) for agent in agents] for name in limit_names(scored)})
    return table


def _add_counts(table: Table, counts: dict[str, list[int]]) -> None:
    table.add_section()
    for name, own in counts.items():
        if any(own):
            table.add_row(name, *(str(count or "") for count in own))


def limit_names(scored: Score) -> list[str]:
    """The limits that any agent reached."""
    return sorted({name for agent in scored.agents.values() for name in agent.limits})


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


def loss_line(name: str, text: TextLoss) -> str:
    losses = ", ".join(f"{agent} {loss:.3f}" for agent, loss in text.nats_per_token.items())
    line = f"loss of {name}, the text of sha256 {text.sha256[:16]}, over {text.tokens} tokens: {losses} nats per token"
    if text.base_can_read():
        return line
    return f"{line}; no better than token frequencies ({text.unigram:.3f}): the base has nothing to forget"


def attempts_line(agent: str, attempts: Attempts) -> str:
    numbers = [f"pass@{k} {attempts.pass_at[k]:.2f}, pass^{k} {attempts.pass_all[k]:.2f}" for k in attempts.pass_at]
    return f"{agent}: {'; '.join(numbers)}"


def power_line(scenarios: Sequence[Scenario]) -> str:
    return f"this evaluation: {score.power_line(len(scenarios), len({scenario.archetype for scenario in scenarios}))}"


def lines(scored: Score) -> list[str]:
    """The lines below the table; the verdict comes last."""
    out = [loss_line(name, text) for name, text in scored.losses.items()]
    out += [attempts_line(name, agent.attempts) for name, agent in scored.agents.items() if agent.attempts]
    for name, judgement in scored.judgements.items():
        out.append(paired_line(name, scored.pairs[name][scored.criterion]))
        out += map(finding_line, judgement.findings)
        if name != scored.subject:
            out.append(f"verdict on {name}: {judgement.verdict}")
    return [*out, scored.power, f"verdict: {scored.verdict}"]


def print_table(scored: Score) -> None:
    Console(width=max(120, 22 + 25 * len(scored.agents))).print(score_table(scored))
