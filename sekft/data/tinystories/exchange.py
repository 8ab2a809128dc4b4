"""One thing to ask about a story, what is a right answer, and how an answer is score_answer without a judge."""

import re
from collections import Counter
from dataclasses import dataclass

WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")
LITTLE = (
    "a an and as at be but by for from had has he her him his in is it its of on or she so "
    "that the their them then they this to was were who with"
)
COMMON = frozenset(LITTLE.split())


@dataclass(frozen=True)
class Exchange:
    """kind: summary, moral, words, who, what, ending or dialogue; about: the answer needs the story before it."""

    kind: str
    question: str
    answer: str
    needs_story: bool = True
    required_words: tuple[str, ...] = ()  # words that a right answer holds


def words(text: str) -> list[str]:
    return WORD.findall(text.lower())


def holds(text: str, word: str) -> bool:
    """The word itself or a form of it: its beginning, an ending of up to three letters."""
    stem = word.lower()
    stems = {stem, stem.removesuffix("e"), f"{stem[:-1]}i" if stem.endswith("y") else stem}
    return any(found.startswith(one) and len(found) <= len(one) + 3 for found in words(text) for one in stems)


def overlap(text: str, reference: str) -> float:
    """F1 of the words that both hold, common ones aside; 0 to 1."""
    ours, theirs = (Counter(word for word in words(one) if word not in COMMON) for one in (text, reference))
    shared = (ours & theirs).total()
    return 2 * shared / (ours.total() + theirs.total()) if shared else 0.0


def well_formed(text: str) -> bool:
    """Whole sentences and nothing else: no label of the record, no marker, an end."""
    body = text.strip()
    return bool(body) and body[-1] in ".!?\"'" and not re.search(r"<\||\[/?INST|^(Story|Summary|Words|Features):", body, re.M)
