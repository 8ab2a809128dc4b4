"""What the worlds of an exam are like, as reports group them: kind of hold-out, family, difficulty, blocker; what can be read there."""

from collections.abc import Collection, Mapping, Sequence

from sekft.episode.trajectory import Trajectory
from sekft.scenario.document import Bundle

GROUPS = ("kind", "family", "difficulty", "blocker")  # what rates are told apart by, beside archetype and terminal
Labels = Mapping[str, Mapping[str, str]]  # by bundle id: what is known of the world, GROUPS among it


def labels(bundles: Sequence[Bundle], held_out: Collection[str] = (), unseen: Collection[str] = ()) -> dict[str, dict[str, str]]:
    """What nobody said is left out. held_out: archetypes no adapter was trained on; unseen: those of them even the base never saw,
    none if nobody says what it saw."""
    known = {
        bundle.id: bundle.axes.model_dump(mode="json") | {"archetype": bundle.archetype, "kind": kind(bundle.archetype, held_out, unseen)}
        for bundle in bundles
    }
    return {name: {key: str(value) for key, value in about.items() if value not in ("", None)} for name, about in known.items()}


def kind(archetype: str, held_out: Collection[str], unseen: Collection[str]) -> str:
    """Of hold-out; empty where nothing is held out."""
    if archetype in unseen:
        return "operation the base never saw"
    if archetype in held_out:
        return "held out of the adapter only" if unseen else "held-out archetype"
    return "new world of a training archetype" if held_out else ""


def readable(bundles: Sequence[Bundle], reference: Sequence[Trajectory]) -> dict[str, tuple[str, ...]]:
    """By bundle id: the directives its reference got to see. None where nothing can be read, or where there is no reference."""
    seen = {life.bundle_id: shown(life) for life in reference}
    return {
        bundle.id: tuple(text for text in bundle.directives if squeezed(text) and squeezed(text) in seen.get(bundle.id, ""))
        for bundle in bundles
    }


def shown(life: Trajectory) -> str:
    """All that the shell showed, as squeezed text."""
    return squeezed("\n".join(message.content for message in life.messages if message.role == "user"))


def squeezed(text: str) -> str:
    """Every run of white space as one space, so that a listing's line breaks do not hide a sentence."""
    return " ".join(text.split())
