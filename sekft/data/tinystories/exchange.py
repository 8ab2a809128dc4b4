"""A question about a story with its right answer, and measures of an answer that need no model."""

import re
from collections import Counter
from dataclasses import dataclass

WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
_COMMON = (
    "a an and as at be but by for from had has he her him his in is it its of on or she so "
    "that the their them then they this to was were who with"
)
COMMON = frozenset(_COMMON.split())


@dataclass(frozen=True)
class Exchange:
    """A question and its right answer."""

    kind: str  # summary, moral, words, who, what, ending or dialogue
    question: str
    answer: str
    needs_story: bool = True  # the story stands before the question
    required_words: tuple[str, ...] = ()  # a right answer holds all of them


def words(text: str) -> list[str]:
    """The words of the text in lower case, in order."""
    return WORD.findall(text.lower())


def holds(text: str, word: str) -> bool:
    """Whether the text holds the word or a form of it: its stem and an ending of up to three letters."""
    stem = word.lower()
    stems = {stem, stem.removesuffix("e"), f"{stem[:-1]}i" if stem.endswith("y") else stem}
    return any(found.startswith(stem) and len(found) <= len(stem) + 3 for found in words(text) for stem in stems)


def overlap(text: str, reference: str) -> float:
    """F1 of the words of both texts without common words, 0 to 1."""
    own, expected = (Counter(word for word in words(side) if word not in COMMON) for side in (text, reference))
    shared = (own & expected).total()
    return 2 * shared / (own.total() + expected.total()) if shared else 0.0


def well_formed(text: str) -> bool:
    """Whether the text is whole sentences and nothing else: no field label, no chat marker, a final punctuation mark."""
    body = text.strip()
    return bool(body) and body[-1] in ".!?\"'" and not re.search(r"<\||\[/?INST|^(Story|Summary|Words|Features):", body, re.M)
