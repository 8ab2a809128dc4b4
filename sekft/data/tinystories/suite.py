"""What eval=tinystories asks, and how an answer is score_answer: by words that must be there, overlap and form, never by a model."""

from collections.abc import Sequence
from dataclasses import dataclass

from sekft.data.files import find_files
from sekft.data.reader import ReadStats
from sekft.data.split import fraction
from sekft.data.tinystories.exchange import Exchange, holds, overlap, well_formed, words
from sekft.data.tinystories.story import Story, stories
from sekft.data.tinystories.task import moral, questions, summary
from sekft.data.tinystories.task import words as use_words
from sekft.errors import DataError
from sekft.rendering.messages import Message

HELD_BACK = 0.1  # of all stories, by their text: no source gives them to training
LONGEST = 16777216  # bytes of one record
TASKS = {"summary": summary.exchanges, "moral": moral.exchanges, "words": use_words.exchanges, "questions": questions.exchanges}


@dataclass(frozen=True)
class Question:
    """One question by itself. id: of the story, and what is asked about it."""

    id: str
    exchange: Exchange
    messages: tuple[Message, ...]


def is_held_out(story: Story) -> bool:
    return fraction(f"suite/{story.id}", 0) < HELD_BACK


def load_questions(path: str, most: int) -> list[Question]:
    """Everything that the first `most` stories that are held back can be asked. Raises DataError."""
    found: dict[str, Story] = {}
    for story in stories(find_files(path, (".txt",)), LONGEST, ReadStats()):
        if is_held_out(story):
            found.setdefault(story.id, story)
        if len(found) == most:
            break
    asked = [ask(story, exchange) for story in found.values() for task in TASKS.values() for exchange in task(story)]
    if not asked:
        raise DataError(f"{path}: no story that is held back for eval=tinystories; allowed: a file of some dozens or more")
    return asked


def ask(story: Story, exchange: Exchange) -> Question:
    text = f"{story.text}\n\n{exchange.question}" if exchange.needs_story else exchange.question
    return Question(f"{story.id}/{exchange.kind}", exchange, (Message(role="user", content=text),))


def score_answer(exchange: Exchange, reply: str, stopped: bool) -> dict[str, float]:
    """Measures of one answer, each 0 to 1. stopped: by the stop token, not by its length."""
    scores = {"format_kept": float(stopped and well_formed(reply))}
    match exchange.kind:
        case "words":
            scores["all_words_used"] = float(all(holds(reply, word) for word in exchange.required_words))
        case "summary":
            scores["summary_overlap"] = overlap(reply, exchange.answer)
        case "ending":
            scores["question_answered"] = scores["ending"] = float(words(reply)[:1] == [exchange.required_words[0].lower()])
        case kind:
            scores["question_answered"] = scores[kind] = float(
                bool(exchange.required_words) and all(holds(reply, word) for word in exchange.required_words)
            )
    return scores


def score_answers(asked: Sequence[Question], replies: Sequence[tuple[str, bool]]) -> dict[str, dict[str, float]]:
    """Measure -> question -> score; in the order of the questions."""
    measures: dict[str, dict[str, float]] = {}
    for one, (reply, stopped) in zip(asked, replies, strict=True):
        for measure, score in score_answer(one.exchange, reply, stopped).items():
            measures.setdefault(measure, {})[one.id] = score
    return dict(sorted(measures.items()))
