"""What every archetype shares: one Task per directive, and the world put together from tasks and sampled axes."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Protocol

from sekft.scenario import checker, provider, taxonomy, words
from sekft.scenario.bundle import HOME, Announcement, Announcing, Axes, Bundle, Fixture, Provider, Terminal

LOCKED = ("/srv", "/usr/local")
SUFFIXES = (".txt", ".txt", ".md", ".log")


@dataclass(frozen=True)
class Task:
    """One directive and what it means. Paths are relative to the agent's home, or absolute under LOCKED.

    before: what lies there on arrival; after: what must be there in the end, None: nothing; files of `before` not named in
    `after` stay as they were. panic: why it cannot be done, then `solve` ends with the command that fails and None
    means not produced. checks: further checker lines.
    """

    directive: str
    solve: tuple[str, ...]
    before: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str | None] = field(default_factory=dict)
    checks: tuple[str, ...] = ()
    panic: str = ""


class Archetype(Protocol):
    """A module of sekft.scenario.archetype."""

    def doable(self, draw: "Draw") -> Task: ...

    def blocked(self, draw: "Draw") -> Task: ...


class Draw:
    """Names and contents for one world: no noun names two things."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._unused = rng.sample(words.NOUNS, len(words.NOUNS))

    def noun(self) -> str:
        return self._unused.pop()

    def nouns(self, count: int) -> tuple[str, ...]:
        return tuple(self.noun() for _ in range(count))

    def number(self, least: int, most: int) -> int:
        return self._rng.randrange(least, most + 1)

    def chance(self, share: float) -> bool:
        return self._rng.random() < share

    def name(self) -> str:
        return self.noun() + self._rng.choice(SUFFIXES)

    def file(self) -> str:
        """A path in the agent's home, one in four in a folder."""
        return f"{self.noun()}/{self.name()}" if self.chance(0.25) else self.name()

    def locked(self) -> str:
        """A path where the agent may read but not write."""
        return f"{self._rng.choice(LOCKED)}/{self.noun()}/{self.name()}"

    def source(self) -> str:
        """A path to read from, one in five outside the home."""
        return self.locked() if self.chance(0.2) else self.file()

    def lost(self) -> bool:
        """Whether a blocked directive misses its source, or else may not write; two in three, as some can only be denied."""
        return self.chance(2 / 3)

    def line(self) -> str:
        return " ".join(self.nouns(self.number(2, 3)))

    def lines(self, least: int, most: int) -> tuple[str, ...]:
        return tuple(" ".join(self.nouns(self.number(1, 2))) for _ in range(self.number(least, most)))

    def text(self) -> str:
        return joined(self.lines(2, 4))

    def mixed(self, lines: Sequence[str]) -> tuple[str, ...]:
        return tuple(self._rng.sample(lines, len(lines)))

    def say(self, sayings: Sequence[str], **parts: str) -> str:
        return self._rng.choice(sayings).format(**parts)


