"""A person's own function plays: found by module or file, its failures said with their line, an evaluation of two of them."""

import json
from pathlib import Path

import pytest

from sekft.episode.python_agent import PythonAgent, load_function
from sekft.errors import AgentError, SettingsError
from sekft.rendering.messages import Message
from tests.conftest import run_command

SOURCE = """
import helper

def leaves(messages):
    return helper.WORD

def looks(messages):
    typed = [message.content for message in messages if message.role == "assistant"]
    return ["ls", "cat NOTICE README MOTD", "exit"][len(typed)]

def breaks(messages):
    if len(messages) > 1:
        return {}["nothing"]
    return "ls"

def counts(messages):
    return len(messages)

VALUE = 3
"""
PROMPT = (Message(role="user", content="$ "),)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "my_own_agent.py").write_text(SOURCE)
    (tmp_path / "helper.py").write_text("WORD = 'exit'\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", list(__import__("sys").path))
    return tmp_path


@pytest.mark.parametrize("place", ["my_own_agent:leaves", "my_own_agent.py:leaves"])
def test_a_function_is_found_by_module_and_by_file(folder: Path, place: str) -> None:
    assert PythonAgent("mine", place).reply("s#0", PROMPT).text == "exit"


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("my_own_agent", "found 'my_own_agent', allowed: MODULE:FUNCTION or FILE.py:FUNCTION"),
        ("", "found '', allowed: MODULE:FUNCTION"),
        ("nowhere.py:step", "FileNotFoundError: no such file"),
        ("no_such_module:step", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("my_own_agent.py:lives", "no function 'lives' there; found: leaves, looks, breaks, counts"),
        ("my_own_agent.py:VALUE", "no function 'VALUE' there"),
    ],
)
def test_what_is_no_function_is_refused_in_one_line(folder: Path, place: str, words: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load_function(place)
    assert words in str(refused.value) and "\n" not in str(refused.value)


def test_a_function_that_never_worked_is_an_error_and_one_that_worked_loses_one_episode(folder: Path) -> None:
    with pytest.raises(SettingsError, match=r"counts: TypeError: returned int, allowed: str, .*; in s#0, at message 1"):
        PythonAgent("mine", "my_own_agent.py:counts").reply("s#0", PROMPT)
    agent = PythonAgent("mine", "my_own_agent.py:breaks")
    assert agent.reply("s#0", PROMPT).text == "ls"
    with pytest.raises(AgentError) as failed:
        agent.reply("s#0", (*PROMPT, *PROMPT))
    assert failed.value.reason == "my_own_agent.py:breaks: KeyError: 'nothing' (my_own_agent.py:13)"


def test_two_functions_are_evaluated_and_compared(folder: Path) -> None:
    words = ["agent=python", "agent.function=my_own_agent.py:leaves", "adapter=my_own_agent.py:looks", "eval.episodes=2", "sandbox=bwrap"]
    done = run_command("eval", *words, "eval.baselines=false", "tracker=none", "hydra.run.dir=run", cwd=folder)
    assert done.returncode == 0, done.stderr
    summary = json.loads((folder / "run" / "summary.json").read_text())
    assert (summary["base"]["rates"]["terminated"]["rate"], summary["paired"]["n"]) == (1.0, 2)
    assert "leaves: the function my_own_agent.py:leaves" in done.stdout
    assert "result: looks did the work and left in 0 of 2 scenarios, leaves in 0" in done.stdout
    assert "<h1>Evaluation: looks against leaves</h1>" in (folder / "run" / "report.html").read_text()
    record = json.loads((folder / "run" / "run.json").read_text())
    assert record["base"] == {"name": "my_own_agent.py:leaves"}
