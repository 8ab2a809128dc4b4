"""TinyStories-Instruct text: every story gives tasks, and questions about it that follow one another."""

from collections.abc import Iterator, Sequence

from sekft.config import SourceConfig
from sekft.data.files import find_files
from sekft.data.reader import ReadStats
from sekft.data.sample import Sample
from sekft.data.split import fraction
from sekft.data.tinystories.exchange import Exchange
from sekft.data.tinystories.story import Story, stories
from sekft.data.tinystories.suite import TASKS, is_held_out
from sekft.errors import SettingsError
from sekft.rendering.messages import Message


def read(name: str, source: SourceConfig, stats: ReadStats) -> Iterator[Sample]:
    """Samples of one story are of one group; their archetype is what is asked first."""
    require_tasks(source.tasks)
    seen: set[str] = set()
    for story in stories(find_files(source.path or "", (".txt",)), source.max_line_bytes, stats):
        if story.id in seen:
            stats.skip("a story for the second time")
            continue
        seen.add(story.id)
        if is_held_out(story):
            stats.skip("held back for eval=tinystories")
            continue
        for asked in conversations(story, source.tasks, source.follow_ups):
            id = f"{name}/{story.id}/{asked[0].kind}"
            yield Sample(id, f"{name}/{story.id}", name, tuple(messages(story, asked)), is_chat=True, archetype=asked[0].kind)


def require_tasks(tasks: Sequence[str]) -> None:
    if unknown := [task for task in tasks if task not in TASKS] or (not tasks and ["none"]):
        raise SettingsError(f"data.sources: tasks: found {unknown[0]}, allowed: one or more of {', '.join(TASKS)}")


def conversations(story: Story, tasks: Sequence[str], follow_ups: int) -> list[list[Exchange]]:
    """One for every task that needs no story, and for each of the others by turns; what follows is drawn by the story's id."""
    made = [exchange for task in tasks for exchange in TASKS[task](story)]
    about = [exchange for exchange in made if exchange.needs_story]
    asked = [[exchange] for exchange in made if not exchange.needs_story]
    rest = sorted(about, key=lambda exchange: fraction(f"{story.id}/{exchange.kind}", 0))
    while rest:
        asked.append(rest[: 1 + follow_ups])
        rest = rest[1 + follow_ups :]
    return asked


def messages(story: Story, asked: Sequence[Exchange]) -> Iterator[Message]:
    """The story stands before the first question about it."""
    for number, exchange in enumerate(asked):
        ask = f"{story.text}\n\n{exchange.question}" if exchange.needs_story and number == 0 else exchange.question
        yield Message(role="user", content=ask)
        yield Message(role="assistant", content=exchange.answer)
