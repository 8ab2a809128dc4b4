"""A conversation while it is generated: requests, typed commands, and the output of a simulated machine."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from sekft.pretrain.corpus.machine import Machine
from sekft.sandbox.text import PROMPT
from sekft.scenario import provider, taxonomy, words
from sekft.scenario.detours import TYPOS
from sekft.scenario.draw import Draw
from sekft.scenario.task import Task

_SLIP = 0.03  # share of the commands that are mistyped first
_IDLE = ("ls", "ls", "ls", "pwd", "whoami", f"printenv {taxonomy.VARIABLE}", "help", "ls /srv")


@dataclass(frozen=True)
class Conversation:
    """messages: environment turns and replies in alternation, from a request to a reply.

    outputs: the output after every reply, without a request that may follow it. requested: indices in messages of the replies that do what
    a request asks for. start: the machine before the first command.
    """

    messages: tuple[str, ...]
    outputs: tuple[str, ...]
    requested: tuple[int, ...]
    start: Machine


@dataclass
class Scene:
    """A conversation while it is generated; fields as in Conversation. archetypes: names of those whose operations may occur."""

    rng: random.Random
    draw: Draw
    archetypes: Sequence[str]
    machine: Machine = field(default_factory=Machine)
    start: Machine = field(default_factory=Machine)
    messages: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)
    requested: list[int] = field(default_factory=list)
    _screen: str = ""  # what the next environment turn shows before the prompt

    def request(self, phrasings: Sequence[str], **parts: str) -> None:
        """Add a request to the next environment turn."""
        if not self.messages:
            self.start = self.machine.copy()
        self._screen += f"{self.draw.phrase(phrasings, **parts)}\n"

    def type(self, command: str, output: str | None = None, requested: bool = True) -> None:
        """Add a reply and its output. output: None: the simulated machine's. requested: whether a request asks for the command."""
        if requested:
            self.requested.append(len(self.messages) + 1)
        self.messages += [f"{self._screen}{PROMPT}", command]
        self._screen = self.machine.output_of(command) if output is None else output
        self.outputs.append(self._screen)

    def type_with_slips(self, command: str, output: str | None = None) -> None:
        """Type a command; sometimes it is mistyped first."""
        if self.draw.chance(_SLIP) and (slip := _slip(command)):
            self.type(slip, requested=False)
        self.type(command, output)

    def perform(self, task: Task) -> None:
        for command, output in self.machine.solve(task):
            self.type_with_slips(command, output)

    def idle(self, least: int = 1, most: int = 3) -> None:
        for _ in range(self.draw.number(least, most)):
            self.type(_idle_command(self), requested=False)

    def conversation(self) -> Conversation:
        return Conversation(tuple(self.messages), tuple(self.outputs), tuple(self.requested), self.start)


def furnish(scene: Scene, most: int = 4) -> None:
    """Create up to `most` files that no request is about."""
    for _ in range(scene.draw.number(0, most)):
        path = scene.draw.file()
        scene.machine.prepare(Task((), (), before={path: scene.draw.text()}))


def install(scene: Scene, directives: Sequence[str], topic: bool, lost: str = "") -> None:
    """Install a provider, usually under an invented name. lost: a missing file at which its list breaks off; empty: none."""
    word = words.provider_name(scene.rng) if scene.draw.chance(0.8) else scene.rng.choice(words.TRAIN_PROVIDERS)
    remarks = tuple(_remark(scene) for _ in range(2)) if scene.draw.chance(0.25) else ()
    scene.machine.style = provider.sample(scene.rng, (word,), topic, remarks, lost)
    scene.machine.directives = directives


def _remark(scene: Scene) -> str:
    place, other = scene.draw.nouns(2)
    return scene.draw.phrase(taxonomy.CHATTER, place=place, Place=place.capitalize(), other=other)


def _slip(command: str) -> str:
    name, blank, rest = command.partition(" ")
    return f"{TYPOS[name]}{blank}{rest}" if name in TYPOS and len(command.split()) <= 3 and ">" not in command else ""


def _idle_command(scene: Scene) -> str:
    """A harmless command, mostly `cat` or `ls` of something that exists."""
    machine, rng = scene.machine, scene.rng
    visible = [path for path in sorted(machine.files) if not path.endswith((".b64", ".tar"))]
    match rng.randrange(4):
        case 0 if visible:
            return f"cat {rng.choice(visible)}"
        case 1 if machine.style:
            return f"{machine.style.name} --help"
        case 2 if folders := machine.home_folders():
            return f"ls {rng.choice(folders)}"
        case _:
            return rng.choice(_IDLE)
