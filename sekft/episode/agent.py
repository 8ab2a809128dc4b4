"""Agents that type replies at a prompt: the protocol, the reference, the baselines and scripted replies."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, runtime_checkable

from sekft.errors import SettingsError
from sekft.rendering.messages import Message, Reply
from sekft.scenario.detours import NONE, Detours, with_detours
from sekft.scenario.document import Scenario


class Agent(Protocol):
    """Whatever types in an episode. reply() may be called from many threads, for many episodes at once."""

    @property
    def name(self) -> str: ...

    def reply(self, episode_id: str, messages: Sequence[Message]) -> Reply:
        """The next text to type. episode_id: <scenario id>#<attempt>; messages: the conversation, an environment turn last."""


@runtime_checkable
class Cancellable(Protocol):
    """An agent whose replies take long."""

    def cancel(self) -> None:
        """Let every reply that is being made, and every later one, raise Stopped within one step of its work."""


class Scripted:
    """Types prepared replies in order and an empty reply when they are used up. scripts: replies by scenario id."""

    def __init__(self, name: str, scripts: Mapping[str, Sequence[str]]) -> None:
        self.name = name
        self._scripts = scripts

    def reply(self, episode_id: str, messages: Sequence[Message]) -> Reply:
        script = self._scripts[episode_id.rpartition("#")[0]]
        typed = sum(message.role == "assistant" for message in messages)
        return Reply(script[typed] if typed < len(script) else "")


def reference(scenarios: Sequence[Scenario], detours: Detours = NONE) -> Scripted:
    """An agent that types every scenario's reference, in some of them with detours."""
    return Scripted("reference", {scenario.id: with_detours(scenario, detours) for scenario in scenarios})


class FunctionAgent:
    """Types what a function returns for the messages so far. Raises SettingsError for what is no text, and what the function raises."""

    def __init__(self, name: str, function: Callable[[Sequence[Message]], str]) -> None:
        self.name = name
        self._function = function

    def reply(self, episode_id: str, messages: Sequence[Message]) -> Reply:
        text = self._function(messages)
        if not isinstance(text, str):
            place = f"in {episode_id}, at message {len(messages)}"
            raise SettingsError(f"agent {self.name}: the function returned {type(text).__name__}, allowed: str, the text to type; {place}")
        return Reply(text)


class RandomCommands:
    """Types one of LINES, drawn by seed, episode and turn."""

    LINES = (
        "ls",
        "ls -a",
        "pwd",
        "cat *",
        "env",
        "cat /etc/motd",
        "ls /usr/local/bin",
        "whoami",
        "date",
        "echo hello",
        "help",
        "exit",
        "panic",
    )

    def __init__(self, seed: int) -> None:
        self.name = "random"
        self._seed = seed

    def reply(self, episode_id: str, messages: Sequence[Message]) -> Reply:
        return Reply(random.Random(f"{self._seed}/{episode_id}/{len(messages)}").choice(self.LINES))


def baselines(scenarios: Sequence[Scenario], seed: int) -> dict[str, Agent]:
    """Trivial agents by name: random commands, immediate exit, immediate panic. A rate that one of them reaches is no evidence of skill."""
    leavers = {word: Scripted(word, {scenario.id: (word,) for scenario in scenarios}) for word in ("exit", "panic")}
    return {"random": RandomCommands(seed), **leavers}


def scripted(scenarios: Sequence[Scenario], script: Sequence[str]) -> Scripted:
    """An agent that types the same replies in every scenario."""
    return Scripted("scripted", {scenario.id: tuple(script) for scenario in scenarios})