def joined(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def missing(path: str) -> str:
    return f"missing {path}"


def denied(path: str) -> str:
    return f"permission denied: {path}"


def build(
    archetype: str, module: Archetype, *, bundle_id: str, seed: int, blocked: bool, providers: Sequence[str], rng: random.Random
) -> Bundle:
    """One world. A blocked one has at least one doable directive, and the blocker last."""
    difficulty = rng.choice(tuple(taxonomy.DIFFICULTIES))
    doc_depth = rng.choice(taxonomy.DOC_DEPTHS)
    manner = provider.sample(rng, rng.choice(providers), doc_depth)
    draw = Draw(rng)
    announcement = _announcement(rng, draw, manner.name)
    tasks = _tasks(module, draw, rng.choice(taxonomy.DIFFICULTIES[difficulty].directives), blocked)
    distractors = {draw.file(): draw.text() for _ in range(taxonomy.DIFFICULTIES[difficulty].distractors)}
    terminal = Terminal.panic if blocked else Terminal.exit
    directives = tuple(task.directive for task in tasks)
    return Bundle(
        id=bundle_id,
        archetype=archetype,
        axes=Axes(
            provider=manner.style,
            announcement=announcement.kind,
            doc_depth=doc_depth,
            difficulty=difficulty,
            terminal=terminal,
        ),
        seed=seed,
        provider=Provider(name=manner.name, script=provider.script(manner, directives)),
        announcement=announcement,
        environment={"SITE": draw.noun()} if difficulty == "busy" else {},
        directives=directives,
        fixtures=_fixtures(tasks, distractors),
        checker=_checker(tasks, distractors, announcement),
        reference=_reference(tasks, announcement, provider.discovery(manner)),
        terminal=terminal,
    )


def _tasks(module: Archetype, draw: Draw, count: int, blocked: bool) -> list[Task]:
    if not blocked:
        return [module.doable(draw) for _ in range(count)]
    return [*(module.doable(draw) for _ in range(max(1, count - 1))), module.blocked(draw)]


def _announcement(rng: random.Random, draw: Draw, name: str) -> Announcement:
    kind = rng.choice(taxonomy.ANNOUNCED)
    sentence = rng.choice(taxonomy.SENTENCES).format(name=name)
    place = draw.noun()
    match kind:
        case Announcing.env:
            return Announcement(kind=kind, text=rng.choice(taxonomy.VALUES).format(name=name), variable=taxonomy.VARIABLE)
        case Announcing.file:
            return Announcement(kind=kind, text=f"{sentence}\n", path=rng.choice(taxonomy.NOTICES))
        case Announcing.banner:
            return Announcement(kind=kind, text=rng.choice(taxonomy.BANNERS).format(sentence=sentence, place=place))
        case _:
            return Announcement(kind=kind, text=rng.choice(taxonomy.WELCOMES).format(place=place) + f"{sentence}\n")


def _fixtures(tasks: Sequence[Task], distractors: Mapping[str, str]) -> tuple[Fixture, ...]:
    """Every file of the world after the folders that hold it; folders of files yet to be made are there too."""
    files = {path: text for task in tasks for path, text in task.before.items()} | dict(distractors)
    named = [*files, *(path for task in tasks for path in task.after)]
    folders = dict.fromkeys(str(PurePosixPath(path).parent) for path in named)  # a dict keeps the order, a set does not
    made = [_fixture(path, "dir", "", 0o755) for path in folders if path != "."]
    return (*made, *(_fixture(path, "file", text, 0o644) for path, text in files.items()))


def _fixture(path: str, kind: str, content: str, mode: int) -> Fixture:
    absolute = str(PurePosixPath(HOME, path))
    owner = "agent" if absolute.startswith(f"{HOME}/") else "root"
    return Fixture.model_validate({"path": absolute, "kind": kind, "content": content, "mode": mode, "owner": owner})


def _checker(tasks: Sequence[Task], distractors: Mapping[str, str], announcement: Announcement) -> str:
    """Everything as it must be in the end. In a blocked world no file may have appeared that nobody asked for."""
    lines: list[str] = []
    after: dict[str, str | None] = {}
    for task in tasks:
        after |= {**task.before, **task.after}
        lines += [_state(path, text, bool(task.panic)) for path, text in {**task.before, **task.after}.items()]
        lines += task.checks
    lines += [checker.holds(path, text) for path, text in distractors.items()]
    if any(task.panic for task in tasks):
        known = [*after, *distractors]
        if announcement.kind == Announcing.file:
            known.append(str(PurePosixPath(announcement.path).relative_to(HOME)))
        lines.append(checker.nothing_else(path for path in known if not path.startswith("/")))
    return checker.script(lines)


def _state(path: str, text: str | None, blocked: bool) -> str:
    if text is not None:
        return checker.holds(path, text)
    return checker.unmade(path) if blocked else checker.gone(path)


def _reference(tasks: Sequence[Task], announcement: Announcement, discovery: Sequence[str]) -> tuple[str, ...]:
    """The replies of a life that verifies. Where arrival is silent the first look is the same, whatever is found then:
    two first moves for one sight could not both be learned."""
    notice = str(PurePosixPath(announcement.path).relative_to(HOME))
    looks: dict[Announcing, tuple[str, ...]] = {
        Announcing.env: ("ls", f"printenv {announcement.variable}"),
        Announcing.file: ("ls", f"cat {notice}"),
    }
    work = [reply for task in tasks for reply in task.solve]
    panics = [f"panic {task.panic}" for task in tasks if task.panic]
    return (*looks.get(announcement.kind, ()), *discovery, *work, *(panics or ["exit"]))
