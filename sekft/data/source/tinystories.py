"""Reads TinyStories-Instruct text: conversations of one or more tasks about each story."""

from collections.abc import Iterator, Sequence

from sekft.config import SourceConfig
from sekft.data.files import find_files
from sekft.data.reader import ReadStats
from sekft.data.sample import Sample
from sekft.data.split import fraction
from sekft.data.tinystories.exchange import Exchange
from sekft.data.tinystories.story import Story, stories
from sekft.data.tinystories.suite import is_held_out
from sekft.data.tinystories.tasks import TASKS
from sekft.errors import SettingsError
from sekft.rendering.messages import Message


def read(name: str, source: SourceConfig, stats: ReadStats) -> Iterator[Sample]:
    """The conversations about every story. The story is their group; their archetype is the kind of the first question."""
    require_tasks(source.tasks)
    seen: set[str] = set()
    for story in stories(find_files(source.path or "", (".txt",)), source.max_line_bytes, stats):
        if story.id in seen:
            stats.skip("the same text as an earlier story")
            continue
        seen.add(story.id)
        if is_held_out(story):
            stats.skip("held out for eval=tinystories")
            continue
        for exchanges in conversations(story, source.tasks, source.follow_ups):
            id, kind = f"{name}/{story.id}/{exchanges[0].kind}", exchanges[0].kind
            yield Sample(id, f"{name}/{story.id}", name, tuple(messages(story, exchanges)), is_chat=True, archetype=kind)


def require_tasks(tasks: Sequence[str]) -> None:
    """Raise SettingsError unless there is a task and all are known."""
    if unknown := [task for task in tasks if task not in TASKS] or (not tasks and ["none"]):
        raise SettingsError(f"data.sources: tasks: found {unknown[0]}, allowed: one or more of {', '.join(TASKS)}")


def conversations(story: Story, tasks: Sequence[str], follow_ups: int) -> list[list[Exchange]]:
    """The exchanges of a story by conversation: one for each that needs no story, the others in groups of 1 + follow_ups.

    The order of the others is shuffled by a hash of the story's id.
    """
    exchanges = [exchange for task in tasks for exchange in TASKS[task](story)]
    grouped = [[exchange] for exchange in exchanges if not exchange.needs_story]
    about_story = [exchange for exchange in exchanges if exchange.needs_story]
    rest = sorted(about_story, key=lambda exchange: fraction(f"{story.id}/{exchange.kind}", 0))
    while rest:
        grouped.append(rest[: 1 + follow_ups])
        rest = rest[1 + follow_ups :]
    return grouped


def messages(story: Story, exchanges: Sequence[Exchange]) -> Iterator[Message]:
    """The turns of a conversation; the story stands before its first question if that needs it."""
    for number, exchange in enumerate(exchanges):
        text = f"{story.text}\n\n{exchange.question}" if exchange.needs_story and number == 0 else exchange.question
        yield Message(role="user", content=text)
        yield Message(role="assistant", content=exchange.answer)
