"""What the scenarios of an evaluation are like, as reports group them: kind of hold-out, family, difficulty, blocker; what can be read there."""

from collections.abc import Collection, Mapping, Sequence

from sekft.episode.trajectory import Trajectory
from sekft.scenario.document import Scenario

GROUPS = ("kind", "family", "difficulty", "blocker")  # what rates are told apart by, beside archetype and terminal
Labels = Mapping[str, Mapping[str, str]]  # by scenario id: what is known of the scenario, GROUPS among it


def labels(scenarios: Sequence[Scenario], held_out: Collection[str] = (), unseen: Collection[str] = ()) -> dict[str, dict[str, str]]:
    """What nobody said is left out. held_out: archetypes no adapter was trained on; unseen: those of them even the base never saw,
    none if nobody says what it saw."""
    known = {
        scenario.id: scenario.axes.model_dump(mode="json")
        | {"archetype": scenario.archetype, "kind": kind(scenario.archetype, held_out, unseen)}
        for scenario in scenarios
    }
    return {name: {key: str(value) for key, value in about.items() if value not in ("", None)} for name, about in known.items()}


def kind(archetype: str, held_out: Collection[str], unseen: Collection[str]) -> str:
    """Of hold-out; empty where nothing is held out."""
    if archetype in unseen:
        return "operation the base never saw"
    if archetype in held_out:
        return "held out of the adapter only" if unseen else "held-out archetype"
    return "new scenario of a training archetype" if held_out else ""


def readable(scenarios: Sequence[Scenario], reference: Sequence[Trajectory]) -> dict[str, tuple[str, ...]]:
    """By scenario id: the directives its reference got to see. None where nothing can be read, or where there is no reference."""
    seen = {episode.scenario_id: shown(episode) for episode in reference}
    return {
        scenario.id: tuple(text for text in scenario.directives if squeezed(text) and squeezed(text) in seen.get(scenario.id, ""))
        for scenario in scenarios
    }


def shown(episode: Trajectory) -> str:
    """All that the shell showed, as squeezed text."""
    return squeezed("\n".join(message.content for message in episode.messages if message.role == "user"))


def squeezed(text: str) -> str:
    """Every run of white space as one space, so that a listing's line breaks do not hide a sentence."""
    return " ".join(text.split())
