"""Requests to do something: stated at the prompt, or as directives of a named provider."""

from collections.abc import Sequence

from sekft.pretrain.corpus import sentences
from sekft.pretrain.corpus.looks import NOTICES
from sekft.pretrain.corpus.scene import Scene, furnish, install
from sekft.scenario import blocking, library, provider, taxonomy
from sekft.scenario.task import Blocker, Task

_BLOCKED = 0.2  # share of the conversations whose last task cannot be done
_LOST = 0.06  # share of the lists that break off
_STOPS = (Blocker.missing, Blocker.missing, Blocker.denied, Blocker.denied, Blocker.absent, Blocker.contradictory)


def tasks(scene: Scene) -> None:
    """Tasks stated at the prompt, one after the other or as one list."""
    work, reason_file = _tasks(scene)
    if scene.draw.chance(0.4):
        directives = [text for task in work for text in task.directives]
        form = scene.rng.choice(tuple(taxonomy.LISTINGS.values()))
        scene.request(("{text}",), text="\n".join(form.format(number=number, text=text) for number, text in enumerate(directives, 1)))
        _request_reason(scene, reason_file)
        for task in work:
            scene.perform(task)
    else:
        for task in work:
            scene.request(("{before}{text}",), before=scene.rng.choice(sentences.BEFORE), text="\n".join(task.directives))
            if task is work[-1]:
                _request_reason(scene, reason_file)
            scene.perform(task)
    _write_reason(scene, work, reason_file)
    scene.idle()


def follow(scene: Scene) -> None:
    """A request to follow the directives of a provider, which is named directly or through an announcement."""
    work, reason_file = _tasks(scene)
    route = scene.rng.choice(taxonomy.ROUTES[scene.rng.choice(taxonomy.DOC_DEPTHS)])
    lost = scene.draw.locked() if scene.draw.chance(_LOST) else ""
    install(scene, [text for task in work for text in task.directives], route.topic, lost)
    style = scene.machine.style
    assert style
    path = _announce(scene, style.name, route.pointers)
    _request_reason(scene, reason_file)
    for command in path:
        scene.type(command)
    _type_discovery(scene)
    for task in work:
        scene.perform(task)
    _write_reason(scene, work, reason_file, f"broken: {style.name}" if lost else "")
    scene.idle()


def _tasks(scene: Scene) -> tuple[list[Task], str]:
    """The tasks, of which the last may be blocked, and the file in which a reason is requested; empty: none."""
    draw, rng = scene.draw, scene.rng
    count = rng.choice((1, 1, 1, 2, 2, 3))
    single = rng.choice(scene.archetypes) if draw.chance(0.5) else ""
    stop = rng.choice(_STOPS) if draw.chance(_BLOCKED) else Blocker.none
    kinds = [library.module(single or rng.choice(scene.archetypes)) for _ in range(count)]
    work = [kind.task(draw, Blocker.none) for kind in kinds[:-1]]
    work.append(blocking.task(kinds[-1], draw, stop))
    for task in work:
        scene.machine.prepare(task)
    furnish(scene, 2)
    reason_file = draw.file() if draw.chance(0.6 if stop else 0.15) else ""
    if reason_file:
        scene.machine.prepare(Task((), (), spare=(reason_file,)))
    return work, reason_file


def _announce(scene: Scene, name: str, pointers: int) -> list[str]:
    """Request to follow the provider, or what announces it; return the commands that lead to its name."""
    draw, carry_on = scene.draw, scene.rng.choice(sentences.CARRY_ON)
    paths = [draw.locked() for _ in range(pointers)]
    texts = [draw.phrase(taxonomy.POINTING, path=path) for path in paths] + [draw.phrase(taxonomy.SENTENCES, name=name)]
    scene.machine.files.update(zip(paths, (f"{text}\n" for text in texts[1:]), strict=True))
    reading = [f"cat {path}" for path in paths]
    match scene.rng.choice(("name", "name", "notice", "variable", "help") if not paths else ("path", "notice", "variable", "help")):
        case "name":
            scene.request(sentences.FOLLOW, name=name)
            return []
        case "path":
            scene.request(sentences.NOTICE, path=paths[0], carry_on=carry_on)
            return reading
        case "notice":
            notice = scene.rng.choice((*NOTICES, draw.name()))
            scene.machine.files[notice] = f"{texts[0]}\n"
            scene.request(sentences.NOTICE, path=notice, carry_on=carry_on)
            return [f"cat {notice}", *reading]
        case "variable":
            values = taxonomy.POINTING_VALUES if paths else taxonomy.VALUES
            variable = scene.rng.choice((taxonomy.VARIABLE, "_".join(draw.nouns(2)).upper()))
            scene.machine.environment[variable] = draw.phrase(values, path=paths[0] if paths else "", name=name)
            scene.request(sentences.VARIABLE, variable=variable, carry_on=carry_on)
            return [f"printenv {variable}", *reading]
        case _:
            scene.machine.help = f"{texts[0]}\n"
            scene.request(sentences.HELP, carry_on=carry_on)
            return ["help", *reading]


def _type_discovery(scene: Scene) -> None:
    """Type the commands from the provider's name to its list; sometimes an unknown sub-command first, which prints the help."""
    style = scene.machine.style
    assert style
    commands = provider.discovery(style)
    if scene.draw.chance(0.08):
        scene.type(f"{style.name} {scene.rng.choice(taxonomy.VERBS)}x", requested=False)
    for command in commands:
        scene.type_with_slips(command)


def _request_reason(scene: Scene, path: str) -> None:
    if path:
        scene.request(sentences.TROUBLE, path=path)


def _write_reason(scene: Scene, work: Sequence[Task], path: str, broken: str = "") -> None:
    """Write the reason of a failure into the requested file."""
    reasons = [broken] if broken else [task.panic for task in work if task.panic]
    if path and reasons:
        scene.machine.files[path] = f"{reasons[0]}\n"
        scene.type(f"echo {reasons[0]} > {path}", "")
