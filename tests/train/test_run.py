"""Training that measures behaviour on its way: what it keeps, prints and records, and in which scenarios it may measure."""

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import changed, run_command
from tests.train.weights import digest

pytestmark = pytest.mark.xdist_group("train")
STEPS = ("split.train_scenarios=16", "trainer.max_steps=4", "trainer.batch=2", "rehearsal=false")
RUN = (*STEPS, "sandbox=bwrap", "tracker=none", "eval.max_turns=6", "eval.max_reply_tokens=6")
MEASURING = (
    *RUN,
    "eval.episodes=2",
    "eval.baselines=false",
    "eval.every_steps=2",
    "eval.selection_scenarios=4",
    "trainer.save_every_steps=2",
)


def read(path: Path) -> dict:
    return json.loads(path.read_text())


@pytest.fixture(scope="module")
def cwd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("train")
    done = run_command("train", *MEASURING, "hydra.run.dir=run", cwd=folder)
    assert done.returncode == 0, done.stderr
    (folder / "run.out").write_text(done.stdout)
    return folder


def test_the_record_has_the_step_of_the_adapter_and_why_it_was_chosen(cwd: Path):
    choice = read(cwd / "run" / "summary.json")["choice"]
    assert choice["of"] == 4 and choice["step"] in (2, 4) and choice["best"]["step"] == choice["step"]
    assert f"adapter: run/adapter of step {choice['step']}, {choice['why']} (loaded fresh" in (cwd / "run.out").read_text()
    assert {read(cwd / "run" / name / "fingerprint.json")["step"] for name in ("adapter", "best")} == {choice["step"]}
    assert digest(cwd / "run" / "adapter") == digest(cwd / "run" / "best")


def test_measurements_and_the_final_evaluation_are_logged_under_different_names(cwd: Path):
    lines = [json.loads(line) for line in (cwd / "run" / "metrics.jsonl").open()]
    step = read(cwd / "run" / "summary.json")["choice"]["step"]
    for rate in ("verified", "terminated", "false_panic"):
        assert [line["step"] for line in lines if f"eval/{rate}" in line] == [0, 2, 4]
        assert [line["step"] for line in lines if f"test/{rate}" in line] == [step]
    measured = [json.loads(line) for line in (cwd / "run" / "behaviour.jsonl").open()]
    assert measured == read(cwd / "run" / "summary.json")["choice"]["looks"] and [one["step"] for one in measured] == [0, 2, 4]


def test_the_selection_scenarios_are_printed_and_are_not_those_of_the_evaluation(cwd: Path):
    assert "selection: 4 scenarios of 4 training archetypes every 2 steps, sha256 " in (cwd / "run.out").read_text()
    episodes = [json.loads(line)["scenario_id"] for line in (cwd / "run" / "episodes.jsonl").open()]
    assert episodes and not [scenario for scenario in episodes if "-c0-" in scenario]


@pytest.mark.slow
def test_a_resumed_run_chooses_as_the_uninterrupted_one_and_does_not_play_the_base_again(cwd: Path):
    shutil.copytree(cwd / "run" / "checkpoints" / "checkpoint-2", cwd / "kept")
    done = run_command("train", *MEASURING, "trainer.resume_from=kept", "hydra.run.dir=resumed", cwd=cwd)
    assert done.returncode == 0, done.stderr
    assert "selection: base" in (cwd / "run.out").read_text() and "selection: base" not in done.stdout
    assert read(cwd / "resumed" / "summary.json")["choice"] == read(cwd / "run" / "summary.json")["choice"]
    assert digest(cwd / "resumed" / "adapter") == digest(cwd / "run" / "adapter")


@pytest.mark.slow
def test_scenarios_that_the_parent_adapter_was_trained_on_are_reported(cwd: Path):
    apart = ("eval=none", "data.sources.shell.path=seen/trajectories.jsonl", "data.validation_share=0", "hydra.run.dir=before")
    for command, words in (
        ("collect", ("sandbox=bwrap", "scenarios=held_out", "episodes=2", "hydra.run.dir=seen")),
        ("train", (*RUN, *apart)),
    ):
        done = run_command(command, *words, cwd=cwd)
        assert done.returncode == 0, done.stderr
    line = (*RUN, "eval.episodes=2", "eval.baselines=false", "adapter=before/adapter", "hydra.run.dir=on")
    assert "on/adapter: trained on 2 of these scenarios" in run_command("train", *line, cwd=cwd).stdout
    (cwd / "before" / "adapter" / "fingerprint.json").unlink()
    assert "on/adapter: trained from an adapter without fingerprint.json" in run_command("train", *line, cwd=cwd).stdout


@pytest.mark.slow
def test_the_last_step_can_be_chosen_and_the_evaluation_left_out(cwd: Path):
    done = run_command("train", *changed(MEASURING, "eval.choose=last", "eval.episodes=0"), "hydra.run.dir=last", cwd=cwd)
    assert done.returncode == 0, done.stderr
    summary = read(cwd / "last" / "summary.json")
    assert (summary["choice"]["step"], summary["choice"]["why"], summary["verdict"]) == (4, "eval.choose=last", "unmeasured (eval=none)")
    assert (cwd / "last" / "best" / "adapter_model.safetensors").exists() and summary["losses"] == {}


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("scenarios=selection",), "in scenarios=selection and in the evaluation (2 scenarios are); hold them out"),
        (("data.sources.shell.path=peeked/trajectories.jsonl",), "in the training data and in scenarios=selection"),
    ],
)
def test_selection_scenarios_are_refused_for_training_and_evaluation(cwd: Path, overrides: tuple[str, ...], message: str):
    done = run_command("collect", "sandbox=bwrap", "scenarios=selection", "episodes=8", "hydra.run.dir=peeked", cwd=cwd)
    assert done.returncode == 0, done.stderr
    done = run_command("train", *MEASURING, *overrides, "hydra.run.dir=refused", cwd=cwd)
    assert done.returncode == 1 and message in done.stderr and len(done.stderr.strip().splitlines()) == 1


def test_the_last_lines_are_the_news_first_then_the_table_the_page_and_the_next_command(cwd: Path):
    lines = (cwd / "run.out").read_text().splitlines()
    at = next(at for at, line in enumerate(lines) if line.startswith("result: "))
    result, verdict, *_, page, watch = lines[at:]
    assert len(lines[at:]) <= 12 and len([line for line in lines[:at] if line]) <= 16, lines
    summary = read(cwd / "run" / "summary.json")
    verified = summary["tuned"]["rates"]["verified"]
    assert page == "page: run/report.html" and (cwd / "run" / "report.html").exists()
    assert result.startswith(f"result: the tuned model did the work and left in {verified['k']} of 2 scenarios, the base in ")
    assert verdict.startswith(f"verdict: {summary['verdict'].split()[0]}: ")
    assert watch == "watch it work: python -m sekft.chat model=tiny adapter=run mode=shell"
    assert "a won episode: " in (cwd / "run" / "train.log").read_text() or "a lost episode: " in (cwd / "run" / "train.log").read_text()
