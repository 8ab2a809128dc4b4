"""Requests to do something: told at the prompt, or kept by a provider that is named."""

from collections.abc import Sequence

from sekft.pretrain.corpus import sentences
from sekft.pretrain.corpus.looks import NOTICES
from sekft.pretrain.corpus.scene import Scene, furnish, install
from sekft.scenario import blocking, library, provider, taxonomy
from sekft.scenario.task import Blocker, Task

_BLOCKED = 0.2  # of the conversations end in something that cannot be done
_LOST = 0.06  # of the lists break off
_STOPS = (Blocker.missing, Blocker.missing, Blocker.denied, Blocker.denied, Blocker.absent, Blocker.contradictory)


def tasks(scene: Scene) -> None:
    """Requests, one after the other or as one list."""
    work, reason_file = _tasks(scene)
    if scene.draw.chance(0.4):
        directives = [text for task in work for text in task.directives]
        form = scene.rng.choice(tuple(taxonomy.LISTINGS.values()))
        scene.say(("{text}",), text="\n".join(form.format(number=number, text=text) for number, text in enumerate(directives, 1)))
        _say_trouble(scene, reason_file)
        for task in work:
            scene.work(task)
    else:
        for task in work:
            scene.say(("{before}{text}",), before=scene.rng.choice(sentences.BEFORE), text="\n".join(task.directives))
            if task is work[-1]:
                _say_trouble(scene, reason_file)
            scene.work(task)
    _explain(scene, work, reason_file)
    scene.idle()


def follow(scene: Scene) -> None:
    """A provider is named, or what names it; its help leads to the list, and what the list says is done."""
    work, reason_file = _tasks(scene)
    route = scene.rng.choice(taxonomy.ROUTES[scene.rng.choice(taxonomy.DOC_DEPTHS)])
    lost = scene.draw.locked() if scene.draw.chance(_LOST) else ""
    install(scene, [text for task in work for text in task.directives], route.topic, lost)
    manner = scene.machine.manner
    assert manner
    path = _announce(scene, manner.name, route.pointers)
    _say_trouble(scene, reason_file)
    for command in path:
        scene.type(command)
    _discover(scene)
    for task in work:
        scene.work(task)
    _explain(scene, work, reason_file, f"broken: {manner.name}" if lost else "")
    scene.idle()


def _tasks(scene: Scene) -> tuple[list[Task], str]:
    """What is to be done, the last of it perhaps impossible; and the file where the reason is wanted, or nothing."""
    draw, rng = scene.draw, scene.rng
    count = rng.choice((1, 1, 1, 2, 2, 3))
    one = rng.choice(scene.known) if draw.chance(0.5) else ""
    stop = rng.choice(_STOPS) if draw.chance(_BLOCKED) else Blocker.none
    kinds = [library.module(one or rng.choice(scene.known)) for _ in range(count)]
    work = [kind.task(draw, Blocker.none) for kind in kinds[:-1]]
    work.append(blocking.task(kinds[-1], draw, stop))
    for task in work:
        scene.machine.lay(task)
    furnish(scene, 2)
    reason_file = draw.file() if draw.chance(0.6 if stop else 0.15) else ""
    if reason_file:
        scene.machine.lay(Task((), (), spare=(reason_file,)))
    return work, reason_file


def _announce(scene: Scene, name: str, pointers: int) -> list[str]:
    """Says who keeps the directives, or what says so; the commands that lead to the name."""
    draw, carry_on = scene.draw, scene.rng.choice(sentences.CARRY_ON)
    paths = [draw.locked() for _ in range(pointers)]
    texts = [draw.phrase(taxonomy.POINTING, path=path) for path in paths] + [draw.phrase(taxonomy.SENTENCES, name=name)]
    scene.machine.files.update(zip(paths, (f"{text}\n" for text in texts[1:]), strict=True))
    reading = [f"cat {path}" for path in paths]
    match scene.rng.choice(("name", "name", "notice", "variable", "help") if not paths else ("path", "notice", "variable", "help")):
        case "name":
            scene.say(sentences.FOLLOW, name=name)
            return []
        case "path":
            scene.say(sentences.NOTICE, path=paths[0], carry_on=carry_on)
            return reading
        case "notice":
            notice = scene.rng.choice((*NOTICES, draw.name()))
            scene.machine.files[notice] = f"{texts[0]}\n"
            scene.say(sentences.NOTICE, path=notice, carry_on=carry_on)
            return [f"cat {notice}", *reading]
        case "variable":
            values = taxonomy.POINTING_VALUES if paths else taxonomy.VALUES
            variable = scene.rng.choice((taxonomy.VARIABLE, "_".join(draw.nouns(2)).upper()))
            scene.machine.environment[variable] = draw.phrase(values, path=paths[0] if paths else "", name=name)
            scene.say(sentences.VARIABLE, variable=variable, carry_on=carry_on)
            return [f"printenv {variable}", *reading]
        case _:
            scene.machine.help = f"{texts[0]}\n"
            scene.say(sentences.HELP, carry_on=carry_on)
            return ["help", *reading]


def _discover(scene: Scene) -> None:
    """From the provider's name to its list, now and then astray: a sub-command it does not have leads back to its help."""
    manner = scene.machine.manner
    assert manner
    way = provider.discovery(manner)
    if scene.draw.chance(0.08):
        scene.type(f"{manner.name} {scene.rng.choice(taxonomy.VERBS)}x", wanted=False)
    for command in way:
        scene.type_slipping(command)


def _say_trouble(scene: Scene, path: str) -> None:
    if path:
        scene.say(sentences.TROUBLE, path=path)


def _explain(scene: Scene, work: Sequence[Task], path: str, broken: str = "") -> None:
    """The reason is written where it is wanted, and only if there is one."""
    reasons = [broken] if broken else [task.panic for task in work if task.panic]
    if path and reasons:
        scene.machine.files[path] = f"{reasons[0]}\n"
        scene.type(f"echo {reasons[0]} > {path}", "")
