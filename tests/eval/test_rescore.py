"""A finished evaluation scored again from its recorded episodes."""

import json
from pathlib import Path

import pytest

from tests.conftest import run_command

TEST = ("sandbox=bwrap", "tracker=none", "eval.episodes=3", "eval.max_turns=12", "eval.max_reply_tokens=16", "eval.baselines=false")


@pytest.mark.slow
def test_recorded_episodes_are_scored_by_the_present_rules_without_being_played(tmp_path: Path):
    assert run_command("eval", *TEST, "model=tiny", "hydra.run.dir=run", cwd=tmp_path).returncode == 0
    episodes = tmp_path / "run" / "episodes.jsonl"
    recorded = episodes.read_text()
    lines = [json.loads(line) for line in recorded.splitlines()]
    for line in lines:  # as a rule that finds prose everywhere would have recorded them
        if line["ending"] in ("exit", "panic"):
            line |= {"clean": False, "outcome": "prose", "kept": False, "reason": line["reason"] or "prose"}
    episodes.write_text("".join(json.dumps(line) + "\n" for line in lines))
    again = run_command("eval", "tracker=none", "rescore=run", "hydra.run.dir=again", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "again" / "episodes.jsonl").read_text() == recorded
    before, after = (json.loads((tmp_path / name / "summary.json").read_text()) for name in ("run", "again"))
    assert after["rescored"] == "run" and after["changed_outcomes"] > 0
    same = ("base", "reference", "verdict", "losses", "scenarios", "power")
    assert {name: after[name] for name in same} == {name: before[name] for name in same}


def test_a_run_without_episodes_is_refused_in_one_line(tmp_path: Path):
    refused = run_command("eval", "tracker=none", "rescore=nowhere", cwd=tmp_path)
    assert refused.returncode == 1 and len(refused.stderr.strip().splitlines()) == 1 and "rescore=nowhere" in refused.stderr
