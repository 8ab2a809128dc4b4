"""docs/api.md runs as it stands, and importing sekft stays cheap."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sekft
from sekft.api import EvaluationResult, TrainingResult
from sekft.episode.agent import FunctionAgent
from sekft.errors import SettingsError
from sekft.eval.rates import Rate
from sekft.eval.summary import EvaluationSummary
from sekft.rendering.messages import Message

PAGE = Path(__file__).resolve().parents[1] / "docs" / "api.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.S)


def test_the_page_runs_from_top_to_bottom_in_one_namespace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    for block in BLOCKS:
        exec(compile(block, str(PAGE), "exec"), names)
    assert names["trajectory"].ending == "exit" and names["trajectory"].outcome == "false_exit"
    assert names["result"].rates["reference"]["verified"].k == 8 and names["comparison"].difference == 1.0
    assert names["result"].to_dict()["curious"]["terminated"]["k"] == 8
    assert names["weights"].tolist()[-1] == 1.0 and names["weights"].tolist()[0] == 0.0
    trained = names["trained"]
    assert (trained.adapter / "adapter_model.safetensors").exists() and trained.evaluation.agents["tuned"].rates["verified"].n == 2
    assert json.loads(json.dumps(trained.to_dict()))["folder"] == str(trained.folder)


def test_every_exported_name_is_documented_and_exists():
    text = PAGE.read_text()
    for name in sekft.__all__:
        assert callable(getattr(sekft, name)) and f"sekft.{name}(" in text


def test_importing_sekft_imports_no_library_of_weight():
    code = "import sys, sekft; assert not {'torch', 'transformers', 'hydra', 'pydantic', 'wandb'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_an_unknown_name_command_or_key_is_one_line():
    with pytest.raises(AttributeError, match="no attribute 'trian'; it exports draw_scenarios"):
        sekft.trian  # noqa: B018
    with pytest.raises(SettingsError, match="command 'trian': allowed: train, eval"):
        sekft.settings("trian")
    with pytest.raises(SettingsError, match="nosuch"):
        sekft.settings("train", "trainer.nosuch=1")


def test_wrong_arguments_are_refused_in_one_line_that_shows_a_right_one():
    def leave(messages):
        return "exit"

    (scenario,) = sekft.draw_scenarios("test", n=1)
    for call, line in {
        lambda: sekft.evaluate(leave, [scenario]): "agents: found function, allowed: agents by name, such as {'mine': function}",
        lambda: sekft.evaluate({"a": "b.py:f"}, [scenario]): "agent a: found 'b.py:f', allowed: a function from messages to text",
        lambda: sekft.evaluate(
            {"a": leave}, "held_out"
        ): r"scenarios: found 'held_out', .* such as sekft.draw_scenarios\('held_out', n=4\)",
        lambda: sekft.evaluate({"a": leave}, scenario): "scenarios: found Scenario, allowed: a list of scenarios",
        lambda: sekft.evaluate({"a": leave}, [scenario, 7]): "scenarios: found int, allowed: a list of scenarios",
        lambda: sekft.evaluate({"a": leave}, 7): "scenarios: found int, allowed: a list of scenarios",
        lambda: FunctionAgent("mine", lambda messages: None).reply("s#0", []): "agent mine: the function returned NoneType, allowed: str",
    }.items():
        with pytest.raises(SettingsError, match=line) as refused:
            call()
        assert "\n" not in str(refused.value)


def test_results_are_short_when_printed_and_messages_are_read_by_key():
    message = Message(role="user", content="$ ")
    assert (message["role"], message["content"]) == ("user", "$ ")
    with pytest.raises(KeyError, match="a message has role and content"):
        message["text"]
    rates = {"leave": {"terminated": Rate(4, 4, 1.0, 0.51, 1.0), "verified": Rate(0, 4, 0.0, 0.0, 0.49)}}
    assert repr(EvaluationResult({"leave": []}, rates)) == "leave: terminated 4/4 [0.51, 1.00], verified 0/4 [0.00, 0.49]"
    shown = repr(TrainingResult(Path("run"), Path("run/adapter"), "hold (why)", EvaluationSummary(), {"key": 1}))
    assert shown == "TrainingResult of run: hold (why)"
