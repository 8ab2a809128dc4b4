"""Operators type replies at a prompt. The scripted ones are product code: data is made and tests are played with them."""

import random
from collections.abc import Mapping, Sequence
from typing import Protocol

from sekft.rendering.messages import Message, Reply
from sekft.scenario import noisy
from sekft.scenario.document import Bundle


class Operator(Protocol):
    """Whoever lives the lives. reply() may be called from many threads, for many lives."""

    @property
    def name(self) -> str: ...

    def reply(self, life_id: str, messages: Sequence[Message]) -> Reply:
        """The next text to type. life_id: <bundle id>#<attempt>; messages end with what the environment showed last."""


class Scripted:
    """Types prepared replies in order; falls silent when they are used up. scripts: by bundle id."""

    def __init__(self, name: str, scripts: Mapping[str, Sequence[str]]) -> None:
        self.name = name
        self._scripts = scripts

    def reply(self, life_id: str, messages: Sequence[Message]) -> Reply:
        script = self._scripts[life_id.rpartition("#")[0]]
        typed = sum(message.role == "assistant" for message in messages)
        return Reply(script[typed] if typed < len(script) else "")


def reference(bundles: Sequence[Bundle], noise: float = 0.0, seed: int = 0) -> Scripted:
    """Types what each bundle says solves it. noise: the share of worlds where it goes astray first, see scenario/noisy.py."""
    return Scripted("reference", {bundle.id: noisy.reference(bundle, noise, seed) for bundle in bundles})


class RandomCommands:
    """Types one of LINES, drawn by seed, life and turn."""

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

    def reply(self, life_id: str, messages: Sequence[Message]) -> Reply:
        return Reply(random.Random(f"{self._seed}/{life_id}/{len(messages)}").choice(self.LINES))


def stones(bundles: Sequence[Bundle], seed: int) -> dict[str, Operator]:
    """Players that understand nothing: a rate that one of them reaches measures nothing."""
    leavers = {word: Scripted(word, {bundle.id: (word,) for bundle in bundles}) for word in ("exit", "panic")}
    return {"random": RandomCommands(seed), **leavers}


def scripted(bundles: Sequence[Bundle], script: Sequence[str]) -> Scripted:
    """Types the same replies in every world."""
    return Scripted("scripted", {bundle.id: tuple(script) for bundle in bundles})
