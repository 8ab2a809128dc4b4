"""A conversation as it grows: what is said, what is typed, and what the place prints."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from sekft.pretrain.corpus.machine import Machine
from sekft.sandbox.text import PROMPT
from sekft.scenario import provider, taxonomy, words
from sekft.scenario.detours import TYPOS
from sekft.scenario.draw import Draw
from sekft.scenario.task import Task

_SLIP = 0.03  # of the commands are mistyped first
_IDLE = ("ls", "ls", "ls", "pwd", "whoami", f"printenv {taxonomy.VARIABLE}", "help", "ls /srv")


@dataclass(frozen=True)
class Talk:
    """messages: request, reply, what the shell prints, reply, ...: they end with a reply. printed: after every reply, without
    the requests that may follow; wanted: the replies that were asked for, by their place in messages; start: where it begins."""

    messages: tuple[str, ...]
    printed: tuple[str, ...]
    wanted: tuple[int, ...]
    start: Machine


@dataclass
class Scene:
    """A conversation as it grows. start: the place before the first command; messages: what was said, the asker's first.
    known: the archetypes whose operations may occur."""

    rng: random.Random
    draw: Draw
    known: Sequence[str]
    machine: Machine = field(default_factory=Machine)
    start: Machine = field(default_factory=Machine)
    messages: list[str] = field(default_factory=list)
    printed: list[str] = field(default_factory=list)
    wanted: list[int] = field(default_factory=list)
    _said: str = ""

    def say(self, sayings: Sequence[str], **parts: str) -> None:
        """A request, at the prompt that is there."""
        if not self.messages:
            self.start = self.machine.copy()
        self._said += f"{self.draw.phrase(sayings, **parts)}\n"

    def type(self, command: str, output: str | None = None, wanted: bool = True) -> None:
        if wanted:
            self.wanted.append(len(self.messages) + 1)
        self.messages += [f"{self._said}{PROMPT}", command]
        self._said = self.machine.answer(command) if output is None else output
        self.printed.append(self._said)

    def type_slipping(self, command: str, output: str | None = None) -> None:
        """Now and then the line is mistyped first."""
        if self.draw.chance(_SLIP) and (slip := _slip(command)):
            self.type(slip, wanted=False)
        self.type(command, output)

    def work(self, task: Task) -> None:
        for command, output in self.machine.work(task):
            self.type_slipping(command, output)

    def idle(self, least: int = 1, most: int = 3) -> None:
        for _ in range(self.draw.number(least, most)):
            self.type(_idle(self), wanted=False)

    def talk(self) -> Talk:
        return Talk(tuple(self.messages), tuple(self.printed), tuple(self.wanted), self.start)


def furnish(scene: Scene, most: int = 4) -> None:
    """Files that nobody asks for, up to `most`."""
    for _ in range(scene.draw.number(0, most)):
        path = scene.draw.file()
        scene.machine.lay(Task((), (), before={path: scene.draw.text()}))


def install(scene: Scene, directives: Sequence[str], topic: bool, lost: str = "") -> None:
    """A provider, whose name is mostly one nobody has met. lost: a file its list breaks off at, or nothing."""
    word = words.provider_name(scene.rng) if scene.draw.chance(0.8) else scene.rng.choice(words.TRAIN_PROVIDERS)
    remarks = tuple(_remark(scene) for _ in range(2)) if scene.draw.chance(0.25) else ()
    scene.machine.manner = provider.sample(scene.rng, (word,), topic, remarks, lost)
    scene.machine.directives = directives


def _remark(scene: Scene) -> str:
    machine, other = scene.draw.nouns(2)
    return scene.draw.phrase(taxonomy.CHATTER, place=machine, Place=machine.capitalize(), other=other)


def _slip(command: str) -> str:
    name, blank, rest = command.partition(" ")
    return f"{TYPOS[name]}{blank}{rest}" if name in TYPOS and len(command.split()) <= 3 and ">" not in command else ""


def _idle(scene: Scene) -> str:
    """Something harmless. `cat` and `ls` of what is there, mostly."""
    machine, rng = scene.machine, scene.rng
    visible = [path for path in sorted(machine.files) if not path.endswith((".b64", ".tar"))]
    match rng.randrange(4):
        case 0 if visible:
            return f"cat {rng.choice(visible)}"
        case 1 if machine.manner:
            return f"{machine.manner.name} --help"
        case 2 if folders := machine.shown_folders():
            return f"ls {rng.choice(folders)}"
        case _:
            return rng.choice(_IDLE)
