"""The episodes of an evaluation: every agent in the same scenarios, at the same time; what would be the same again is not played again."""

import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from sekft.config import EvalConfig
from sekft.episode import trajectory
from sekft.episode.agent import Agent, baselines, reference
from sekft.episode.pool import EpisodeRequest, play_many
from sekft.episode.trajectory import Trajectory
from sekft.errors import SettingsError
from sekft.eval.score import Texts
from sekft.sandbox.session import Backend
from sekft.sandbox.text import TEXT_VERSION
from sekft.scenario.document import Scenario, dumps

Keep = Callable[[Trajectory], None]
EPISODES_AT_ONCE = 16  # of each agent, and of all at least: the model thinks for some while others wait for their place
DECIDED_BY = (
    "engine",
    "temperature",
    "attempts",
    "max_turns",
    "max_reply_tokens",
    "max_episode_tokens",
)  # of the limits: what changes an episode


class AgentSet(Protocol):
    """Agents that have taken their seats: agents by name; tokens they took, and generated so far (None: nobody counts)."""

    @property
    def agents(self) -> Mapping[str, Agent]: ...
    def tokens(self) -> dict[str, float]: ...
    def generated(self) -> int | None: ...


@dataclass(frozen=True)
class AgentSource:
    """Who is evaluated. base: what the base's episodes depend on, None where nobody knows; seat: with the base, or without it.

    doubts: by adapter, why it may not be promoted whatever it achieves; empty if there is no reason. losses: measures the texts that
    sekft.eval.score takes; of an endpoint nobody can.
    """

    adapters: tuple[str, ...]
    base: Mapping[str, Any] | None
    enter: Callable[[bool], AbstractContextManager[AgentSet]]
    doubts: Mapping[str, str]
    losses: Callable[[], Texts] = dict


@dataclass(frozen=True)
class Evaluation:
    """The episodes every agent episodes: where, in which scenarios, within which limits."""

    scenarios: tuple[Scenario, ...]
    backend: Backend
    config: EvalConfig
    workers: int
    seed: int
    held_out: tuple[str, ...] = ()  # archetypes no adapter was trained on, as the split says
    unseen: tuple[str, ...] = ()  # those of them that even the base never saw, as it says itself

    def __post_init__(self) -> None:
        if self.config.attempts > 1 and self.config.temperature == 0:
            raise SettingsError(
                f"eval.attempts={self.config.attempts}: greedy episodes are all the same; allowed with eval.temperature above 0"
            )

    def play(
        self, agents: Mapping[str, Agent], title: str, keep: Keep | None = None, tokens: Callable[[], int | None] = lambda: None
    ) -> dict[str, list[Trajectory]]:
        """All agents at the same time: in the order of the scenarios, so that nobody episodes in a younger place than another."""
        attempts = range(self.config.attempts)
        turns = [(scenario, agent, attempt) for scenario in self.scenarios for attempt in attempts for agent in agents]
        requests = [EpisodeRequest(scenario, agents[agent], attempt) for scenario, agent, attempt in turns]
        thinking = agents.keys() - self.scripted().keys()
        workers = self.workers or at_once(len(thinking), self.config)
        played = play_many(requests, self.backend, self.config, workers, title, keep, tokens)
        return {agent: [episode for (_, other, _), episode in zip(turns, played, strict=True) if other == agent] for agent in agents}

    def scripted(self) -> dict[str, Agent]:
        """The reference, and agents that understand nothing."""
        return {"reference": reference(self.scenarios), **(baselines(self.scenarios, self.seed) if self.config.baselines else {})}

    def about(self, others: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """What the episodes of the scripted and of other agents depend on; see sekft.episode.cache."""
        limits = {key: str(value) for key, value in asdict(self.config).items() if key in DECIDED_BY}
        scenarios = hashlib.sha256("".join(map(dumps, self.scenarios)).encode()).hexdigest()
        place = {"backend": self.backend.name, "digest": self.backend.digest, "walls": str(self.backend.settings), "text": TEXT_VERSION}
        common = {"scenarios": scenarios, "limits": limits, **place}
        by_chance = {"random"} if self.config.temperature == 0 else {"random", *others}
        return {
            agent: {"agent": what, **common, **({"seed": self.seed} if agent in by_chance else {})}
            for agent, what in {**others, **{name: name for name in self.scripted()}}.items()
        }


def at_once(thinking: int, config: EvalConfig) -> int:
    """Episodes in flight: as many of each agent that thinks, but no more than an engine of eval.rows keeps the past of."""
    return max(EPISODES_AT_ONCE, min(thinking * EPISODES_AT_ONCE, 2 * config.rows), 2 * (os.cpu_count() or 1))


def whole_lines(path: Path) -> Keep:
    """Episodes as they end, one whole line each, beside the name they get when all are there."""
    path.unlink(missing_ok=True)

    def keep(episode: Trajectory) -> None:
        with path.open("a", encoding="utf-8") as file:
            file.write(trajectory.dumps(episode))

    return keep
