"""Names that are not in the word list, as they occur in scenarios of users."""

import random

from sekft.scenario import words

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def unlisted_name(rng: random.Random) -> str:
    """A lower-case word that is in no list: made of syllables, of random letters, or with a number at the end."""
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


def share_of_unlisted(outside_names: float) -> float:
    """The expected share of unlisted names among all names, for the setting corpus.outside_names.

    Half of the conversations have no unlisted names, a quarter have only such, and in a quarter their share is 2 * outside_names.
    """
    return (1.0 + min(1.0, 2 * outside_names)) / 4 if outside_names else 0.0


def nouns(rng: random.Random, share: float) -> list[str]:
    """Different nouns, more than any conversation needs. share: of them that are unlisted."""
    unlisted = {unlisted_name(rng): None for _ in range(round(share * _ENOUGH))}
    return [*rng.sample(words.NOUNS, _ENOUGH - len(unlisted)), *unlisted]


_ENOUGH = 128  # a few conversations in a million need more than 96
