"""An evaluation as text: the news and a table for the terminal, and every number, comparison and finding for the log of the run."""

from collections.abc import Sequence

from rich.markup import escape
from rich.table import Table

from sekft.eval import score
from sekft.eval.attempts import Attempts
from sekft.eval.criterion import Finding, Tier
from sekft.eval.gate import Verdict
from sekft.eval.paired import Paired
from sekft.eval.rates import CRITERIA, FAULTS
from sekft.eval.score import BASELINES, NOTHING_TO_COMPARE, Score
from sekft.eval.summary import BASE, TUNED, TextLoss
from sekft.scenario import frozen
from sekft.scenario.document import Scenario

MOST_SCENARIOS = 2000  # that an evaluation is advised to play; for more the number alone is said


def score_table(scored: Score) -> Table:
    """Base, adapters and reference, one row each: the deciding rate with its interval, and how many episodes met other rates.

    It fits into 80 columns; the other rates, reasons, limits and baselines are in the lines for the log and on the page.
    """
    shown = {name: agent for name, agent in scored.agents.items() if name not in BASELINES}
    others = [name for name in (*CRITERIA, *FAULTS) if name not in (scored.criterion, "right_terminal")]
    table = Table("", box=None, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column(scored.criterion, no_wrap=True)
    for name in (*others, *(f"loss_of_{text}" for text in scored.losses)):
        table.add_column(name.replace("_", " "), justify="right")
    for name, agent in shown.items():
        rates = {**agent.rates, **agent.faults}
        decisive = rates[scored.criterion]
        counts = [str(rates[other].k) if rates[other].n == decisive.n else f"{rates[other].k}/{rates[other].n}" for other in others]
        losses = [text.nats_per_token for text in scored.losses.values()]
        table.add_row(escape(scored.title(name)), str(decisive), *counts, *(f"{loss[name]:.3f}" if name in loss else "" for loss in losses))
    return table


def news(scored: Score) -> list[str]:
    """What a person wants to know first, in plain sentences: what tuned model and base do, and the verdict with its reason."""
    return [result_line(scored), verdict_line(scored)]


def result_line(scored: Score) -> str:
    name, criterion = scored.subject, scored.criterion
    did = "did the work and left" if criterion == "verified" else f"was {criterion}"
    own, base = (scored.agents[agent].rates[criterion] for agent in (name, BASE))
    if name == BASE:
        return scored.worded(f"result: the base {did} in {base.k} of {base.n} scenarios.")
    pair = scored.pairs[name][criterion]
    interval = "" if pair.low is None or pair.high is None else f", 95 % interval {round(100 * pair.low):+d} to {round(100 * pair.high):+d}"
    agent = "the tuned model" if name == TUNED else name
    gained = f"{round(100 * pair.difference):+d} points"
    return scored.worded(f"result: {agent} {did} in {own.k} of {own.n} scenarios, the base in {base.k}: {gained}{interval}.")


def verdict_line(scored: Score) -> str:
    """The verdict with its reason in a sentence."""
    word, _, reason = scored.verdict.partition(" ")
    reason = reason.removeprefix("(").removesuffix(")")
    n = scored.agents[scored.subject].rates[scored.criterion].n
    match Verdict(word):
        case Verdict.promote:
            undecided = [
                one for one in scored.judgements[scored.subject].findings if one.state == "undecided" and one.tier == Tier.supporting.value
            ]
            but = "".join(f"; undecided: {one.criterion}: {one.text}" for one in undecided)
            why = f"the adapter is better than its base, and no criterion of the gate speaks against it{but}"
        case Verdict.hold:
            why = f"the adapter should not replace its base: {reason}"
        case Verdict.inconclusive if reason.startswith("needs n"):
            why = f"{n} scenarios are too few to tell; {_enough(int(reason.removeprefix('needs n >= ')))}"
        case Verdict.inconclusive:
            why = f"these {n} scenarios cannot tell: it {reason}"
        case Verdict.unmeasured if reason == NOTHING_TO_COMPARE and scored.titles:
            why = "the base is compared with nothing; adapter= names another agent"
        case Verdict.unmeasured:
            why = reason
    return scored.worded(f"verdict: {word}: {why}.")


def _enough(needed: int) -> str:
    """Which scenarios would decide, where so many are needed."""
    if needed > MOST_SCENARIOS:
        return f"to show a difference this small would take {needed:,}"
    where = "test" if needed <= frozen.SIZE else "fresh"
    return f"{needed} or more would decide (eval.episodes={needed} scenarios={where})"


def not_kept_line(scored: Score) -> str:
    """Why episodes of the subject were not verified, and which limits it reached; empty if there is nothing to tell."""
    agent = scored.agents[scored.subject]
    parts = [f"{tag} {count}" for tag, count in sorted(agent.reasons.items(), key=lambda item: -item[1])]
    parts += [f"{name} reached {count}" for name, count in sorted(agent.limits.items())]
    return f"why not, {scored.title(scored.subject)}: {', '.join(parts)}" if parts else ""


def beaten_line(scored: Score) -> str:
    """A warning where a baseline, which has no skill, does as well as the subject; empty otherwise."""
    own = scored.agents[scored.subject].rates[scored.criterion].k
    reached = {name: scored.agents[name].rates[scored.criterion].k for name in BASELINES if name in scored.agents}
    as_good = [f"{name}, which {BASELINES[name]}" for name, k in reached.items() if own <= k > 0]
    return f"careful: a baseline does as well: {', '.join(as_good)}" if as_good else ""


def agent_lines(scored: Score) -> list[str]:
    """Every agent's rates, and the reasons and limits of its episodes, for the log."""
    lines = []
    for name, agent in scored.agents.items():
        rates = ", ".join(f"{rate} {value}" for rate, value in {**agent.rates, **agent.faults}.items())
        counts = ", ".join(f"{tag} {count}" for tag, count in {**agent.reasons, **agent.limits}.items())
        lines.append(f"{scored.title(name)}: {rates}{f'; not kept: {counts}' if counts else ''}")
    return lines


def limit_names(scored: Score) -> list[str]:
    """The limits that any agent reached."""
    return sorted({name for agent in scored.agents.values() for name in agent.limits})


def paired_line(adapter: str, base: str, pair: Paired) -> str:
    interval = (
        "no interval below two archetypes" if pair.low is None else f"[{pair.low:+.2f}, {pair.high:+.2f}] over {pair.archetypes} archetypes"
    )
    holm = "" if pair.holm_p == pair.mcnemar_p else f", after Holm {pair.holm_p:.3g}"
    return (
        f"{pair.criterion}, {adapter} minus {base} on the same {pair.n} scenarios: {pair.difference:+.2f} {interval}; "
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
    n, archetypes = len(scenarios), len({scenario.archetype for scenario in scenarios})
    return f"this evaluation: with n={n} scenarios of {archetypes} archetypes {score.least_gain(n, archetypes)}"


def lines(scored: Score) -> list[str]:
    """All numbers and findings, for the log of the run; the verdict comes last."""
    out = agent_lines(scored) + [loss_line(name, text) for name, text in scored.losses.items()]
    out += [attempts_line(scored.title(name), agent.attempts) for name, agent in scored.agents.items() if agent.attempts]
    for name, judgement in scored.judgements.items():
        out.append(paired_line(scored.title(name), scored.title(BASE), scored.pairs[name][scored.criterion]))
        out += map(finding_line, judgement.findings)
        if name != scored.subject:
            out.append(f"verdict on {scored.title(name)}: {judgement.verdict}")
    return [*out, scored.power, f"verdict: {scored.verdict}"]
