"""The tasks of a story: what can be asked about it, with the right answer. The same story gives the same exchanges."""

import re
from collections.abc import Callable

from sekft.data.tinystories.exchange import COMMON, Exchange, holds, words
from sekft.data.tinystories.story import Story

STATES_MORAL = re.compile(r"\b(moral|lesson|learn(?:ed|t)?|from that day|always remember(?:ed)?|knew now)\b", re.I)
NAME = re.compile(r"\b[A-Z][a-z]+\b")
SPEECH_VERBS = "(?:said|asked|cried|shouted|whispered|answered)"
SPEAKS = re.compile(rf"[\"”],? *{SPEECH_VERBS} ([A-Z][a-z]+)|\b([A-Z][a-z]+) {SPEECH_VERBS},? *[\"“]")
OPENERS = "after all at before behind every everyone finally from give from go he in let look nobody no now once one please put she some "
NO_NAMES = COMMON | set(f"{OPENERS} suddenly thank there they today under wait we what when where why yes you".split())
SAD = "BadEnding"


def summary(story: Story) -> list[Exchange]:
    """Summarise the story."""
    return [Exchange("summary", "Tell this story in a sentence or two.", story.summary)]


def moral(story: Story) -> list[Exchange]:
    """The moral of a story with the feature MoralValue: the last sentence that states one."""
    stated = [sentence for sentence in _sentences(story.text) if STATES_MORAL.search(sentence)]
    if "MoralValue" not in story.features or not stated:
        return []
    content_words = tuple(dict.fromkeys(word for word in words(stated[-1]) if word not in COMMON))
    return [Exchange("moral", "What does this story teach?", stated[-1], required_words=content_words[-3:])]


def given_words(story: Story) -> list[Exchange]:
    """Write a story with the given words; nothing for a story that does not use its own words."""
    if not story.words or not all(holds(story.text, word) for word in story.words):
        return []
    question = f"Write a short story with the words {', '.join(story.words)}."
    return [Exchange("words", question, story.text, needs_story=False, required_words=story.words)]


def questions(story: Story) -> list[Exchange]:
    """Questions about the story: who it is about, what happened, how it ends, who speaks first."""
    return [exchange for exchange in (*_who(story), *_what(story), *_ending(story), *_dialogue(story)) if exchange.answer]


TASKS: dict[str, Callable[[Story], list[Exchange]]] = {"summary": summary, "moral": moral, "words": given_words, "questions": questions}


def _who(story: Story) -> list[Exchange]:
    """The most frequent name, the first of equals. A word that also occurs in lower case, or opens sentences, is no name."""
    lower_case = set(re.findall(r"\b[a-z]+\b", story.text)) | NO_NAMES
    names = [name for name in NAME.findall(story.text) if name.lower() not in lower_case]
    if not names:
        return []
    name = max(dict.fromkeys(names), key=names.count)
    return [Exchange("who", "Who is this story about?", f"It is about {name}.", required_words=(name,))]


def _what(story: Story) -> list[Exchange]:
    content_words = [word for word in dict.fromkeys(words(story.summary)) if word not in COMMON]
    return [Exchange("what", "What happened in it?", story.summary, required_words=tuple(content_words[:3]))]


def _ending(story: Story) -> list[Exchange]:
    answer = "No" if SAD in story.features else "Yes"
    return [Exchange("ending", "Does it end well?", f"{answer}. {_sentences(story.text)[-1]}", required_words=(answer,))]


def _dialogue(story: Story) -> list[Exchange]:
    if "Dialogue" not in story.features or not (match := SPEAKS.search(story.text)):
        return []
    name = match[1] or match[2]
    return [Exchange("dialogue", "Who speaks first?", f"{name} speaks first.", required_words=(name,))]


def _sentences(text: str) -> list[str]:
    return [sentence.strip() for sentence in re.split(r"(?<=[.!?])\s+(?=[A-Z\"])", " ".join(text.split())) if sentence.strip()]
