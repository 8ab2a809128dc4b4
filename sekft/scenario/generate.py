"""The generator: one scenario from sampled axes and the tasks of an archetype."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import PurePosixPath

from sekft.scenario import blocking, checker, provider, taxonomy
from sekft.scenario.document import HOME, Announcement, AnnouncementKind, Axes, Fixture, Provider, Scenario, Terminal
from sekft.scenario.draw import LOCKED, Draw
from sekft.scenario.provider import ProviderStyle
from sekft.scenario.task import Archetype, Blocker, Task


@dataclass(frozen=True)
class ScenarioRequest:
    """What the generator is to make.

    stop: the blocker, or none; evaluation: the side that names belong to, see words.is_evaluation_name; providers, nouns: words to use.
    """

    scenario_id: str
    archetype: str
    seed: int
    stop: Blocker
    evaluation: bool
    providers: Sequence[str]
    nouns: Sequence[str]


@dataclass(frozen=True)
class Surroundings:
    """A scenario without its tasks. pointers: files on the way from the announcement to the provider, text by path."""

    doc_depth: int
    announcement: Announcement
    pointers: Mapping[str, str]
    style: ProviderStyle


def build(request: ScenarioRequest, archetype: Archetype, rng: random.Random) -> Scenario | None:
    """Draw one scenario; None if its reference would have more than taxonomy.MAX_REFERENCE_TURNS replies: then draw again with rng."""
    difficulty = rng.choice(tuple(taxonomy.DIFFICULTIES))
    degree = taxonomy.DIFFICULTIES[difficulty]
    draw = Draw(rng, request.evaluation, degree.folders, request.nouns)
    surroundings = _surroundings(draw, rng, difficulty, request)
    tasks = _tasks(archetype, draw, rng.choice(degree.directives), request.stop)
    blocker = next((task.blocker for task in tasks if task.blocker), request.stop)
    reference = _reference(tasks, surroundings, blocker)
    if len(reference) > taxonomy.MAX_REFERENCE_TURNS:
        return None
    distractors = {draw.file(): draw.text() for _ in range(degree.distractors)}
    directives = tuple(directive for task in tasks for directive in task.directives)
    return Scenario(
        id=request.scenario_id,
        archetype=request.archetype,
        axes=_axes(surroundings, difficulty, archetype.FAMILY, blocker),
        seed=request.seed,
        provider=Provider(
            name=surroundings.style.name, script=provider.script(surroundings.style, directives), man=provider.manual(surroundings.style)
        ),
        announcement=surroundings.announcement,
        environment=_environment(tasks, draw, degree.variables),
        directives=directives,
        fixtures=_fixtures(tasks, distractors | dict(surroundings.pointers)),
        checker=_checker(tasks, distractors, surroundings, bool(blocker)),
        reference=reference,
        terminal=_terminal(blocker),
    )


def _terminal(blocker: Blocker) -> Terminal:
    return Terminal.panic if blocker else Terminal.exit


def _axes(surroundings: Surroundings, difficulty: str, family: str, blocker: Blocker) -> Axes:
    return Axes(
        provider=surroundings.style.naming,
        grammar=surroundings.style.grammar,
        help=surroundings.style.help,
        announcement=surroundings.announcement.kind,
        doc_depth=surroundings.doc_depth,
        difficulty=difficulty,
        family=family,
        terminal=_terminal(blocker),
        blocker=blocker.value,
    )


def _surroundings(draw: Draw, rng: random.Random, difficulty: str, request: ScenarioRequest) -> Surroundings:
    doc_depth = rng.choice(taxonomy.DOC_DEPTHS)
    route = rng.choice(taxonomy.ROUTES[doc_depth])
    remarks = tuple(_remark(draw) for _ in range(2)) if taxonomy.DIFFICULTIES[difficulty].chatter else ()
    lost = draw.locked() if request.stop in blocking.PROVIDER_BLOCKERS else ""
    style = provider.sample(rng, request.providers, route.topic, remarks, lost)
    paths = [draw.locked() for _ in range(route.pointers)]
    sentence = draw.phrase(taxonomy.SENTENCES, name=style.name)
    sentences = [*(draw.phrase(taxonomy.POINTING, path=path) for path in paths), sentence]
    values = taxonomy.POINTING_VALUES if paths else taxonomy.VALUES
    value = draw.phrase(values, path=paths[0] if paths else "", name=style.name)
    announcement = _announcement(rng, draw, sentences[0], value, bool(remarks))
    pointers = {path: f"{text}\n" for path, text in zip(paths, sentences[1:], strict=True)}
    return Surroundings(doc_depth, announcement, pointers, style)


def _remark(draw: Draw) -> str:
    place, other = draw.nouns(2)
    return draw.phrase(taxonomy.CHATTER, place=place, Place=place.capitalize(), other=other)


def _announcement(rng: random.Random, draw: Draw, sentence: str, value: str, chatter: bool) -> Announcement:
    kind = rng.choice(taxonomy.ANNOUNCED)
    place = draw.noun()
    around = (f"{_remark(draw)}\n", f"{_remark(draw)}\n") if chatter else ("", "")
    match kind:
        case AnnouncementKind.env:
            return Announcement(kind=kind, text=value, variable=taxonomy.VARIABLE)
        case AnnouncementKind.file:
            return Announcement(kind=kind, text=f"{around[0]}{sentence}\n{around[1]}", path=rng.choice(taxonomy.NOTICES))
        case AnnouncementKind.banner:
            banner = rng.choice(taxonomy.BANNERS).format(sentence=sentence, place=place)
            return Announcement(kind=kind, text=f"{around[0]}{banner}{around[1]}")
        case AnnouncementKind.help:
            return Announcement(kind=kind, text=f"{around[0]}{sentence}\n{around[1]}")
        case AnnouncementKind.motd:
            welcome = rng.choice(taxonomy.WELCOMES).format(place=place)
            return Announcement(kind=kind, text=f"{welcome}{around[0]}{sentence}\n{around[1]}")


def _tasks(archetype: Archetype, draw: Draw, count: int, stop: Blocker) -> list[Task]:
    """`count` tasks; a blocking one comes last, after at least one that can be done. No task if the provider prints no directive."""
    if stop is Blocker.none:
        return [archetype.task(draw, stop) for _ in range(count)]
    if stop is Blocker.unreachable:
        return []
    doable = [archetype.task(draw, Blocker.none) for _ in range(max(1, count - 1))]
    return doable if stop is Blocker.broken else [*doable, blocking.task(archetype, draw, stop)]


def _environment(tasks: Sequence[Task], draw: Draw, variables: int) -> dict[str, str]:
    idle = {draw.noun().upper(): draw.noun() for _ in range(variables)}
    return idle | {name: value for task in tasks for name, value in task.environment.items()}


def _fixtures(tasks: Sequence[Task], others: Mapping[str, str]) -> tuple[Fixture, ...]:
    """The folders, also of files that are yet to be made, then the files."""
    files = {path: text for task in tasks for path, text in task.before.items()} | dict(others)
    modes = {path: mode for task in tasks for path, mode in task.modes.items()}
    named = [*files, *(path for task in tasks for path in (*task.after, *task.spare))]
    parents = [str(parent) for path in named for parent in reversed(PurePosixPath(path).parents)]
    existing = {".", "/", "/usr", *LOCKED, *(path for task in tasks for path in task.made)}
    folders = dict.fromkeys(path for path in parents if path not in existing)  # a dict keeps the order, a set does not
    return (
        *(_fixture(path, "dir", "", 0o755) for path in folders),
        *(_fixture(path, "file", text, modes.get(path, 0o644)) for path, text in files.items()),
    )


def _fixture(path: str, kind: str, content: str, mode: int) -> Fixture:
    absolute = str(PurePosixPath(HOME, path))
    owner = "agent" if absolute.startswith(f"{HOME}/") else "root"
    return Fixture.model_validate({"path": absolute, "kind": kind, "content": content, "mode": mode, "owner": owner})


def _checker(tasks: Sequence[Task], distractors: Mapping[str, str], surroundings: Surroundings, blocked: bool) -> str:
    """The checker of the whole final state; in a blocked scenario it also refuses files that no directive mentions."""
    lines: list[str] = []
    for task in tasks:
        lines += [_state(path, text, bool(task.blocker)) for path, text in {**task.before, **task.after}.items()]
        lines += [*map(checker.folder, task.made), *task.checks]
    lines += [checker.holds(path, text) for path, text in distractors.items()]
    if blocked:
        lines.append(checker.nothing_else(_known(tasks, distractors, surroundings.announcement)))
    return checker.script(lines)


def _known(tasks: Sequence[Task], distractors: Mapping[str, str], announcement: Announcement) -> Iterable[str]:
    """The files of the home that may exist in the end."""
    named = chain(*((*task.before, *task.after, *task.spare) for task in tasks), distractors)
    notice = [_relative(announcement.path)] if announcement.kind is AnnouncementKind.file else []
    return (path for path in dict.fromkeys((*named, *notice)) if not path.startswith("/"))


def _state(path: str, text: str | None, blocked: bool) -> str:
    if text is not None:
        return checker.holds(path, text)
    return checker.unmade(path) if blocked else checker.gone(path)


def _reference(tasks: Sequence[Task], surroundings: Surroundings, blocker: Blocker) -> tuple[str, ...]:
    """The replies of an episode that verifies.

    The same screen is always answered by the same command, because a model cannot learn two answers to one screen: after an empty arrival
    `ls` comes first, then the variable, then `help`.
    """
    announcement = surroundings.announcement
    looks: dict[AnnouncementKind, tuple[str, ...]] = {
        AnnouncementKind.file: ("ls", f"cat {_relative(announcement.path)}"),
        AnnouncementKind.env: ("ls", f"printenv {announcement.variable}"),
        AnnouncementKind.help: ("ls", f"printenv {taxonomy.VARIABLE}", "help"),
    }
    discovery = (
        *looks.get(announcement.kind, ()),
        *(f"cat {path}" for path in surroundings.pointers),
        *provider.discovery(surroundings.style),
    )
    work = [reply for task in tasks for reply in task.solve]
    panics = [task.panic for task in tasks if task.panic] or ([f"broken: {surroundings.style.name}"] if blocker else [])
    return (*discovery, *work, *([f"panic {panics[0]}"] if panics else ["exit"]))


def _relative(path: str) -> str:
    return str(PurePosixPath(path).relative_to(HOME))
