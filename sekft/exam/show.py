"""An exam as a person reads it: one table of rates, one line of pairing, one verdict."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from sekft.exam.paired import Paired, detectable
from sekft.exam.rates import CRITERIA, rates
from sekft.rollout.trajectory import Trajectory
from sekft.scenario.bundle import Bundle


def rates_table(players: Mapping[str, Sequence[Trajectory]]) -> Table:
    table = Table(title="worlds, k/n [95 % Wilson]", title_justify="left")
    table.add_column("rate")
    for player in players:
        table.add_column(player, justify="right")
    scores = {player: rates(lives) for player, lives in players.items()}
    for name in CRITERIA:
        table.add_row(name, *(str(score[name]) for score in scores.values()))
    return table


def paired_line(paired: Paired) -> str:
    interval = (
        "no interval below two archetypes"
        if paired.low is None
        else f"[{paired.low:+.2f}, {paired.high:+.2f}] over {paired.archetypes} archetypes"
    )
    return (
        f"{paired.criterion}, tuned minus base on the same {paired.n} worlds: {paired.difference:+.2f} {interval}; "
        f"won {paired.wins}, lost {paired.losses}, both {paired.both}, neither {paired.neither}; McNemar p = {paired.mcnemar_p:.3g}"
    )


def power_line(bundles: Sequence[Bundle]) -> str:
    archetypes = len({bundle.archetype for bundle in bundles})
    gain = detectable(len(bundles), archetypes)
    shown = "no gain at all" if gain is None else f"a true gain of +{gain:.2f} or more"
    return f"this exam ({len(bundles)} worlds of {archetypes} archetypes) promotes {shown} with 80 % power"


def print_rates(players: Mapping[str, Sequence[Trajectory]]) -> None:
    Console(width=120).print(rates_table(players))
