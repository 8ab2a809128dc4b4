"""A user's way through the commands, as typed: collect, preview, train, eval, sweeps, repeats."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import changed, run_command

DATA = "data.sources.shell.path=episodes/trajectories.jsonl"
TEST = ["eval.episodes=4", "eval.max_turns=12", "eval.max_reply_tokens=6"]
STEPS = ["trainer.max_steps=6", "trainer.batch=2", "split.train_scenarios=16", "rehearsal=false"]
QUICK = [*STEPS, *TEST]


def newest(folder: Path) -> Path:
    return sorted(folder.iterdir())[-1]


def read(path: Path) -> dict:
    return json.loads(path.read_text())


SANDBOX = "sandbox=bwrap"  # the result does not depend on the sandbox: tests/episode/test_play.py
pytestmark = pytest.mark.xdist_group("story")


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """collect, then train on what was collected, then eval of what was trained."""
    cwd = tmp_path_factory.mktemp("story")
    steps = [
        ("collect", SANDBOX, "split.train_scenarios=16", "hydra.run.dir=episodes"),
        ("train", SANDBOX, *QUICK, "rehearsal=true", DATA, "hydra.run.dir=run"),
        ("train", SANDBOX, *QUICK, DATA, "hydra.run.dir=again"),
        ("eval", SANDBOX, *TEST, "adapter=run/adapter", "hydra.run.dir=evaluation"),
    ]
    for step in steps:
        done = run_command(*step, cwd=cwd, fresh="again" in step[-1])  # a new interpreter has another hash seed
        assert done.returncode == 0, f"{step}\n{done.stdout}\n{done.stderr}"
        (cwd / f"{step[-1].split('=')[1]}.out").write_text(done.stdout)
    return cwd


def test_collect_keeps_what_the_reference_did(story: Path):
    summary = read(story / "episodes" / "summary.json")
    assert (summary["episodes"], summary["kept"]) == (16, 16)
    assert set(summary["outcomes"]) == {"verified", "justified_panic"}


def test_the_summary_and_the_output_of_a_training_are_complete(story: Path):
    summary = read(story / "run" / "summary.json")
    assert {"command", "seed", "base", "tuned", "reference", "paired", "verdict", "base_loads", "supervised_tokens", "seconds"} <= set(
        summary
    )
    assert summary["base_loads"] == 1 and summary["supervised_tokens"] > 100
    assert "rehearsal: two steps, one adapter, one episode each: fine" in (story / "run.out").read_text()
    assert summary["data"]["learned"] == summary["supervised_tokens"]
    assert sum(summary["data"]["lengths"].values()) == summary["data"]["rows"] > 10
    assert summary["reference"]["rates"]["verified"] | {"low": 0, "high": 0} == {"k": 4, "n": 4, "rate": 1.0, "low": 0, "high": 0}
    assert set(summary["tuned"]["rates"]) == {"operated", "terminated", "right_terminal", "solved", "verified"}
    by = set(summary["tuned"]["by"])
    assert {
        "blocked",
        "solvable",
        "kind=operation the base never saw",
        "family=files",
    } <= by and "kind=new scenario of a training archetype" not in by
    assert len([kind for kind in by if kind.startswith("archetype=")]) == 4
    assert (story / "run" / "report.html").stat().st_size > 10_000 and list((story / "run" / "episodes").glob("*.cast"))
    assert {"reasons", "faults"} <= set(summary["tuned"]) and summary["findings"][0]["criterion"] == "verified"
    assert f"sha256 {summary['scenarios']['sha256'][:16]}; of the frozen test set, sha256" in (story / "run.out").read_text()
    assert summary["verdict"].startswith(("inconclusive", "hold (loss of prose"))
    assert {"run.json", "metrics.jsonl", "episodes.jsonl", "adapter", ".hydra"} <= {path.name for path in (story / "run").iterdir()}
    assert not list((story / "run").glob("*.partial"))


def test_the_summary_names_the_sandbox_and_its_image(story: Path):
    recorded = read(story / "run" / "summary.json")["sandbox"]
    assert recorded["backend"] == "bwrap" and len(recorded["digest"]) >= 12
    assert recorded == read(story / "evaluation" / "summary.json")["sandbox"]


def test_episodes_of_base_and_baselines_are_reused_by_the_next_evaluation(story: Path):
    first, evaluation = read(story / "run" / "summary.json"), read(story / "evaluation" / "summary.json")
    assert first["remembered"] == [] and evaluation["remembered"] == ["base", "exit", "panic", "random", "reference"]
    assert evaluation["base"] == first["base"] and evaluation["tuned"] == first["tuned"]


def test_several_adapters_share_one_evaluation_and_each_has_a_verdict(story: Path):
    words = ("adapter={first: run/adapter, second: again/adapter}", "tracker=none", "hydra.run.dir=several")
    done = run_command("eval", SANDBOX, *TEST, *words, cwd=story)
    assert done.returncode == 0, done.stderr
    summary = read(story / "several" / "summary.json")
    assert set(summary["verdicts"]) == {"first", "second"} and summary["remembered"][0] == "base"
    assert summary["agents"]["first"] == summary["agents"]["second"] == read(story / "evaluation" / "summary.json")["tuned"]


def test_the_loss_falls_and_the_adapter_moves_the_logits(story: Path):
    losses = [line["train/loss"] for line in map(json.loads, (story / "run" / "metrics.jsonl").open()) if "train/loss" in line]
    assert len(losses) == 6 and losses[-1] < losses[0]
    assert "the adapter changes the base's logits by up to" in (story / "run" / "train.log").read_text()


def test_two_runs_with_one_seed_give_one_adapter_and_the_same_episodes(story: Path):
    for name in ("adapter/adapter_model.safetensors", "episodes.jsonl"):
        assert (story / "run" / name).read_bytes() == (story / "again" / name).read_bytes()


def test_the_evaluation_alone_repeats_the_episodes_of_the_training(story: Path):
    assert (story / "evaluation" / "episodes.jsonl").read_bytes() == (story / "run" / "episodes.jsonl").read_bytes()
    assert read(story / "evaluation" / "summary.json")["tuned"] == read(story / "run" / "summary.json")["tuned"]


def test_an_evaluation_names_the_artifact_that_training_stored(story: Path):
    stored = read(story / "run" / "artifact.json")
    assert read(story / "evaluation" / "summary.json")["adapters"] == {"tuned": stored} and stored["artifact"].startswith("adapter-")
    assert read(story / "again" / "artifact.json")["digest"] == stored["digest"]  # the same bytes


def test_the_loss_on_prose_is_the_same_in_training_and_in_the_evaluation_alone(story: Path):
    first, evaluation = (read(story / name / "summary.json")["losses"]["prose"] for name in ("run", "evaluation"))
    assert first == evaluation and set(first["nats_per_token"]) == {"base", "tuned"} and len(first["sha256"]) == 64
    assert first["nats_per_token"]["base"] > first["unigram"], "the embedded base has learned to read English; then its gate is to say so"
    finding = next(one for one in read(story / "evaluation" / "summary.json")["findings"] if one["criterion"].startswith("loss"))
    assert finding["state"] == "not measured"
    assert f"loss of prose, the text of sha256 {first['sha256'][:16]}" in (story / "evaluation" / "eval.log").read_text()
    assert "Loss on a text" in (story / "evaluation" / "report.html").read_text()


def test_a_lost_episode_can_be_read_as_text(story: Path):
    lost = story / "run" / "episodes" / "lost.txt"
    assert "episodes/lost.txt" in (story / "run" / "train.log").read_text() and "-- " in lost.read_text()


def test_wandb_shows_our_config_keys_rates_and_the_adapter(story: Path):
    wandb = Path(sys.executable).with_name("wandb")
    folders = sorted((story / "outputs" / "wandb").glob("offline-run-*"))
    assert len(folders) == 3
    log = next(folders[0].glob("*.wandb"))
    inspected = subprocess.run([wandb, "leet", "inspect", "--json", log], capture_output=True, text=True, check=True).stdout
    records = [json.loads(line) for line in inspected.splitlines() if line.startswith("{")]
    text = json.dumps(records)
    for word in (
        "supervised_tokens",
        "train/loss",
        "val/loss",
        "train/lr",
        "train/tokens_per_second",
        "eval/verified",
        "eval/episodes",
        "eval/base/verified",
    ):
        assert word in text, word
    assert "adapter_model.safetensors" in text and '"max_steps' in text
    summary = subprocess.run([wandb, "leet", "inspect", "--summary", "--json", log], capture_output=True, text=True, check=True).stdout
    assert '"verdict"' in summary and '"minutes_train"' in summary and '"lora' in summary


def wandb_run(folder: Path) -> dict:
    """The record of type `run`, as W&B's own reader prints it."""
    wandb = Path(sys.executable).with_name("wandb")
    log = next(folder.glob("*.wandb"))
    text = subprocess.run([wandb, "leet", "inspect", "--json", log], capture_output=True, text=True, check=True).stdout
    return next(record for line in text.splitlines() if (record := json.loads(line)).get("type") == "run")


