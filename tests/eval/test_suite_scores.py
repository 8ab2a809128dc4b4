"""Scores of single answers: each measure with its interval, and the change over the same questions."""

import json
from pathlib import Path

import pytest

from sekft.eval import suite_scores
from tests.conftest import run_command


def test_measures_have_intervals_and_changes_are_of_the_same_questions():
    before, after = {f"q{at}": 0.0 for at in range(20)}, {f"q{at}": float(at < 15) for at in range(20)}
    scores = {
        "base": {"who": before, "summary_overlap": {"q": 0.2, "r": 0.4}},
        "tuned": {"who": after, "summary_overlap": {"q": 0.5, "r": 0.6}},
    }
    compared = suite_scores.compare_scores(scores)
    assert compared["agents"]["base"]["who"] == {"n": 20, "mean": 0.0, "low": 0.0, "high": pytest.approx(0.161, abs=0.001)}
    assert compared["agents"]["tuned"]["who"]["low"] == pytest.approx(0.531, abs=0.001)
    assert compared["changes"]["tuned"]["who"]["mean"] == 0.75 and compared["changes"]["tuned"]["who"]["low"] == pytest.approx(
        0.478, abs=0.001
    )
    assert compared["changes"]["tuned"]["summary_overlap"]["mean"] == pytest.approx(0.25)
    assert suite_scores.lines(compared)[0].startswith(
        "who: base 0.00 [0.00, 0.16] of 20, tuned 0.75 [0.53, 0.89] of 20; change: tuned +0.75 [+0.48, +0.89]"
    )


def test_a_change_of_all_questions_alike_is_not_certain_to_the_last_digit():
    one = suite_scores.change({str(at): 0.0 for at in range(20)}, {str(at): 1.0 for at in range(20)})
    assert one.mean == one.high == 1.0 and 0.7 < one.low < 0.85


@pytest.mark.slow
def test_the_command_asks_base_and_adapter_and_writes_every_answer(tmp_path: Path):
    words = ("eval=tinystories", "eval.suite_stories=1", "eval.max_reply_tokens=6", "tracker=none", "hydra.run.dir=run")
    done = run_command("eval", *words, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    suite = json.loads((tmp_path / "run" / "summary.json").read_text())["suite"]
    answers = [json.loads(line) for line in (tmp_path / "run" / "answers.jsonl").open()]
    assert len(answers) == suite["questions"] == suite["agents"]["base"]["format_kept"]["n"] and suite["changes"] == {}
    assert {answer["agent"] for answer in answers} == {"base"} and "format_kept: base " in done.stdout
    played = ("eval.episodes=1", "eval.max_turns=2", "eval.baselines=false", "sandbox=bwrap", "eval.require=promote")
    done = run_command("eval", *words, *played, cwd=tmp_path)
    both = json.loads((tmp_path / "run" / "summary.json").read_text())
    assert done.returncode == 3 and both["suite"] == suite and both["scenarios"]["n"] == 1, done.stderr
    assert (tmp_path / "run" / "answers.1.jsonl").read_bytes() == (tmp_path / "run" / "answers.jsonl").read_bytes()
    done = run_command("eval", *words, "eval.require=promote", cwd=tmp_path)
    assert done.returncode == 3 and "the verdict is unmeasured" in done.stderr
