"""What lost episodes ask to be learned next: archetypes more often, more or fewer blocked scenarios, episodes that go astray and recover.

Covers: what is counted, scenario by scenario and tag by tag, of episodes in scenarios of training archetypes. Does not cover: whether it helps; that
is seen in other scenarios, after training.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sekft.episode.outcome import is_kept
from sekft.episode.trajectory import Ending, Trajectory
from sekft.eval import reasons
from sekft.eval.measures import is_blocked
from sekft.scenario.taxonomy import BLOCKED_EVERY

ORDINARY_SHARE = 1 / BLOCKED_EVERY  # of blocked scenarios, where nothing speaks for more or fewer
SHARES = (1 / 16, 1 / 2)  # least and most of them: panic is neither forgotten nor all there is
MOST_TURNS = 4  # of an archetype all of whose episodes were lost, while one that lost none has one: what is known is not forgotten
MOST_NOISE = 0.5  # of the episodes; the others show the straight way
ASTRAY = ("never_found_directive", "never_acted", "loop", "prose", "silent", "out_of_turns", "out_of_tokens", "shell_lost")
DONE = "done_not_left"  # such an episode found its way; what it lacks is how to leave, which every episode shows


@dataclass(frozen=True)
class Mix:
    """Of training scenarios and episodes. weights: split.train_weights, of archetypes with more than one turn; noise: as of a shell source."""

    weights: Mapping[str, int] = field(default_factory=dict)
    blocked_share: float = ORDINARY_SHARE
    noise: float = 0.0

    def overrides(self, sources: Iterable[str]) -> list[str]:
        """sources: names of those whose episodes the reference plays."""
        weights = ",".join(f"{name}:{weight}" for name, weight in self.weights.items())
        words = [f"+split.train_weights={{{weights}}}"] if weights else []
        return [*words, f"split.train_blocked_share={self.blocked_share}", *(f"data.sources.{name}.noise={self.noise}" for name in sources)]


@dataclass(frozen=True)
class Counted:
    """Of an agent's episodes, broken ones left out. tags: lost episodes by reason; archetypes: (lost, played); missed: blocked scenarios not left
    by panic; false: solvable ones that were; astray: episodes that lost their way. Each with how many there were."""

    played: int
    lost: int
    tags: Mapping[str, int]
    archetypes: Mapping[str, tuple[int, int]]
    missed: tuple[int, int]
    false: tuple[int, int]
    astray: int


def counted(episodes: Sequence[Trajectory], directives: Mapping[str, Sequence[str]]) -> Counted:
    """directives: by scenario id, see scenarios.readable."""
    whole = [episode for episode in episodes if episode.ending is not Ending.broken]
    tags = {episode.id: reasons.tags(episode, directives.get(episode.scenario_id, ())) for episode in whole}
    stuck, free = [episode for episode in whole if is_blocked(episode)], [episode for episode in whole if not is_blocked(episode)]
    by_archetype = {
        name: [episode for episode in whole if episode.archetype == name] for name in sorted({episode.archetype for episode in whole})
    }
    return Counted(
        played=len(whole),
        lost=_lost(whole),
        tags=dict(Counter(tag for given in tags.values() for tag in given).most_common()),
        archetypes={name: (_lost(own), len(own)) for name, own in by_archetype.items()},
        missed=(sum(episode.ending is not Ending.panic for episode in stuck), len(stuck)),
        false=(sum(episode.ending is Ending.panic for episode in free), len(free)),
        astray=sum(DONE not in given and any(tag in ASTRAY for tag in given) for given in tags.values()),
    )


def mix(found: Counted) -> Mix:
    """The more of an archetype is lost, the more turns it has; the more panics are missed, or false, the more, or fewer, scenarios are
    blocked; the more episodes go astray, the more show how one comes back. Nothing lost: the ordinary mix."""
    weights = {name: 1 + round((MOST_TURNS - 1) * _share(*lost)) for name, lost in found.archetypes.items()}
    share = ORDINARY_SHARE * (1 + _share(*found.missed) - _share(*found.false))
    least, most = SHARES
    return Mix(
        weights={name: weight for name, weight in weights.items() if weight > 1},
        blocked_share=round(min(max(share, least), most), 2),
        noise=round(min(_share(found.astray, found.played), MOST_NOISE), 2),
    )


def rationale(found: Counted, made: Mix, aimed: bool) -> dict[str, Any]:
    """As iteration.json has it: the counts, the mix, and a sentence for each part of it."""
    return {"counted": asdict(found), "mix": asdict(made), "aimed": aimed, "said": _said(found, made) if aimed else [ORDINARY]}


ORDINARY = "repair.aimed=false: the ordinary mix, whatever was lost"


def _said(found: Counted, made: Mix) -> list[str]:
    often = ", ".join(f"{name} {found.archetypes[name][0]}/{found.archetypes[name][1]}: {turns}" for name, turns in made.weights.items())
    tags = ", ".join(f"{tag} {n}" for tag, n in found.tags.items())
    return [
        f"{found.lost} of {found.played} episodes lost ({tags or 'no reason'})",
        f"turns of archetypes that lost episodes, others have 1: {often or 'none'}",
        f"blocked scenarios {made.blocked_share}: {_of(found.missed)} not left by panic, {_of(found.false)} solvable ones left by it",
        f"episodes with a detour {made.noise}: {found.astray} of {found.played} went astray",
    ]


def _of(pair: tuple[int, int]) -> str:
    return f"{pair[0]} of {pair[1]}"


def _lost(episodes: Sequence[Trajectory]) -> int:
    return sum(not is_kept(episode.outcome) for episode in episodes)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
