"""Tell a story in a sentence or two."""

from sekft.data.tinystories.exchange import Exchange
from sekft.data.tinystories.story import Story


def exchanges(story: Story) -> list[Exchange]:
    return [Exchange("summary", "Tell this story in a sentence or two.", story.summary)]
