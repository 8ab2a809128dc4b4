"""Synthetic episodes for tests: trajectories that could have been recorded."""

from collections.abc import Sequence

from sekft.episode.outcome import classify, is_kept
from sekft.episode.trajectory import Command, Ending, Trajectory
from sekft.rendering.messages import Message
from sekft.scenario.document import Scenario, Terminal

ARRIVAL = "$ "


def episode(
    scenario: str, archetype: str, won: bool, terminal: str = "exit", ending: str | None = None, attempt: int = 0, agent: str = "x",
    turns: Sequence[tuple[str, str]] = (("ls", "a.txt\n$ "),), checked: bool | None = None, clean: bool = True,
) -> Trajectory:  # fmt: skip
    """turns: (typed, shown)."""
    ended = Ending(ending or (terminal if won else "turn_limit"))
    passed = None if ended is Ending.broken else won if checked is None else checked
    result = classify(ended, passed, clean, Terminal(terminal))
    messages = [Message(role="user", content=ARRIVAL)]
    for typed, shown in turns:
        messages += [Message(role="assistant", content=typed), *([Message(role="user", content=shown)] if shown else [])]
    commands = tuple(Command(turn=2 * at + 1, text=typed, status=0) for at, (typed, _) in enumerate(turns))
    return Trajectory(
        id=f"{scenario}#{attempt}@{agent}", scenario_id=scenario, archetype=archetype, agent=agent, messages=tuple(messages),
        commands=commands, ending=ended, checked=passed, clean=clean, outcome=result, kept=is_kept(result), meta={"terminal": terminal},
    )  # fmt: skip


def episodes(results: Sequence[bool], archetypes: int = 4) -> list[Trajectory]:
    return [episode(f"w-{index}", f"a{index % archetypes}", won) for index, won in enumerate(results)]


def agent(name: str, scenarios: Sequence[Scenario], won: Sequence[bool]) -> list[Trajectory]:
    """Episodes in real scenarios: a winner types the reference, a loser lists files and then leaves or runs out of turns."""
    found = []
    for at, (scenario, wins) in enumerate(zip(scenarios, won, strict=True)):
        shown = ["\n".join(scenario.directives) + "\n$ "] + ["$ "] * len(scenario.reference)
        turns = list(zip(scenario.reference, shown, strict=False)) if wins else [("ls -a", "<NOTICE>\n$ ")] * (1 + at % 6)
        ending = None if wins else ("turn_limit", "exit", "panic")[at % 3]
        found.append(episode(scenario.id, scenario.archetype, wins, scenario.terminal.value, ending, agent=name, turns=turns))
    return found
