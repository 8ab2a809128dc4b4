"""What a story teaches, where it says so itself."""

import re

from sekft.data.tinystories.exchange import COMMON, Exchange, words
from sekft.data.tinystories.story import Story

SAYS_SO = re.compile(r"\b(moral|lesson|learn(?:ed|t)?|from that day|always remember(?:ed)?|knew now)\b", re.I)


def exchanges(story: Story) -> list[Exchange]:
    """Of a story with MoralValue: its last sentence that says what was learned."""
    said = [sentence for sentence in sentences(story.text) if SAYS_SO.search(sentence)]
    if "MoralValue" not in story.features or not said:
        return []
    telling = tuple(dict.fromkeys(word for word in words(said[-1]) if word not in COMMON))
    return [Exchange("moral", "What does this story teach?", said[-1], required_words=telling[-3:])]


def sentences(text: str) -> list[str]:
    return [sentence.strip() for sentence in re.split(r"(?<=[.!?])\s+(?=[A-Z\"])", " ".join(text.split())) if sentence.strip()]
