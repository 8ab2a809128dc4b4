"""Names that are in no list: what scenarios of one's own are full of."""

import random

from sekft.scenario import words

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def outside(rng: random.Random) -> str:
    """A lower-case word that no list holds: of syllables, of mere letters, or with a number behind it."""
    while True:
        match rng.randrange(4):
            case 0:
                name = "".join(rng.choice("bdfgklmnprstvz") + rng.choice(words.VOWELS) for _ in range(rng.choice((2, 3, 3, 4))))
            case 1:
                name = "".join(words.syllable(rng) for _ in range(rng.choice((1, 2, 2))))
            case 2:
                name = "".join(rng.choice(_LETTERS) for _ in range(rng.randrange(3, 8)))
            case _:
                name = f"{words.syllable(rng)}{rng.choice(_LETTERS)}{rng.randrange(100)}"
        if len(name) > 1 and words.is_free(name):
            return name


def share_of_outside(strangeness: float) -> float:
    """Of all names; see talk: half of the conversations have none, a quarter nothing else, a quarter twice `strangeness`."""
    return (1.0 + min(1.0, 2 * strangeness)) / 4 if strangeness else 0.0


def nouns(rng: random.Random, share: float) -> list[str]:
    """More than any conversation needs, `share` of them from outside the list; each once."""
    strange = {outside(rng): None for _ in range(round(share * _ENOUGH))}
    return [*rng.sample(words.NOUNS, _ENOUGH - len(strange)), *strange]


_ENOUGH = 128  # of a million conversations, a few need more than 96
