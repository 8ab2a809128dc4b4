"""Conversations between somebody who asks and a shell that is worked: the base learns to do what it is told, and to go on.

Every one begins with a request. What is asked is done; then the shell is used idly, for ever: nothing ends a session.
"""

import random
from collections.abc import Callable, Mapping, Sequence

from sekft.pretrain.corpus import names, sentences
from sekft.pretrain.corpus.looks import LOOKS, mention
from sekft.pretrain.corpus.scene import Scene, Talk, furnish, install
from sekft.pretrain.corpus.work import follow, tasks
from sekft.scenario import words
from sekft.scenario.draw import Draw


def talk(seed: str, shares: Mapping[str, float], outside: float, known: Sequence[str]) -> Talk:
    """One conversation; all chance comes from the seed. shares: of KINDS, any sum; outside: see names.share_of_outside;
    known: archetypes."""
    rng = random.Random(seed)
    kind = rng.choices(tuple(shares), tuple(shares.values()))[0]
    share = rng.choice((0.0, 0.0, 1.0, min(1.0, 2 * outside))) if outside else 0.0
    draw = Draw(rng, evaluation=False, folders=rng.choice((0, 0, 0, 3)), nouns=names.nouns(rng, share))
    scene = Scene(rng, draw, known)
    KINDS[kind](scene)
    return scene.talk()


def look(scene: Scene) -> None:
    """Somebody wants to see something; who keeps directives is read like anything else, and nobody acts on it."""
    furnish(scene)
    if scene.draw.chance(0.5):
        install(scene, [scene.draw.line() for _ in range(2)], scene.draw.chance(0.3))
    mention(scene)
    for _ in range(scene.draw.number(1, 3)):
        scene.rng.choice(LOOKS)(scene)
    scene.idle()


def say(scene: Scene) -> None:
    """Words are repeated: copying, of words in the list and of others."""
    for _ in range(scene.draw.number(1, 3)):
        if scene.draw.chance(0.25):
            path, words_ = scene.draw.name(), _reason(scene)
            scene.say(sentences.WRITE_REASON, path=path, words=words_)
            scene.machine.files[path] = f"{words_}\n"
            scene.type(f"echo {words_} > {path}", "")
        else:
            spoken = " ".join(_word(scene) for _ in range(scene.draw.number(1, 4)))
            scene.say(sentences.SAY, words=spoken)
            scene.type(f"echo {spoken}")
    scene.idle(0, 2)


def idle(scene: Scene) -> None:
    furnish(scene)
    scene.say(sentences.IDLE)
    scene.idle(3, 7)


KINDS: Mapping[str, Callable[[Scene], None]] = {"tasks": tasks, "follow": follow, "look": look, "say": say, "idle": idle}


def _word(scene: Scene) -> str:
    return scene.rng.choice(sentences.ODD_WORDS) if scene.draw.chance(0.15) else scene.draw.noun()


def _reason(scene: Scene) -> str:
    path = scene.draw.file() if scene.draw.chance(0.7) else scene.draw.locked()
    return scene.draw.phrase(sentences.REASONS, path=path, tool=words.provider_name(scene.rng))
