"""The prompt of a resident base: commands share one base, and each gives what it gives in a process of its own."""

import json
import subprocess
from pathlib import Path

import pytest

from sekft.cli.prompt import candidates
from sekft.resident.commands import BUILT_IN, FinishedRun, LocalCommands, execute
from tests.conftest import run_command

SMALL = "sandbox=bwrap tracker=none eval.baselines=false eval.episodes=2 eval.max_turns=3 eval.max_reply_tokens=8"
TRAIN = f"{SMALL} rehearsal=false trainer.max_steps=3 trainer.batch=2 split.train_scenarios=16"
COMMANDS = (*LocalCommands.commands, *BUILT_IN)


def run_prompt(lines: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    return run_command("resident", "model.device=cpu", cwd=cwd, input="\n".join(lines))


@pytest.mark.slow
def test_commands_share_one_base_and_give_what_separate_processes_give(tmp_path: Path):
    lines = [
        f"train {TRAIN} hydra.run.dir=one",
        f"train lora=r4 {TRAIN} hydra.run.dir=two",
        f"eval 2 {SMALL} hydra.run.dir=evaluation",
        "list",
    ]
    done = run_prompt([*lines[:1], "train lora.r=-3 tracker=none", *lines[1:]], tmp_path)
    assert done.returncode == 1, done.stderr  # that of the second line; the lines after it were run
    assert "sekft.train: lora.r: found -3" in done.stderr
    loads = [json.loads((tmp_path / name / "summary.json").read_text())["base_loads"] for name in ("one", "two", "evaluation")]
    assert loads == [0, 0, 0]  # it was loaded before the first command
    assert [line.split()[:2] for line in done.stdout.splitlines()[-3:]] == [["1", "one"], ["2", "two"], ["3", "evaluation"]]
    alone = run_command("train", "model.device=cpu", "lora=r4", *TRAIN.split(), "hydra.run.dir=alone", cwd=tmp_path)
    assert alone.returncode == 0, alone.stderr
    for file in ("adapter/adapter_model.safetensors", "episodes.jsonl"):
        assert (tmp_path / "two" / file).read_bytes() == (tmp_path / "alone" / file).read_bytes()


def test_an_unknown_command_is_one_line_and_the_prompt_continues(capsys: pytest.CaptureFixture[str]):
    command_set = LocalCommands(())
    assert [execute(command_set, line) for line in ("", "# nothing", "help", "list", "status", "dance", "train 'a")] == [
        0,
        0,
        0,
        0,
        0,
        1,
        1,
    ]
    printed = capsys.readouterr()
    assert "nothing yet" in printed.out and all(name in printed.out for name in COMMANDS)
    first, second = printed.err.splitlines()
    assert first.startswith("sekft.resident: dance: not a command; allowed: train, eval,") and "No closing quotation" in second


def test_eval_takes_a_run_by_number_by_folder_or_by_its_adapter(tmp_path: Path):
    (tmp_path / "run" / "adapter").mkdir(parents=True)
    command_set = LocalCommands(("model=tiny",), [FinishedRun(tmp_path / "run", "train", "hold")])
    adapter = f"adapter={tmp_path / 'run' / 'adapter'}"
    assert command_set.overrides("eval", ["1", "eval=full"]) == ["model=tiny", adapter, "eval=full"]
    assert command_set.overrides("eval", [str(tmp_path / "run")]) == ["model=tiny", adapter]
    assert command_set.overrides("eval", ["elsewhere"]) == ["model=tiny", "adapter=elsewhere"]
    assert command_set.overrides("eval", ["replay=RUN"]) == ["replay=RUN"]
    assert command_set.overrides("eval", ["adapter=x"]) == ["model=tiny", "adapter=x"] and command_set.overrides(
        "compare", ["margin=0.1"]
    ) == ["margin=0.1"]


def test_tab_completes_commands_groups_options_and_settings():
    assert candidates([], "tr", COMMANDS) == ["train "] and candidates([], "", COMMANDS) == [f"{command} " for command in COMMANDS]
    assert candidates(["train"], "lora=r1", COMMANDS) == ["lora=r16 "]
    assert candidates(["train", "lora=r8"], "trainer.l", COMMANDS) == ["trainer.lr=", "trainer.log_every_steps="]
    assert candidates(["compare"], "mar", COMMANDS) == ["margin="] and candidates(["list"], "", COMMANDS) == []
