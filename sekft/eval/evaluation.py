"""The lives of an exam: every player in the same worlds, at the same time; what would be the same again is not lived again."""

import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from sekft.config import EvalConfig
from sekft.episode import trajectory
from sekft.episode.agent import Operator, reference, stones
from sekft.episode.pool import play_many
from sekft.episode.trajectory import Trajectory
from sekft.errors import SettingsError
from sekft.eval.score import Texts
from sekft.sandbox.session import Backend
from sekft.sandbox.text import TEXT_VERSION
from sekft.scenario.document import Bundle, dumps

Keep = Callable[[Trajectory], None]
LIVES_AT_ONCE = 16  # of each player, and of all at least: the model thinks for some while others wait for their place
LIVED_BY = ("engine", "temperature", "attempts", "max_turns", "max_reply_tokens", "max_life_tokens")  # of the limits: what changes a life


class Cast(Protocol):
    """Players that have taken their seats: operators by name; tokens they took, and generated so far (None: nobody counts)."""

    @property
    def operators(self) -> Mapping[str, Operator]: ...
    def tokens(self) -> dict[str, float]: ...
    def generated(self) -> int | None: ...


@dataclass(frozen=True)
class Candidates:
    """Who is examined. base: what the base's lives depend on, None where nobody knows; seat: with the base, or without it.

    doubts: by adapter, why it may not be promoted whatever it achieves; empty if there is no reason. losses: measures the texts that
    sekft.eval.score takes; of an endpoint nobody can.
    """

    adapters: tuple[str, ...]
    base: Mapping[str, Any] | None
    seat: Callable[[bool], AbstractContextManager[Cast]]
    doubts: Mapping[str, str]
    losses: Callable[[], Texts] = dict


@dataclass(frozen=True)
class Exam:
    """The lives every player lives: where, in which worlds, within which limits."""

    bundles: tuple[Bundle, ...]
    backend: Backend
    limits: EvalConfig
    workers: int
    seed: int
    held_out: tuple[str, ...] = ()  # archetypes no adapter was trained on, as the split says
    unseen: tuple[str, ...] = ()  # those of them that even the base never saw, as it says itself

    def __post_init__(self) -> None:
        if self.limits.attempts > 1 and self.limits.temperature == 0:
            raise SettingsError(
                f"eval.attempts={self.limits.attempts}: greedy lives are all the same; allowed with eval.temperature above 0"
            )

    def play(
        self, operators: Mapping[str, Operator], title: str, keep: Keep | None = None, tokens: Callable[[], int | None] = lambda: None
    ) -> dict[str, list[Trajectory]]:
        """All players at the same time: in the order of the worlds, so that nobody lives in a younger place than another."""
        attempts = range(self.limits.attempts)
        turns = [(bundle, player, attempt) for bundle in self.bundles for attempt in attempts for player in operators]
        lives = [(bundle, operators[player], attempt) for bundle, player, attempt in turns]
        thinking = operators.keys() - self.scripted().keys()
        workers = self.workers or at_once(len(thinking), self.limits)
        lived = play_many(lives, self.backend, self.limits, workers, title, keep, tokens)
        return {player: [life for (_, other, _), life in zip(turns, lived, strict=True) if other == player] for player in operators}

    def scripted(self) -> dict[str, Operator]:
        """The reference, and players that understand nothing."""
        return {"reference": reference(self.bundles), **(stones(self.bundles, self.seed) if self.limits.stones else {})}

    def about(self, others: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """What the lives of the scripted and of other players depend on; see sekft.episode.cache."""
        limits = {key: str(value) for key, value in asdict(self.limits).items() if key in LIVED_BY}
        worlds = hashlib.sha256("".join(map(dumps, self.bundles)).encode()).hexdigest()
        place = {"backend": self.backend.name, "digest": self.backend.digest, "walls": str(self.backend.settings), "text": TEXT_VERSION}
        common = {"worlds": worlds, "limits": limits, **place}
        by_chance = {"random"} if self.limits.temperature == 0 else {"random", *others}
        return {
            player: {"player": what, **common, **({"seed": self.seed} if player in by_chance else {})}
            for player, what in {**others, **{name: name for name in self.scripted()}}.items()
        }


def at_once(thinking: int, limits: EvalConfig) -> int:
    """Lives in flight: as many of each player that thinks, but no more than an engine of eval.rows keeps the past of."""
    return max(LIVES_AT_ONCE, min(thinking * LIVES_AT_ONCE, 2 * limits.rows), 2 * (os.cpu_count() or 1))


def whole_lines(path: Path) -> Keep:
    """Lives as they end, one whole line each, beside the name they get when all are there."""
    path.unlink(missing_ok=True)

    def keep(life: Trajectory) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(trajectory.dumps(life))

    return keep
