"""Labels of scenarios that reports group rates by, and the directives that can be seen in each scenario."""

from collections.abc import Collection, Mapping, Sequence

from sekft.episode.trajectory import Trajectory
from sekft.scenario.document import Scenario

GROUPS = ("kind", "family", "difficulty", "blocker")  # labels with rates of their own; archetype and terminal have theirs anyway
Labels = Mapping[str, Mapping[str, str]]  # scenario id -> label -> value; GROUPS are among the labels


def label_scenarios(
    scenarios: Sequence[Scenario], held_out: Collection[str] = (), unseen: Collection[str] = ()
) -> dict[str, dict[str, str]]:
    """The labels of every scenario by its id; empty labels are left out.

    held_out: archetypes that no adapter was trained on. unseen: those of them that the base was not trained on either; empty if unknown.
    """
    labels = {
        scenario.id: scenario.axes.model_dump(mode="json")
        | {"archetype": scenario.archetype, "kind": holdout_kind(scenario.archetype, held_out, unseen)}
        for scenario in scenarios
    }
    return {name: {key: str(value) for key, value in own.items() if value not in ("", None)} for name, own in labels.items()}


def holdout_kind(archetype: str, held_out: Collection[str], unseen: Collection[str]) -> str:
    """How far an archetype is from what was trained on; empty if no archetype is held out. For the arguments see label_scenarios."""
    if archetype in unseen:
        return "operation the base never saw"
    if archetype in held_out:
        return "held out of the adapter only" if unseen else "held-out archetype"
    return "new scenario of a training archetype" if held_out else ""


def seen_directives(scenarios: Sequence[Scenario], reference: Sequence[Trajectory]) -> dict[str, tuple[str, ...]]:
    """By scenario id: the directives that the reference's episode showed; none for a scenario without such an episode."""
    texts = {episode.scenario_id: visible_text(episode) for episode in reference}
    return {
        scenario.id: tuple(text for text in scenario.directives if squeeze(text) and squeeze(text) in texts.get(scenario.id, ""))
        for scenario in scenarios
    }


def visible_text(episode: Trajectory) -> str:
    """Everything the shell printed in an episode, squeezed."""
    return squeeze("\n".join(message.content for message in episode.messages if message.role == "user"))


def squeeze(text: str) -> str:
    """The text with every run of white space as one space, so that a line break in a listing does not hide a sentence."""
    return " ".join(text.split())
