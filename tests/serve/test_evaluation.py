"""An evaluation through the endpoint of another process equals the evaluation of the same models in this process."""

import json
from pathlib import Path

import pytest

from sekft.config import Device, ModelConfig
from sekft.model import base as bases
from tests.conftest import run_command
from tests.serve.server import make_adapter, running

pytestmark = pytest.mark.xdist_group("serving")
TEST = ("sandbox=bwrap", "eval.episodes=3", "eval.max_turns=4", "eval.max_reply_tokens=24", "eval.baselines=false", "tracker=none")


def summary(folder: Path) -> dict:
    return json.loads((folder / "summary.json").read_text())


def scores(folder: Path) -> list[dict]:
    """Of base and tuned; which operations a base never saw is known only of a base in this process."""
    agents = [summary(folder)[agent] for agent in ("base", "tuned")]
    return [{**agent, "by": {name: rates for name, rates in agent["by"].items() if not name.startswith("kind=")}} for agent in agents]


@pytest.mark.slow
def test_models_behind_an_endpoint_have_the_same_episodes_as_in_process(tmp_path: Path):
    """With the embedded base: a random one types pipes whose two sides print their errors in any order."""
    adapter = make_adapter(bases.load(ModelConfig(name="tiny", path="sekft:tiny", device=Device.cpu)), tmp_path / "early", 1)
    with running(tmp_path / "server", f"adapter={{early: {adapter}}}") as server:
        asked = ("agent=endpoint", f"agent.url={server.url}/v1", "agent.model=tiny", "adapter=early", "hydra.run.dir=there")
        there = run_command("eval", *TEST, *asked, cwd=tmp_path)
        typo = run_command("eval", *TEST, *asked[:3], "adapter=earli", cwd=tmp_path)
    assert there.returncode == 0, there.stderr
    assert typo.returncode == 1 and "http 404" in typo.stderr and len(typo.stderr.strip().splitlines()) == 1
    here = run_command("eval", *TEST, f"adapter={adapter}", "model.device=cpu", "hydra.run.dir=here", cwd=tmp_path)
    assert here.returncode == 0, here.stderr
    assert scores(tmp_path / "there") == scores(tmp_path / "here")
    assert summary(tmp_path / "there")["base_loads"] == 0 and "base" not in summary(tmp_path / "there")["remembered"]
    episodes = [(tmp_path / name / "episodes.jsonl").read_text().splitlines() for name in ("there", "here")]
    assert episodes[0] == episodes[1]


def test_an_endpoint_that_does_not_answer_is_one_line_before_the_eval(tmp_path: Path):
    words = ("agent=endpoint", "agent.url=http://127.0.0.1:9/v1", "agent.model=x", "agent.retries=0")
    done = run_command("eval", *TEST, *words, cwd=tmp_path)
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert done.returncode == 1 and len(lines) == 1 and "http://127.0.0.1:9/v1: unreachable" in lines[0], done.stderr
