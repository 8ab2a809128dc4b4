"""What lost lives ask to be learned next: archetypes more often, more or fewer blocked worlds, lives that go astray and recover.

Covers: what is counted, world by world and tag by tag, of lives in worlds of training archetypes. Does not cover: whether it helps; that
is seen in other worlds, after training.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sekft.episode.outcome import kept
from sekft.episode.trajectory import Ending, Trajectory
from sekft.eval import reasons
from sekft.eval.measures import blocked
from sekft.scenario.taxonomy import BLOCKED_EVERY

ORDINARY_SHARE = 1 / BLOCKED_EVERY  # of blocked worlds, where nothing speaks for more or fewer
SHARES = (1 / 16, 1 / 2)  # least and most of them: panic is neither forgotten nor all there is
MOST_TURNS = 4  # of an archetype all of whose lives were lost, while one that lost none has one: what is known is not forgotten
MOST_NOISE = 0.5  # of the lives; the others show the straight way
ASTRAY = ("never_found_directive", "never_acted", "loop", "prose", "silent", "out_of_turns", "out_of_tokens", "shell_lost")
DONE = "done_not_left"  # such a life found its way; what it lacks is how to leave, which every life shows


@dataclass(frozen=True)
class Mix:
    """Of training worlds and lives. weights: split.train_weights, of archetypes with more than one turn; noise: as of a shell source."""

    weights: Mapping[str, int] = field(default_factory=dict)
    blocked_share: float = ORDINARY_SHARE
    noise: float = 0.0

    def overrides(self, sources: Iterable[str]) -> list[str]:
        """sources: names of those whose lives the reference plays."""
        weights = ",".join(f"{name}:{weight}" for name, weight in self.weights.items())
        words = [f"+split.train_weights={{{weights}}}"] if weights else []
        return [*words, f"split.train_blocked_share={self.blocked_share}", *(f"data.sources.{name}.noise={self.noise}" for name in sources)]


@dataclass(frozen=True)
class Counted:
    """Of a player's lives, broken ones left out. tags: lost lives by reason; archetypes: (lost, lived); missed: blocked worlds not left
    by panic; false: solvable ones that were; astray: lives that lost their way. Each with how many there were."""

    lived: int
    lost: int
    tags: Mapping[str, int]
    archetypes: Mapping[str, tuple[int, int]]
    missed: tuple[int, int]
    false: tuple[int, int]
    astray: int


def counted(lives: Sequence[Trajectory], directives: Mapping[str, Sequence[str]]) -> Counted:
    """directives: by bundle id, see worlds.readable."""
    whole = [life for life in lives if life.ending is not Ending.broken]
    tags = {life.id: reasons.tags(life, directives.get(life.bundle_id, ())) for life in whole}
    stuck, free = [life for life in whole if blocked(life)], [life for life in whole if not blocked(life)]
    by_archetype = {name: [life for life in whole if life.archetype == name] for name in sorted({life.archetype for life in whole})}
    return Counted(
        lived=len(whole),
        lost=_lost(whole),
        tags=dict(Counter(tag for given in tags.values() for tag in given).most_common()),
        archetypes={name: (_lost(own), len(own)) for name, own in by_archetype.items()},
        missed=(sum(life.ending is not Ending.panic for life in stuck), len(stuck)),
        false=(sum(life.ending is Ending.panic for life in free), len(free)),
        astray=sum(DONE not in given and any(tag in ASTRAY for tag in given) for given in tags.values()),
    )


def mix(found: Counted) -> Mix:
    """The more of an archetype is lost, the more turns it has; the more panics are missed, or false, the more, or fewer, worlds are
    blocked; the more lives go astray, the more show how one comes back. Nothing lost: the ordinary mix."""
    weights = {name: 1 + round((MOST_TURNS - 1) * _share(*lost)) for name, lost in found.archetypes.items()}
    share = ORDINARY_SHARE * (1 + _share(*found.missed) - _share(*found.false))
    least, most = SHARES
    return Mix(
        weights={name: weight for name, weight in weights.items() if weight > 1},
        blocked_share=round(min(max(share, least), most), 2),
        noise=round(min(_share(found.astray, found.lived), MOST_NOISE), 2),
    )


def rationale(found: Counted, made: Mix, aimed: bool) -> dict[str, Any]:
    """As iteration.json has it: the counts, the mix, and a sentence for each part of it."""
    return {"counted": asdict(found), "mix": asdict(made), "aimed": aimed, "said": _said(found, made) if aimed else [ORDINARY]}


ORDINARY = "repair.aimed=false: the ordinary mix, whatever was lost"


def _said(found: Counted, made: Mix) -> list[str]:
    often = ", ".join(f"{name} {found.archetypes[name][0]}/{found.archetypes[name][1]}: {turns}" for name, turns in made.weights.items())
    tags = ", ".join(f"{tag} {n}" for tag, n in found.tags.items())
    return [
        f"{found.lost} of {found.lived} lives lost ({tags or 'no reason'})",
        f"turns of archetypes that lost lives, others have 1: {often or 'none'}",
        f"blocked worlds {made.blocked_share}: {_of(found.missed)} not left by panic, {_of(found.false)} solvable ones left by it",
        f"lives with a detour {made.noise}: {found.astray} of {found.lived} went astray",
    ]


def _of(pair: tuple[int, int]) -> str:
    return f"{pair[0]} of {pair[1]}"


def _lost(lives: Sequence[Trajectory]) -> int:
    return sum(not kept(life.outcome) for life in lives)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
