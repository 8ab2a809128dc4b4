"""Names that are in no list: what worlds of one's own are full of, and keepers nobody has met."""

import random

from sekft.scenario import words

_ONSETS = (
    "b",
    "br",
    "c",
    "d",
    "dr",
    "f",
    "g",
    "gr",
    "h",
    "j",
    "k",
    "kr",
    "l",
    "m",
    "n",
    "p",
    "pl",
    "r",
    "s",
    "st",
    "t",
    "tr",
    "v",
    "w",
    "z",
)
_VOWELS = ("a", "e", "i", "o", "u")
_CODAS = ("", "l", "m", "n", "r", "s", "t", "ck", "nd", "rt", "x")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_SPELT = ("exit", "panic")  # as part of a name they would be data, but a test could not tell
_TAKEN = frozenset((*words.NOUNS, *words.PROVIDERS))


def outside(rng: random.Random) -> str:
    """A lower-case word that no list holds: of syllables, of mere letters, or with a number behind it."""
    while True:
        match rng.randrange(4):
            case 0:
                name = "".join(rng.choice("bdfgklmnprstvz") + rng.choice(_VOWELS) for _ in range(rng.choice((2, 3, 3, 4))))
            case 1:
                name = "".join(_syllable(rng) for _ in range(rng.choice((1, 2, 2))))
            case 2:
                name = "".join(rng.choice(_LETTERS) for _ in range(rng.randrange(3, 8)))
            case _:
                name = f"{_syllable(rng)}{rng.choice(_LETTERS)}{rng.randrange(100)}"
        if len(name) > 1 and _is_free(name):
            return name


def keeper(rng: random.Random) -> str:
    """What a provider's name is made of: two syllables, never the exam's."""
    while True:
        name = _syllable(rng) + _syllable(rng)
        if len(name) > 4 and _is_free(name):
            return name


def share_of_outside(strangeness: float) -> float:
    """Of all names; see talk: half of the conversations have none, a quarter nothing else, a quarter twice `strangeness`."""
    return (1.0 + min(1.0, 2 * strangeness)) / 4 if strangeness else 0.0


def nouns(rng: random.Random, share: float) -> list[str]:
    """As many as the list has, `share` of them from outside it; each once."""
    strange = {outside(rng): None for _ in range(round(share * _ENOUGH))}
    return [*rng.sample(words.NOUNS, _ENOUGH - len(strange)), *strange]


_ENOUGH = 96  # nouns for the longest conversation


def _syllable(rng: random.Random) -> str:
    return rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS)


def _is_free(name: str) -> bool:
    return name not in _TAKEN and not any(word in name for word in (*_SPELT, *words.EXAM_PROVIDERS))