def test_preview_paints_without_weights_and_without_torch(story: Path, small_mistral: Path):
    bare = story / "bare"
    shutil.copytree(small_mistral, bare, ignore=shutil.ignore_patterns("*.safetensors"), dirs_exist_ok=True)
    code = (
        "import sys; sys.argv=['sekft.preview','model=mistral7b','model.path=bare','data.sources.shell.path=episodes/trajectories.jsonl']\n"
        "from sekft.preview.__main__ import main; main(); assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=story, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "16 rows" in done.stdout and "learned" in done.stdout and "⟦ exit</s>⟧" in done.stdout
    assert "row length: shortest" in done.stdout and "  <= 512 " in done.stdout and "#" in done.stdout


def test_preview_writes_a_page_and_fails_for_ci_when_rows_are_lost(story: Path):
    done = run_command("preview", DATA, "check=true", "hydra.run.dir=look", cwd=story)
    assert done.returncode == 0 and 'class="terminal"' in (story / "look" / "preview.html").read_text()
    done = run_command("preview", DATA, "check=true", "trainer.max_tokens=150", "data.max_dropped_share=1", cwd=story)
    assert done.returncode == 1 and "check=true: rows were dropped" in done.stderr
    assert re.search(r"dropped: longer than trainer.max_tokens=150 \d+ \(\w", done.stdout)  # by reason, with the first ids


@pytest.mark.exhaustive
def test_the_command_lines_of_the_predecessors_run(story: Path, small_mistral: Path):
    data = ("--data", "episodes/trajectories.jsonl", "--base", str(small_mistral))
    assert run_command("train", *data, "--inspect", cwd=story).returncode == 0
    done = run_command("train", *data, "--out", "old", "--load-4bit", SANDBOX, *QUICK, cwd=story)
    assert done.returncode == 0, done.stderr
    evaluation = ("--base", str(small_mistral), "--adapter", "old/adapter", "--scenarios", "held_out", "--n", "2", SANDBOX, *TEST[1:])
    done = run_command("eval", *evaluation, "model.load_4bit=true", "hydra.run.dir=old-evaluation", cwd=story)
    assert done.returncode == 0, done.stderr
    assert read(story / "old-evaluation" / "summary.json")["tuned"]["rates"]["verified"]["n"] == 2


def test_a_sweep_is_one_process_one_base_and_one_run_per_job(story: Path):
    done = run_command("train", "-m", "lora=r8,r16", "hydra.sweep.dir=sweep", DATA,
                    *changed(QUICK, "trainer.max_steps=2"), SANDBOX, cwd=story)  # fmt: skip
    assert done.returncode == 0, done.stderr
    jobs = [story / "sweep" / name for name in ("0", "1")]
    assert [read(job / "summary.json")["base_loads"] for job in jobs] == [1, 0]
    assert [read(job / "run.json")["settings"]["lora"]["r"] for job in jobs] == [8, 16]
    assert [read(job / "adapter" / "adapter_config.json")["r"] for job in jobs] == [8, 16]
    records = [wandb_run(folder) for folder in sorted((story / "outputs" / "wandb").glob("offline-run-*"))]
    grouped = [record for record in records if "sweep" in json.dumps(record)]
    assert len(grouped) == 2 and {record["run"]["run_group"] for record in grouped} == {"sweep"}


@pytest.mark.exhaustive
def test_a_failed_job_of_a_sweep_is_marked_and_the_others_run(story: Path):
    done = run_command("train", "-m", "lora.target_modules=nope,q_proj", "hydra.sweep.dir=half", DATA,
                    "eval=none", *STEPS, SANDBOX, cwd=story)  # fmt: skip
    assert done.returncode == 1 and "lora=r16" in done.stderr
    assert [read(story / "half" / job / "run.json")["status"] for job in ("0", "1")] == ["failed", "done"]


def test_an_adapter_can_be_trained_on_and_a_checkpoint_resumed(story: Path):
    more = (DATA, *changed(STEPS, "trainer.max_steps=4"), "eval=none")
    assert run_command("train", *more, "adapter=run/adapter", "hydra.run.dir=on", cwd=story).returncode == 0
    assert run_command("train", *more, "trainer.save_every_steps=2", "hydra.run.dir=whole", cwd=story).returncode == 0
    resumed = run_command("train", *more, "trainer.resume_from=whole/checkpoints/checkpoint-2", "hydra.run.dir=resumed", cwd=story)
    assert resumed.returncode == 0, resumed.stderr
    weights = [(story / name / "adapter" / "adapter_model.safetensors").read_bytes() for name in ("whole", "resumed", "on")]
    assert weights[0] == weights[1] != weights[2]


@pytest.mark.exhaustive
def test_all_weights_can_be_trained_and_are_evaluated_beside_the_base(story: Path):
    done = run_command("train", "lora=none", "trainer.lr=1e-3", *QUICK, DATA, SANDBOX, "hydra.run.dir=all", cwd=story)
    assert done.returncode == 0, done.stderr
    assert (story / "all" / "adapter" / "model.safetensors").exists()
    assert "changes the base's logits" in (story / "all" / "train.log").read_text()
    done = run_command("eval", "adapter=all/adapter", *TEST, SANDBOX, "hydra.run.dir=all-evaluation", cwd=story)
    assert done.returncode == 0, done.stderr
    assert read(story / "all-evaluation" / "summary.json")["tuned"] == read(story / "all" / "summary.json")["tuned"]


def test_an_evaluation_between_steps_is_logged_at_the_step_of_the_loss(story: Path):
    done = run_command("train", SANDBOX, *QUICK, "eval.every_steps=3", "eval.selection_scenarios=4", "trainer.val_every_steps=2",
                    "hydra.run.dir=between", DATA, cwd=story)  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (story / "between" / "metrics.jsonl").open()]
    assert [line["step"] for line in lines if "eval/verified" in line] == [0, 3, 6]
    assert [line["step"] for line in lines if "test/verified" in line] == [read(story / "between" / "summary.json")["choice"]["step"]]
    assert [line["step"] for line in lines if "val/loss" in line] == [0, 2, 4, 6]


def test_check_finds_a_scenario_whose_checker_accepts_an_untouched_sandbox(story: Path):
    from sekft.scenario.document import write
    from sekft.scenario.library import make

    good, forged = make("copy", 0), make("sort", 0).model_copy(update={"checker": "true"})
    write([good, forged], story / "scenarios")
    done = run_command("check", "path=scenarios", SANDBOX, cwd=story)
    assert done.returncode == 1 and f"{forged.id}: nothing 1/1" in done.stdout and good.id not in done.stdout
    done = run_command("check", f"path=scenarios/{good.id}.json", SANDBOX, "repeats=2", cwd=story)
    assert done.returncode == 0 and "reference 2/2, nothing 0/2" in done.stdout
