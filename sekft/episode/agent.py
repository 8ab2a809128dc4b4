"""Agents type replies at a prompt. The scripted ones are product code: data is made and tests are played with them."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from sekft.rendering.messages import Message, Reply
from sekft.scenario import noisy
from sekft.scenario.document import Scenario


class Agent(Protocol):
    """Whoever episodes the episodes. reply() may be called from many threads, for many episodes."""

    @property
    def name(self) -> str: ...

    def reply(self, episode_id: str, messages: Sequence[Message]) -> Reply:
        """The next text to type. episode_id: <scenario id>#<attempt>; messages end with what the environment showed last."""


class Scripted:
    """Types prepared replies in order; falls silent when they are used up. scripts: by scenario id."""

    def __init__(self, name: str, scripts: Mapping[str, Sequence[str]]) -> None:
        self.name = name
        self._scripts = scripts

    def reply(self, episode_id: str, messages: Sequence[Message]) -> Reply:
        script = self._scripts[episode_id.rpartition("#")[0]]
        typed = sum(message.role == "assistant" for message in messages)
        return Reply(script[typed] if typed < len(script) else "")


def reference(scenarios: Sequence[Scenario], noise: float = 0.0, seed: int = 0) -> Scripted:
    """Types what each scenario says solves it. noise: the share of scenarios where it goes astray first, see scenario/noisy.py."""
    return Scripted("reference", {scenario.id: noisy.reference(scenario, noise, seed) for scenario in scenarios})


class FunctionAgent:
    """Types what a function returns for the messages so far."""

    def __init__(self, name: str, function: Callable[[Sequence[Message]], str]) -> None:
        self.name = name
        self._function = function

    def reply(self, episode_id: str, messages: Sequence[Message]) -> Reply:
        return Reply(self._function(messages))


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
    """Agents that understand nothing: a rate that one of them reaches measures nothing."""
    leavers = {word: Scripted(word, {scenario.id: (word,) for scenario in scenarios}) for word in ("exit", "panic")}
    return {"random": RandomCommands(seed), **leavers}


def scripted(scenarios: Sequence[Scenario], script: Sequence[str]) -> Scripted:
    """Types the same replies in every scenario."""
    return Scripted("scripted", {scenario.id: tuple(script) for scenario in scenarios})
