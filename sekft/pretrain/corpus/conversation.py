"""Conversations for the pre-training: somebody makes requests at a shell prompt, and the base learns to carry them out.

Every conversation begins with a request. After the requests the shell is used idly; no conversation ends its session.
"""

import random
from collections.abc import Callable, Mapping, Sequence

from sekft.pretrain.corpus import names, sentences
from sekft.pretrain.corpus.looks import LOOKS, mention
from sekft.pretrain.corpus.scene import Conversation, Scene, furnish, install
from sekft.pretrain.corpus.work import follow, tasks
from sekft.scenario import words
from sekft.scenario.draw import Draw


def generate_conversation(seed: str, shares: Mapping[str, float], outside_names: float, archetypes: Sequence[str]) -> Conversation:
    """One conversation, drawn from the seed alone.

    shares: weights of the KINDS, of any sum; outside_names: see names.share_of_unlisted; archetypes: those whose operations may occur.
    """
    rng = random.Random(seed)
    kind = rng.choices(tuple(shares), tuple(shares.values()))[0]
    share = rng.choice((0.0, 0.0, 1.0, min(1.0, 2 * outside_names))) if outside_names else 0.0
    draw = Draw(rng, evaluation=False, folders=rng.choice((0, 0, 0, 3)), nouns=names.nouns(rng, share))
    scene = Scene(rng, draw, archetypes)
    KINDS[kind](scene)
    return scene.conversation()


def look(scene: Scene) -> None:
    """Requests to look at something; an announcement of a provider may be read, but nobody acts on it."""
    furnish(scene)
    if scene.draw.chance(0.5):
        install(scene, [scene.draw.line() for _ in range(2)], scene.draw.chance(0.3))
    mention(scene)
    for _ in range(scene.draw.number(1, 3)):
        scene.rng.choice(LOOKS)(scene)
    scene.idle()


def say(scene: Scene) -> None:
    """Requests to print or write given words, listed and unlisted: copying."""
    for _ in range(scene.draw.number(1, 3)):
        if scene.draw.chance(0.25):
            path, text = scene.draw.name(), _reason(scene)
            scene.request(sentences.WRITE_REASON, path=path, words=text)
            scene.machine.files[path] = f"{text}\n"
            scene.type(f"echo {text} > {path}", "")
        else:
            given = " ".join(_word(scene) for _ in range(scene.draw.number(1, 4)))
            scene.request(sentences.SAY, words=given)
            scene.type(f"echo {given}")
    scene.idle(0, 2)


def idle(scene: Scene) -> None:
    """A request to wait."""
    furnish(scene)
    scene.request(sentences.IDLE)
    scene.idle(3, 7)


KINDS: Mapping[str, Callable[[Scene], None]] = {"tasks": tasks, "follow": follow, "look": look, "say": say, "idle": idle}


def _word(scene: Scene) -> str:
    return scene.rng.choice(sentences.ODD_WORDS) if scene.draw.chance(0.15) else scene.draw.noun()


def _reason(scene: Scene) -> str:
    path = scene.draw.file() if scene.draw.chance(0.7) else scene.draw.locked()
    return scene.draw.phrase(sentences.REASONS, path=path, tool=words.provider_name(scene.rng))
