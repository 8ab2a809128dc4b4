"""eval=tinystories: its questions, the scores of answers, and that training never gets its stories."""

import pytest

from sekft.config import SourceConfig, SourceKind
from sekft.data.reader import ReadStats
from sekft.data.sources import stream
from sekft.data.tinystories.exchange import Exchange
from sekft.data.tinystories.suite import load_questions, score_answer, score_answers

SAMPLE = "sekft:tinystories.txt"


def test_no_story_of_the_suite_is_in_training():
    stats = ReadStats()
    source = SourceConfig(kind=SourceKind.tinystories, path=SAMPLE)
    learned = {sample.group.partition("/")[2] for sample in stream("x", source, stats)}
    asked = {one.id.partition("/")[0] for one in load_questions(SAMPLE, 1000)}
    assert not learned & asked and len(asked) == stats.skipped["held out for eval=tinystories"] > 30
    assert {one.id.partition("/")[0] for one in load_questions(SAMPLE, 5)} < asked


def test_right_answers_score_1_and_empty_ones_0():
    asked = load_questions(SAMPLE, 1000)
    right = score_answers(asked, [(one.exchange.answer, True) for one in asked])
    assert {score for measure, scores in right.items() for score in scores.values()} == {1.0}
    kinds = {"who", "ending", "dialogue", "what", "moral"}
    assert set(right) == {"all_words_used", "question_answered", "summary_overlap", "format_kept", *kinds}
    silent = score_answers(asked, [("", True) for _ in asked])
    assert {score for scores in silent.values() for score in scores.values()} == {0.0}
    assert set(score_answers(asked, [(one.exchange.answer, False) for one in asked])["format_kept"].values()) == {0.0}


@pytest.mark.parametrize(
    ("exchange", "reply", "measure", "score"),
    [
        (Exchange("words", "?", "", required_words=("ball", "share")), "They shared balls.", "all_words_used", 1.0),
        (Exchange("words", "?", "", required_words=("ball", "share")), "They shared it.", "all_words_used", 0.0),
        (Exchange("ending", "?", "No. x", required_words=("No",)), "Yes, no doubt.", "question_answered", 0.0),
        (Exchange("who", "?", "", required_words=("Tom",)), "It is about Tom.", "who", 1.0),
        (Exchange("who", "?", "", required_words=("Tom",)), "It is about Tomatoes.", "who", 0.0),
        (Exchange("summary", "?", "Tom lost a red ball."), "Tom lost a hat.", "summary_overlap", 4 / 7),
    ],
)
def test_answers_get_the_expected_scores(exchange: Exchange, reply: str, measure: str, score: float):
    assert score_answer(exchange, reply, True)[measure] == pytest.approx(score)
