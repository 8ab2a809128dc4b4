"""The words of scenarios: nouns for names and contents, names of providers, and which of them belong to the evaluation."""

import random
from collections.abc import Sequence
from pathlib import Path


def _sections(text: str) -> dict[str, tuple[str, ...]]:
    """The words of each section. `[name]` opens a section; words are separated by white space."""
    sections: dict[str, list[str]] = {}
    words: list[str] = []
    for token in text.split():
        if token.startswith("["):
            words = sections.setdefault(token.strip("[]"), [])
        else:
            words.append(token)
    return {name: tuple(section) for name, section in sections.items()}


_SECTIONS = _sections(Path(__file__).with_name("words.txt").read_text(encoding="ascii"))

NOUNS = _SECTIONS["nouns"]
PROVIDERS = _SECTIONS["providers"]
TEST_PROVIDERS = PROVIDERS[3::4]  # a quarter, never used in training
TRAIN_PROVIDERS = tuple(name for name in PROVIDERS if name not in TEST_PROVIDERS)

VOWELS = ("a", "e", "i", "o", "u")
_ONSETS = ("b", "br", "c", "d", "dr", "f", "g", "gr", *"hjk", "kr", *"lmnp", "pl", "r", "s", "st", "t", "tr", *"vwz")
_CODAS = ("", *"lmnrst", "ck", "nd", "rt", "x")
_ENDINGS = ("exit", "panic")  # tests search for these words, and could not tell a name from an ending
_TAKEN = frozenset((*NOUNS, *PROVIDERS))

_SYLLABLES = tuple(head + vowel for head in ("b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z") for vowel in "aeiou")


def is_evaluation_name(name: str) -> bool:
    """Whether a composed name (lemon.txt, harbor-quartz) belongs to the evaluation, as a quarter do, or to training.

    The single words of a name belong to both.
    """
    return sum(name.encode()) % 4 == 3


def noun_list(rng: random.Random, outside: float) -> Sequence[str]:
    """As many nouns as the word list has; outside: the share of them that is invented."""
    invented = invent_nouns(rng, round(outside * len(NOUNS)))
    return [*invented, *rng.sample(NOUNS, len(NOUNS) - len(invented))] if invented else NOUNS


def invent_nouns(rng: random.Random, amount: int) -> list[str]:
    """Different invented nouns that are not in the word list."""
    known, invented = {*NOUNS, *PROVIDERS}, dict[str, None]()
    while len(invented) < amount:
        word = "".join(rng.choice(_SYLLABLES) for _ in range(rng.choice((3, 4))))
        if word not in known:
            invented[word] = None
    return list(invented)


def provider_name(rng: random.Random) -> str:
    """An invented provider name of two syllables for training, so that no list can be memorised; never one of the evaluation."""
    while True:
        name = syllable(rng) + syllable(rng)
        if len(name) > 4 and is_free(name):
            return name


def syllable(rng: random.Random) -> str:
    return rng.choice(_ONSETS) + rng.choice(VOWELS) + rng.choice(_CODAS)


def is_free(name: str) -> bool:
    """Whether an invented name is in no list and contains neither an ending nor a provider of the evaluation."""
    return name not in _TAKEN and not any(word in name for word in (*_ENDINGS, *TEST_PROVIDERS))
