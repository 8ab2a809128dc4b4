"""From an agent's lost episodes to the next mix of training data: weights of archetypes, share of blocked scenarios, share of detours.

Covers: counts of an agent's episodes in scenarios of training archetypes, by archetype and by reason.
Does not cover: whether the mix helps; the next iteration's development scenarios show that.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from sekft.episode.outcome import is_kept
from sekft.episode.trajectory import Ending, Trajectory
from sekft.eval import reasons
from sekft.eval.measures import is_blocked
from sekft.scenario.taxonomy import BLOCKED_EVERY

ORDINARY_SHARE = 1 / BLOCKED_EVERY  # of blocked scenarios, if lost episodes ask for neither more nor fewer
SHARES = (1 / 16, 1 / 2)  # bounds of that share: panic must be neither forgotten nor all that is learned
MAX_WEIGHT = 4  # of an archetype with all episodes lost; one without a lost episode has 1, so that it is not forgotten
MAX_NOISE = 0.5  # share of episodes with a detour; the others show the direct way
ASTRAY = ("never_found_directive", "never_acted", "loop", "prose", "silent", "out_of_turns", "out_of_tokens", "shell_lost")
DONE = "done_not_left"  # the work was done and only the exit is missing, which every training episode shows
ORDINARY = "repair.aimed=false: the ordinary mix, whatever was lost"


@dataclass(frozen=True)
class Mix:
    """A mix of training scenarios and episodes. weights: split.train_weights, only those above 1; noise: noise of a shell source."""

    weights: Mapping[str, int] = field(default_factory=dict)
    blocked_share: float = ORDINARY_SHARE
    noise: float = 0.0

    def overrides(self, sources: Iterable[str]) -> list[str]:
        """The mix as overrides of sekft.train. sources: names of the data sources whose episodes the reference plays."""
        weights = ",".join(f"{name}:{weight}" for name, weight in self.weights.items())
        words = [f"+split.train_weights={{{weights}}}"] if weights else []
        return [*words, f"split.train_blocked_share={self.blocked_share}", *(f"data.sources.{name}.noise={self.noise}" for name in sources)]


@dataclass(frozen=True)
class EpisodeCounts:
    """Counts of an agent's episodes, broken ones left out.

    tags: lost episodes by reason. archetypes: (lost, played). missed: (blocked scenarios not ended by panic, all blocked ones). false:
    (solvable scenarios ended by panic, all solvable ones). astray: episodes that lost their way.
    """

    played: int
    lost: int
    tags: Mapping[str, int]
    archetypes: Mapping[str, tuple[int, int]]
    missed: tuple[int, int]
    false: tuple[int, int]
    astray: int


@dataclass(frozen=True)
class Rationale:
    """Why an iteration trains on its mix. run: whose episodes were counted; the rest is unknown if that run asked for no mix."""

    counted: EpisodeCounts | None = None
    mix: Mix | None = None
    aimed: bool | None = None
    lines: tuple[str, ...] = ()  # one for each part of the mix
    run: str | None = None


def count(episodes: Sequence[Trajectory], directives: Mapping[str, Sequence[str]]) -> EpisodeCounts:
    """directives: by scenario id, from sekft.eval.labels.seen_directives."""
    whole = [episode for episode in episodes if episode.ending is not Ending.broken]
    tags = {episode.id: reasons.tags(episode, directives.get(episode.scenario_id, ())) for episode in whole}
    blocked, solvable = [episode for episode in whole if is_blocked(episode)], [episode for episode in whole if not is_blocked(episode)]
    by_archetype = {
        name: [episode for episode in whole if episode.archetype == name] for name in sorted({episode.archetype for episode in whole})
    }
    return EpisodeCounts(
        played=len(whole),
        lost=_lost(whole),
        tags=dict(Counter(tag for given in tags.values() for tag in given).most_common()),
        archetypes={name: (_lost(own), len(own)) for name, own in by_archetype.items()},
        missed=(sum(episode.ending is not Ending.panic for episode in blocked), len(blocked)),
        false=(sum(episode.ending is Ending.panic for episode in solvable), len(solvable)),
        astray=sum(DONE not in given and any(tag in ASTRAY for tag in given) for given in tags.values()),
    )


def choose_mix(counts: EpisodeCounts) -> Mix:
    """The mix that answers the lost episodes; the ordinary mix if none was lost.

    An archetype's weight grows with its share of lost episodes. The share of blocked scenarios grows with missed panics and shrinks with
    false ones. The share of episodes with a detour is that of episodes that lost their way.
    """
    weights = {name: 1 + round((MAX_WEIGHT - 1) * _share(*lost)) for name, lost in counts.archetypes.items()}
    share = ORDINARY_SHARE * (1 + _share(*counts.missed) - _share(*counts.false))
    least, most = SHARES
    return Mix(
        weights={name: weight for name, weight in weights.items() if weight > 1},
        blocked_share=round(min(max(share, least), most), 2),
        noise=round(min(_share(counts.astray, counts.played), MAX_NOISE), 2),
    )


def explain(counts: EpisodeCounts, mix: Mix, aimed: bool, run: str | None = None) -> Rationale:
    """The rationale of a mix. aimed: repair.aimed; run: whose episodes were counted."""
    return Rationale(counts, mix, aimed, _explanation(counts, mix) if aimed else (ORDINARY,), run)


def _explanation(counts: EpisodeCounts, mix: Mix) -> tuple[str, ...]:
    weights = ", ".join(
        f"{name} {counts.archetypes[name][0]}/{counts.archetypes[name][1]}: {weight}" for name, weight in mix.weights.items()
    )
    tags = ", ".join(f"{tag} {n}" for tag, n in counts.tags.items())
    return (
        f"{counts.lost} of {counts.played} episodes lost ({tags or 'no reason'})",
        f"weights of archetypes that lost episodes, others have 1: {weights or 'none'}",
        f"blocked scenarios {mix.blocked_share}: {_of(counts.missed)} not ended by panic, {_of(counts.false)} solvable ones ended by it",
        f"episodes with a detour {mix.noise}: {counts.astray} of {counts.played} went astray",
    )


def _of(pair: tuple[int, int]) -> str:
    return f"{pair[0]} of {pair[1]}"


def _lost(episodes: Sequence[Trajectory]) -> int:
    return sum(not is_kept(episode.outcome) for episode in episodes)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
