"""Requests to look at something. The output may announce a provider of directives; nobody acts on it here."""

from collections.abc import Callable, Sequence

from sekft.pretrain.corpus import sentences
from sekft.pretrain.corpus.scene import Scene
from sekft.scenario import taxonomy, words

NOTICES = tuple(path.split("/")[-1] for path in taxonomy.NOTICES)


def mention(scene: Scene) -> None:
    """Announce a provider somewhere on the machine, or nowhere; the conversation does not act on it."""
    style, sentence = scene.machine.style, scene.draw.phrase(taxonomy.SENTENCES, name=words.provider_name(scene.rng))
    if style:
        sentence = scene.draw.phrase(taxonomy.SENTENCES, name=style.name)
    match scene.rng.randrange(4):
        case 0:
            scene.machine.files[scene.rng.choice(NOTICES)] = f"{sentence}\n"
        case 1:
            scene.machine.environment[taxonomy.VARIABLE] = sentence
        case 2:
            scene.machine.help = f"{sentence}\n"


def _look_around(scene: Scene) -> None:
    """The commands of an arrival in an episode, typed on request, without anything after them."""
    scene.request(sentences.AROUND)
    scene.type("ls")
    notice = next((path for path in NOTICES if path in scene.machine.files), "")
    if notice:
        scene.type(f"cat {notice}")
        return
    scene.type(f"printenv {taxonomy.VARIABLE}")
    if taxonomy.VARIABLE not in scene.machine.environment:
        scene.type("help")


def _look_at_file(scene: Scene) -> None:
    path = scene.machine.pick_file(scene.rng) or scene.draw.file()
    scene.request(sentences.READ, path=path)
    scene.type(f"cat {path}")


def _look_at_folder(scene: Scene) -> None:
    folders = scene.machine.home_folders()
    if folders and scene.draw.chance(0.5):
        path = scene.rng.choice(folders)
        scene.request(sentences.LIST_FOLDER, path=path)
        scene.type(f"ls {path}")
    else:
        scene.request(sentences.LIST)
        scene.type("ls")


def _look_at_variable(scene: Scene) -> None:
    scene.request(sentences.VALUE, name=taxonomy.VARIABLE)
    scene.type(f"printenv {taxonomy.VARIABLE}")


def _look_at_provider(scene: Scene) -> None:
    if not scene.machine.style:
        _look_at_folder(scene)
        return
    name = scene.machine.style.name
    if scene.machine.style.help == "manual" and scene.draw.chance(0.5):
        scene.request(sentences.MANUAL_OF, name=name)
        scene.type(f"man {name}")
    else:
        scene.request(sentences.HELP_OF, name=name)
        scene.type(f"{name} --help")


def _look_at_machine(scene: Scene) -> None:
    command, phrasings = scene.rng.choice((("pwd", sentences.WHERE), ("whoami", sentences.WHO)))
    scene.request(phrasings)
    scene.type(command)


LOOKS: Sequence[Callable[[Scene], None]] = (
    _look_around,
    _look_around,
    _look_at_file,
    _look_at_folder,
    _look_at_variable,
    _look_at_provider,
    _look_at_machine,
)
