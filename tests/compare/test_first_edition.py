"""A run folder that the first edition wrote: a real run, trimmed to seven scenarios; the numbers of its summary are those of all 128."""

import json
import shutil
from pathlib import Path

import pytest

from sekft.eval.summary import BASE, REFERENCE, TUNED, ScenarioSet, read_evaluation
from sekft.tracking import records
from sekft.tracking.records import FinishedRun
from tests.conftest import run_command

FIXTURE = Path(__file__).with_name("first_edition")


@pytest.fixture
def record() -> FinishedRun:
    found = records.read(FIXTURE)
    assert isinstance(found, FinishedRun)
    return found


def test_the_evaluation_is_read_under_the_present_names(record: FinishedRun):
    evaluation = read_evaluation(record.summary)
    assert evaluation.verdict == "hold (false_panic: up by 0.20, allowed 0.05)"
    assert set(evaluation.agents) == {BASE, TUNED, REFERENCE, "random", "exit", "panic"}
    assert evaluation.scenarios == ScenarioSet(128, "0a63f6361854a2975f710987fb0a583c2d7f41e4bf62d576b818e0f38eba176c")
    assert evaluation.paired == evaluation.comparisons[TUNED]["verified"] and evaluation.paired and evaluation.paired.wins == 87
    assert evaluation.agents[BASE].rates["verified"].n == 128 and evaluation.agents[BASE].limits["eval.max_turns"] == 128
    assert "kind=new scenario of a training archetype" in evaluation.agents[TUNED].by


def test_what_is_written_is_read_as_the_same_record(record: FinishedRun):
    evaluation = read_evaluation(record.summary)
    assert read_evaluation(json.loads(json.dumps(evaluation.document()))) == evaluation


def test_the_run_is_compared(tmp_path: Path):
    shutil.copytree(FIXTURE, tmp_path / "old")
    (tmp_path / "old" / "lives").mkdir()
    (tmp_path / "old" / "lives" / "won.txt").write_text("$ exit\n")
    done = run_command("compare", "runs=old", "hydra.run.dir=compare", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (
        "cannot tell whether tuned verified more or less than base [-2, +100]; one training seed" in done.stdout
        and "left out" not in done.stdout
    )
    summary = json.loads((tmp_path / "compare" / "summary.json").read_text())
    assert summary["groups"]["tuned"]["verified"] == pytest.approx({"k": 4, "n": 7, "rate": 4 / 7, "low": 0.2505, "high": 0.8418}, abs=1e-4)
    page = (tmp_path / "compare" / "compare.html").read_text()
    assert 'href="../old/episodes.jsonl"' in page and 'href="../old/lives/won.txt"' in page
    assert "operation the base never saw" in page and "new scenario of a training archetype" in page and "216 rows" in page
