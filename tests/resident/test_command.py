"""One process, one base, many commands: as at a prompt, and each as if it had a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sekft.cli.prompt import candidates
from sekft.resident.commands import ALWAYS, Done, Here, obey
from tests import warm
from tests.conftest import run_command

SMALL = "sandbox=bwrap tracker=none eval.baselines=false eval.episodes=2 eval.max_turns=3 eval.max_reply_tokens=8"
TRAIN = f"{SMALL} rehearsal=false trainer.max_steps=3 trainer.batch=2 split.train_scenarios=16"
COMMANDS = (*Here.commands, *ALWAYS)


def told(lines: list[str], cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sekft.resident", "model.device=cpu"]
    return warm.run(command, input="\n".join(lines), cwd=cwd, timeout=300)


@pytest.mark.slow
def test_commands_share_one_base_and_train_what_a_process_of_their_own_trains(tmp_path: Path):
    typed = [
        f"train {TRAIN} hydra.run.dir=one",
        f"train lora=r4 {TRAIN} hydra.run.dir=two",
        f"eval 2 {SMALL} hydra.run.dir=evaluation",
        "list",
    ]
    done = told([*typed[:1], "train lora.r=-3 tracker=none", *typed[1:]], tmp_path)
    assert done.returncode == 1, done.stderr  # of the line in the middle, after which the others went on
    assert "sekft.train: lora.r: found -3" in done.stderr
    loads = [json.loads((tmp_path / name / "summary.json").read_text())["base_loads"] for name in ("one", "two", "test")]
    assert loads == [0, 0, 0]  # it was loaded before the first of them
    assert [line.split()[:2] for line in done.stdout.splitlines()[-3:]] == [["1", "one"], ["2", "two"], ["3", "test"]]
    alone = run_command("train", "model.device=cpu", "lora=r4", *TRAIN.split(), "hydra.run.dir=alone", cwd=tmp_path)
    assert alone.returncode == 0, alone.stderr
    for file in ("adapter/adapter_model.safetensors", "episodes.jsonl"):
        assert (tmp_path / "two" / file).read_bytes() == (tmp_path / "alone" / file).read_bytes()


def test_what_nobody_knows_is_one_line_and_the_rest_goes_on(capsys: pytest.CaptureFixture[str]):
    desk = Here(())
    assert [obey(desk, line) for line in ("", "# nothing", "help", "list", "status", "dance", "train 'a")] == [0, 0, 0, 0, 0, 1, 1]
    said = capsys.readouterr()
    assert "nothing yet" in said.out and all(name in said.out for name in COMMANDS)
    first, second = said.err.splitlines()
    assert first.startswith("sekft.resident: dance: allowed: train, eval,") and "No closing quotation" in second


def test_a_run_is_named_by_number_by_folder_or_by_its_adapter(tmp_path: Path):
    (tmp_path / "run" / "adapter").mkdir(parents=True)
    desk = Here(("model=tiny",), [Done(tmp_path / "run", "train", "hold")])
    adapter = f"adapter={tmp_path / 'run' / 'adapter'}"
    assert desk.meant("eval", ["1", "eval=full"]) == ["model=tiny", adapter, "eval=full"]
    assert desk.meant("eval", [str(tmp_path / "run")]) == ["model=tiny", adapter]
    assert desk.meant("eval", ["elsewhere"]) == ["model=tiny", "adapter=elsewhere"]
    assert desk.meant("eval", ["replay=RUN"]) == ["replay=RUN"]
    assert desk.meant("eval", ["adapter=x"]) == ["model=tiny", "adapter=x"] and desk.meant("compare", ["margin=0.1"]) == ["margin=0.1"]


def test_the_tab_key_knows_commands_groups_options_and_settings():
    assert candidates([], "tr", COMMANDS) == ["train "] and candidates([], "", COMMANDS) == [f"{one} " for one in COMMANDS]
    assert candidates(["train"], "lora=r1", COMMANDS) == ["lora=r16 "]
    assert candidates(["train", "lora=r8"], "trainer.l", COMMANDS) == ["trainer.lr=", "trainer.log_every_steps="]
    assert candidates(["compare"], "mar", COMMANDS) == ["margin="] and candidates(["list"], "", COMMANDS) == []
