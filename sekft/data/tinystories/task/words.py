"""Write a story in which given words occur."""

from sekft.data.tinystories.exchange import Exchange, holds
from sekft.data.tinystories.story import Story


def exchanges(story: Story) -> list[Exchange]:
    """None for a story that does not use its own words."""
    if not story.words or not all(holds(story.text, word) for word in story.words):
        return []
    return [
        Exchange(
            "words",
            f"Write a short story with the words {', '.join(story.words)}.",
            story.text,
            needs_story=False,
            required_words=story.words,
        )
    ]
