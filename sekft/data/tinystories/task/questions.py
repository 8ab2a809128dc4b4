"""Questions that a story answers: who it is about, what happened, how it ends, who speaks. The same story gives the same ones."""

import re

from sekft.data.tinystories.exchange import COMMON, Exchange, words
from sekft.data.tinystories.story import Story
from sekft.data.tinystories.task.moral import sentences

NAME = re.compile(r"\b[A-Z][a-z]+\b")
SAID = "(?:said|asked|cried|shouted|whispered|answered)"
SPEAKS = re.compile(rf"[\"”],? *{SAID} ([A-Z][a-z]+)|\b([A-Z][a-z]+) {SAID},? *[\"“]")
OPENERS = "after all at before behind every everyone finally from give from go he in let look nobody no now once one please put she some "
NO_NAMES = COMMON | set(f"{OPENERS} suddenly thank there they today under wait we what when where why yes you".split())
SAD = "BadEnding"


def exchanges(story: Story) -> list[Exchange]:
    asked = [*_who(story), *_what(story), *_ending(story), *_dialogue(story)]
    return [one for one in asked if one.answer]


def _who(story: Story) -> list[Exchange]:
    """The name that occurs most, of equals the first; a word that also occurs in small letters, or that opens sentences, is none."""
    small = set(re.findall(r"\b[a-z]+\b", story.text)) | NO_NAMES
    names = [name for name in NAME.findall(story.text) if name.lower() not in small]
    if not names:
        return []
    name = max(dict.fromkeys(names), key=names.count)
    return [Exchange("who", "Who is this story about?", f"It is about {name}.", required_words=(name,))]


def _what(story: Story) -> list[Exchange]:
    telling = [word for word in dict.fromkeys(words(story.summary)) if word not in COMMON]
    return [Exchange("what", "What happened in it?", story.summary, required_words=tuple(telling[:3]))]


def _ending(story: Story) -> list[Exchange]:
    sad = SAD in story.features
    last = sentences(story.text)[-1]
    return [Exchange("ending", "Does it end well?", f"{'No' if sad else 'Yes'}. {last}", required_words=("No" if sad else "Yes",))]


def _dialogue(story: Story) -> list[Exchange]:
    if "Dialogue" not in story.features or not (match := SPEAKS.search(story.text)):
        return []
    name = match[1] or match[2]
    return [Exchange("dialogue", "Who speaks first?", f"{name} speaks first.", required_words=(name,))]
