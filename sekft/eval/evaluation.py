"""The episodes of an evaluation: all agents in the same scenarios at the same time, and what each agent's episodes depend on."""

import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from sekft.config import EvalConfig
from sekft.episode.agent import Agent, baselines, reference
from sekft.episode.pool import EpisodeRequest, play_many
from sekft.episode.trajectory import Trajectory
from sekft.errors import SettingsError
from sekft.eval.summary import TextLoss
from sekft.sandbox.session import Backend
from sekft.sandbox.text import TEXT_VERSION
from sekft.scenario.document import Scenario, dumps

OnEpisode = Callable[[Trajectory], None]
EPISODES_PER_AGENT = 16  # at once; the model generates for some while others wait for their sandbox
EPISODES_PER_CORE = 8  # an episode of a model mostly waits for its replies
DECIDED_BY = ("engine", "temperature", "attempts", "max_turns", "max_reply_tokens", "max_episode_tokens")  # settings that change an episode


class AgentSet(Protocol):
    """Agents that are ready to play, by name, with the token counts of their engines."""

    @property
    def agents(self) -> Mapping[str, Agent]: ...

    def tokens(self) -> dict[str, float]:
        """The tokens read and generated; empty if they are not counted."""
        ...

    def generated(self) -> int | None:
        """The tokens of replies so far; None if they are not counted."""
        ...


@dataclass(frozen=True)
class Uncounted:
    """Agents whose tokens are not counted: a server reports none that can be compared, and a function has none."""

    agents: Mapping[str, Agent]

    def tokens(self) -> dict[str, float]:
        return {}

    def generated(self) -> None:
        return None


@dataclass(frozen=True)
class AgentSource:
    """How the agents under evaluation, a base and its adapters, are obtained.

    adapters: what the episodes of each depend on, as JSON, by name. base: the same of the base; None if that is unknown, so that no
    episode is remembered.
    open: gives the agents while its context lasts; its argument is whether the base is needed. obstacles: by adapter, a reason not to
    promote it whatever its rates are; empty if there is none. measure_losses: the losses on texts, by name of the text; none by default.
    titles: names for a person, of functions and of served models; a base and its adapters have none.
    """

    adapters: Mapping[str, Any]
    base: Mapping[str, Any] | None
    open: Callable[[bool], AbstractContextManager[AgentSet]]
    obstacles: Mapping[str, str]
    measure_losses: Callable[[], Mapping[str, TextLoss]] = dict
    titles: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Evaluation:
    """The scenarios, the sandbox and the limits that all agents share.

    held_out: archetypes of the split that no adapter was trained on. unseen: those of them that the base was not trained on either.
    """

    scenarios: tuple[Scenario, ...]
    backend: Backend
    config: EvalConfig
    workers: int
    seed: int
    held_out: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.config.attempts > 1 and self.config.temperature == 0:
            raise SettingsError(
                f"eval.attempts={self.config.attempts}: greedy episodes are all the same; allowed with eval.temperature above 0"
            )

    def play(
        self,
        agents: Mapping[str, Agent],
        title: str,
        on_episode: OnEpisode | None = None,
        tokens: Callable[[], int | None] = lambda: None,
        before: Mapping[str, Trajectory] = {},
    ) -> dict[str, list[Trajectory]]:
        """The episodes of every agent by its name, in the order of the scenarios.

        All agents play a scenario before any plays the next one, so that a change of the machine meets all agents alike.
        on_episode: called with each episode as it ends. tokens: generated so far, for the progress line. before: episodes by id that were
        played before and are not played again.
        """
        attempts = range(self.config.attempts)
        order = [(scenario, name, attempt) for scenario in self.scenarios for attempt in attempts for name in agents]
        ids = [f"{scenario.id}#{attempt}@{agents[name].name}" for scenario, name, attempt in order]
        rest = [one for one, id in zip(order, ids, strict=True) if id not in before]
        requests = [EpisodeRequest(scenario, agents[name], attempt) for scenario, name, attempt in rest]
        models = agents.keys() - self.scripted_agents().keys()
        workers = self.workers or concurrent_episodes(len(models), self.config)
        played = iter(play_many(requests, self.backend, self.config, workers, title, on_episode, tokens))
        episodes = [before[id] if id in before else next(played) for id in ids]
        return {agent: [episode for (_, name, _), episode in zip(order, episodes, strict=True) if name == agent] for agent in agents}

    def scripted_agents(self) -> dict[str, Agent]:
        """The reference, and the baselines unless eval.baselines=false."""
        return {"reference": reference(self.scenarios), **(baselines(self.scenarios, self.seed) if self.config.baselines else {})}

    def dependencies(self, models: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
        """Everything that an agent's episodes depend on, by agent: the key of sekft.episode.cache.

        models: by agent, what the agent itself depends on, as JSON; the scripted agents are added.
        """
        limits = {key: str(value) for key, value in asdict(self.config).items() if key in DECIDED_BY}
        scenarios = hashlib.sha256("".join(map(dumps, self.scenarios)).encode()).hexdigest()
        sandbox = {"backend": self.backend.name, "digest": self.backend.digest, "walls": str(self.backend.settings), "text": TEXT_VERSION}
        common = {"scenarios": scenarios, "limits": limits, **sandbox}
        random = {"random"} if self.config.temperature == 0 else {"random", *models}
        agents = {**models, **{name: name for name in self.scripted_agents()}}
        return {name: {"agent": agent, **common, **({"seed": self.seed} if name in random else {})} for name, agent in agents.items()}


def concurrent_episodes(models: int, config: EvalConfig) -> int:
    """Episodes at once, enough to keep the engine busy while others wait for their sandbox.

    Half of eval.rows for each model, at least EPISODES_PER_AGENT, within the contexts that an engine keeps and, where the rows of a GPU
    ask for more than that, EPISODES_PER_CORE.
    """
    cores = os.cpu_count() or 1
    few = min(models * EPISODES_PER_AGENT, 2 * config.rows)
    many = min(models * config.rows // 2, 2 * config.rows, EPISODES_PER_CORE * cores)
    return max(EPISODES_PER_AGENT, few, many, 2 * cores)
