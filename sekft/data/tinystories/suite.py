"""The questions of eval=tinystories and the scores of answers: required words, overlap and form, no model."""

from collections.abc import Sequence
from dataclasses import dataclass

from sekft.data.files import find_files
from sekft.data.reader import ReadStats
from sekft.data.split import fraction
from sekft.data.tinystories.exchange import Exchange, holds, overlap, well_formed, words
from sekft.data.tinystories.story import Story, stories
from sekft.data.tinystories.tasks import TASKS
from sekft.errors import DataError
from sekft.rendering.messages import Message

HELD_OUT_SHARE = 0.1  # of all stories, by a hash of their text: no source gives them to training
MAX_RECORD_BYTES = 16777216


@dataclass(frozen=True)
class Question:
    """One question, asked in a conversation of its own."""

    id: str  # story id/kind
    exchange: Exchange
    messages: tuple[Message, ...]


def is_held_out(story: Story) -> bool:
    return fraction(f"suite/{story.id}", 0) < HELD_OUT_SHARE


def load_questions(path: str, max_stories: int) -> list[Question]:
    """Every question about the first max_stories held-out stories, in order. Raises DataError."""
    held_out: dict[str, Story] = {}
    for story in stories(find_files(path, (".txt",)), MAX_RECORD_BYTES, ReadStats()):
        if is_held_out(story):
            held_out.setdefault(story.id, story)
        if len(held_out) == max_stories:
            break
    questions = [_question(story, exchange) for story in held_out.values() for task in TASKS.values() for exchange in task(story)]
    if not questions:
        raise DataError(f"{path}: no story that is held out for eval=tinystories; allowed: a file of some dozens or more")
    return questions


def _question(story: Story, exchange: Exchange) -> Question:
    text = f"{story.text}\n\n{exchange.question}" if exchange.needs_story else exchange.question
    return Question(f"{story.id}/{exchange.kind}", exchange, (Message(role="user", content=text),))


def score_answer(exchange: Exchange, reply: str, stopped: bool) -> dict[str, float]:
    """The measures of one answer, each 0 to 1. stopped: the reply ended with a stop token, not at its token limit."""
    scores = {"format_kept": float(stopped and well_formed(reply))}
    holds_required = bool(exchange.required_words) and all(holds(reply, word) for word in exchange.required_words)
    match exchange.kind:
        case "words":
            scores["all_words_used"] = float(holds_required)
        case "summary":
            scores["summary_overlap"] = overlap(reply, exchange.answer)
        case "ending":
            scores["question_answered"] = scores["ending"] = float(words(reply)[:1] == [exchange.required_words[0].lower()])
        case kind:
            scores["question_answered"] = scores[kind] = float(holds_required)
    return scores


def score_answers(questions: Sequence[Question], replies: Sequence[tuple[str, bool]]) -> dict[str, dict[str, float]]:
    """{measure: {question id: score}}, measures sorted. replies: (text, stopped) of each question, in the same order."""
    measures: dict[str, dict[str, float]] = {}
    for question, (reply, stopped) in zip(questions, replies, strict=True):
        for measure, score in score_answer(question.exchange, reply, stopped).items():
            measures.setdefault(measure, {})[question.id] = score
    return dict(sorted(measures.items()))
