"""Lives planted by a test: each as a trajectory that could have been recorded."""

from collections.abc import Sequence

from sekft.episode.outcome import kept, outcome
from sekft.episode.trajectory import Command, Ending, Trajectory
from sekft.rendering.messages import Message
from sekft.scenario.document import Bundle, Terminal

ARRIVAL = "$ "


def life(
    bundle: str, archetype: str, won: bool, terminal: str = "exit", ending: str | None = None, attempt: int = 0, player: str = "x",
    turns: Sequence[tuple[str, str]] = (("ls", "a.txt\n$ "),), checked: bool | None = None, clean: bool = True,
) -> Trajectory:  # fmt: skip
    """turns: (typed, shown)."""
    ended = Ending(ending or (terminal if won else "turn_limit"))
    passed = None if ended is Ending.broken else won if checked is None else checked
    result = outcome(ended, passed, clean, Terminal(terminal))
    messages = [Message(role="user", content=ARRIVAL)]
    for typed, shown in turns:
        messages += [Message(role="assistant", content=typed), *([Message(role="user", content=shown)] if shown else [])]
    commands = tuple(Command(turn=2 * at + 1, text=typed, status=0) for at, (typed, _) in enumerate(turns))
    return Trajectory(
        id=f"{bundle}#{attempt}@{player}", bundle_id=bundle, archetype=archetype, operator=player, messages=tuple(messages),
        commands=commands, ending=ended, checked=passed, clean=clean, outcome=result, kept=kept(result), meta={"terminal": terminal},
    )  # fmt: skip


def lives(results: Sequence[bool], archetypes: int = 4) -> list[Trajectory]:
    return [life(f"w-{index}", f"a{index % archetypes}", won) for index, won in enumerate(results)]


def player(name: str, bundles: Sequence[Bundle], won: Sequence[bool]) -> list[Trajectory]:
    """In real worlds: the winner types what the bundle says solves it, the loser looks around and gives up or goes on."""
    found = []
    for at, (bundle, wins) in enumerate(zip(bundles, won, strict=True)):
        shown = ["\n".join(bundle.directives) + "\n$ "] + ["$ "] * len(bundle.reference)
        turns = list(zip(bundle.reference, shown, strict=False)) if wins else [("ls -a", "<NOTICE>\n$ ")] * (1 + at % 6)
        ending = None if wins else ("turn_limit", "exit", "panic")[at % 3]
        found.append(life(bundle.id, bundle.archetype, wins, bundle.terminal.value, ending, player=name, turns=turns))
    return found
