"""The story a user lives: collect -> preview -> train -> eval, sweeps, interrupts, repeats; as typed, in a folder of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT, run_verb
from tests.proxy import Relay

DATA = "data.sources.shell.path=lives/trajectories.jsonl"
QUICK = ["trainer.max_steps=6", "eval.episodes=4", "eval.max_turns=12", "eval.max_reply_tokens=6", "split.train_bundles=16"]


def newest(folder: Path) -> Path:
    return sorted(folder.iterdir())[-1]


def read(path: Path) -> dict:
    return json.loads(path.read_text())


PLACES = [
    pytest.param("bwrap", marks=pytest.mark.xdist_group("story-bwrap")),
    pytest.param("docker", marks=[pytest.mark.docker, pytest.mark.xdist_group("story-docker")]),
]


@pytest.fixture(scope="module", params=PLACES)
def sandbox(request: pytest.FixtureRequest) -> str:
    return f"sandbox={request.param}"


@pytest.fixture(scope="module")
def story(sandbox: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """collect, then train on what was collected, then eval of what was trained."""
    cwd = tmp_path_factory.mktemp("story")
    steps = [
        ("collect", sandbox, "split.train_bundles=16", "hydra.run.dir=lives"),
        ("train", sandbox, *QUICK, DATA, "hydra.run.dir=run"),
        ("train", sandbox, *QUICK, DATA, "hydra.run.dir=again"),
        ("eval", sandbox, *QUICK[1:4], "adapter=run/adapter", "hydra.run.dir=exam"),
    ]
    for step in steps:
        done = run_verb(*step, cwd=cwd)
        assert done.returncode == 0, f"{step}\n{done.stdout}\n{done.stderr}"
        (cwd / f"{step[-1].split('=')[1]}.out").write_text(done.stdout)
    return cwd


def test_collect_keeps_what_the_reference_did(story: Path):
    summary = read(story / "lives" / "summary.json")
    assert (summary["lives"], summary["kept"]) == (16, 16)
    assert set(summary["outcomes"]) == {"verified", "justified_panic"}


def test_a_training_says_everything_a_summary_holds(story: Path):
    summary = read(story / "run" / "summary.json")
    assert {"verb", "seed", "base", "tuned", "reference", "paired", "verdict", "base_loads", "supervised_tokens", "seconds"} <= set(summary)
    assert summary["base_loads"] == 1 and summary["supervised_tokens"] > 100
    assert summary["reference"]["rates"]["verified"] | {"low": 0, "high": 0} == {"k": 4, "n": 4, "rate": 1.0, "low": 0, "high": 0}
    assert set(summary["tuned"]["rates"]) == {"operated", "terminated", "right_terminal", "solved", "verified"}
    assert {"blocked", "solvable", "archetype=move", "archetype=sort"} == set(summary["tuned"]["by"])
    assert summary["verdict"].startswith("inconclusive")
    assert {"run.json", "metrics.jsonl", "episodes.jsonl", "adapter", ".hydra"} <= {path.name for path in (story / "run").iterdir()}
    assert not list((story / "run").glob("*.partial"))


def test_the_loss_falls_and_the_adapter_moves_the_logits(story: Path):
    losses = [line["train/loss"] for line in map(json.loads, (story / "run" / "metrics.jsonl").open()) if "train/loss" in line]
    assert len(losses) == 6 and losses[-1] < losses[0]
    assert "it moves the base's by up to" in (story / "run.out").read_text()


def test_two_runs_with_one_seed_give_one_adapter_and_the_same_lives(story: Path):
    for name in ("adapter/adapter_model.safetensors", "episodes.jsonl"):
        assert (story / "run" / name).read_bytes() == (story / "again" / name).read_bytes()


def test_the_exam_alone_repeats_the_lives_of_the_training(story: Path):
    assert (story / "exam" / "episodes.jsonl").read_bytes() == (story / "run" / "episodes.jsonl").read_bytes()
    assert read(story / "exam" / "summary.json")["tuned"] == read(story / "run" / "summary.json")["tuned"]


def test_a_life_of_each_kind_that_there_is_can_be_read(story: Path):
    lost = story / "run" / "lives" / "lost.txt"
    assert "lives/lost.txt" in (story / "run.out").read_text() and "-- " in lost.read_text()


def test_wandb_shows_our_config_keys_rates_and_the_adapter(story: Path):
    wandb = Path(sys.executable).with_name("wandb")
    folders = sorted((story / "outputs" / "wandb").glob("offline-run-*"))
    assert len(folders) == 3
    log = next(folders[0].glob("*.wandb"))
    inspected = subprocess.run([wandb, "leet", "inspect", "--json", log], capture_output=True, text=True, check=True).stdout
    records = [json.loads(line) for line in inspected.splitlines() if line.startswith("{")]
    text = json.dumps(records)
    for word in ("supervised_tokens", "train/loss", "val/loss", "train/lr", "train/tokens_per_second", "eval/verified", "eval/episodes"):
        assert word in text, word
    assert "adapter_model.safetensors" in text and '"max_steps' in text
    summary = subprocess.run([wandb, "leet", "inspect", "--summary", "--json", log], capture_output=True, text=True, check=True).stdout
    assert "tuned" in summary and '"lora' in summary


def wandb_run(folder: Path) -> dict:
    """The record of the run itself, as W&B's own reader prints it."""
    wandb = Path(sys.executable).with_name("wandb")
    log = next(folder.glob("*.wandb"))
    text = subprocess.run([wandb, "leet", "inspect", "--json", log], capture_output=True, text=True, check=True).stdout
    return next(record for line in text.splitlines() if (record := json.loads(line)).get("type") == "run")


def test_preview_paints_without_weights_and_without_torch(story: Path, small_mistral: Path):
    bare = story / "bare"
    shutil.copytree(small_mistral, bare, ignore=shutil.ignore_patterns("*.safetensors"), dirs_exist_ok=True)
    code = (
        "import sys; sys.argv=['sekft.preview','model=mistral7b','model.path=bare','data.sources.shell.path=lives/trajectories.jsonl']\n"
        "from sekft import preview; preview.main(); assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=story, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "16 rows" in done.stdout and "learned" in done.stdout and "⟦ exit</s>⟧" in done.stdout


def test_preview_writes_a_page_and_fails_for_ci_when_rows_are_lost(story: Path):
    done = run_verb("preview", DATA, "check=true", "hydra.run.dir=look", cwd=story)
    assert done.returncode == 0 and 'class="terminal"' in (story / "look" / "preview.html").read_text()
    done = run_verb("preview", DATA, "check=true", "trainer.max_tokens=150", "data.max_dropped_share=1", cwd=story)
    assert done.returncode == 1 and "check=true: rows were dropped" in done.stderr


def test_the_predecessors_command_lines_run(story: Path, sandbox: str, small_mistral: Path):
    data = ("--data", "lives/trajectories.jsonl", "--base", str(small_mistral))
    assert run_verb("train", *data, "--inspect", cwd=story).returncode == 0
    done = run_verb("train", *data, "--out", "old", "--load-4bit", sandbox, *QUICK, cwd=story)
    assert done.returncode == 0, done.stderr
    exam = ("--base", str(small_mistral), "--adapter", "old/adapter", "--scenarios", "held_out", "--n", "2", sandbox, *QUICK[2:4])
    done = run_verb("eval", *exam, "model.load_4bit=true", "hydra.run.dir=old-exam", cwd=story)
    assert done.returncode == 0, done.stderr
    assert read(story / "old-exam" / "summary.json")["tuned"]["rates"]["verified"]["n"] == 2


def test_a_sweep_is_one_process_one_base_and_one_run_per_job(story: Path, sandbox: str):
    done = run_verb("train", "-m", "lora=r8,r16", "hydra.sweep.dir=sweep", DATA,
                    "trainer.max_steps=2", *QUICK[1:], sandbox, cwd=story)  # fmt: skip
    assert done.returncode == 0, done.stderr
    jobs = [story / "sweep" / name for name in ("0", "1")]
    assert [read(job / "summary.json")["base_loads"] for job in jobs] == [1, 1]
    assert [read(job / "run.json")["settings"]["lora"]["r"] for job in jobs] == [8, 16]
    assert [read(job / "adapter" / "adapter_config.json")["r"] for job in jobs] == [8, 16]
    records = [wandb_run(folder) for folder in sorted((story / "outputs" / "wandb").glob("offline-run-*"))]
    grouped = [record for record in records if "sweep" in json.dumps(record)]
    assert len(grouped) == 2 and {record["run"]["run_group"] for record in grouped} == {"sweep"}


def test_a_failed_job_of_a_sweep_is_marked_and_the_others_go_on(story: Path, sandbox: str):
    done = run_verb("train", "-m", "lora.target_modules=nope,q_proj", "hydra.sweep.dir=half", DATA,
                    "eval=none", "trainer.max_steps=2", sandbox, cwd=story)  # fmt: skip
    assert done.returncode == 1 and "lora=r16" in done.stderr
    assert [read(story / "half" / job / "run.json")["status"] for job in ("0", "1")] == ["failed", "done"]


def test_an_adapter_can_be_trained_on_and_a_checkpoint_resumed(story: Path):
    more = (DATA, "eval=none", "rehearsal=false", "trainer.max_steps=4")
    assert run_verb("train", *more, "adapter=run/adapter", "hydra.run.dir=on", cwd=story).returncode == 0
    assert run_verb("train", *more, "trainer.save_every_steps=2", "hydra.run.dir=whole", cwd=story).returncode == 0
    resumed = run_verb("train", *more, "trainer.resume_from=whole/checkpoints/checkpoint-2", "hydra.run.dir=resumed", cwd=story)
    assert resumed.returncode == 0, resumed.stderr
    weights = [(story / name / "adapter" / "adapter_model.safetensors").read_bytes() for name in ("whole", "resumed", "on")]
    assert weights[0] == weights[1] != weights[2]


def test_an_exam_between_steps_shares_the_axis_of_the_loss(story: Path, sandbox: str):
    done = run_verb("train", sandbox, *QUICK, "eval.every_steps=3", "trainer.val_every_steps=2", "hydra.run.dir=between",
                    DATA, cwd=story)  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in (story / "between" / "metrics.jsonl").open()]
    assert [line["step"] for line in lines if "eval/verified" in line] == [3, 6]
    assert [line["step"] for line in lines if "val/loss" in line] == [0, 2, 4, 6]


def test_check_finds_a_bundle_whose_checker_accepts_nothing_done(story: Path, sandbox: str):
    from sekft.scenario.bundle import write
    from sekft.scenario.library import make

    good, forged = make("copy", 0), make("sort", 0).model_copy(update={"checker": "true"})
    write([good, forged], story / "worlds")
    done = run_verb("check", "path=worlds", sandbox, cwd=story)
    assert done.returncode == 1 and f"{forged.id}: nothing 1/1" in done.stdout and good.id not in done.stdout
    done = run_verb("check", f"path=worlds/{good.id}.json", sandbox, "repeats=2", cwd=story)
    assert done.returncode == 0 and "reference 2/2, nothing 0/2" in done.stdout


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("train", "lora.r=abc"), ["lora.r", "abc", "Integer"]),
        (("train", "+lora.rr=8"), ["lora.rr", "allowed: name, r, alpha"]),
        (("train", "lora=nope"), ["lora/nope", "r16; r8"]),
        (("train", "experiment=nope"), ["experiment/nope", "demo"]),
        (("train", "data.sources.shell.path=nowhere.jsonl"), ["nowhere.jsonl", "no such file"]),
        (("train", "data.sources.shell.path=empty.jsonl"), ["empty.jsonl", "empty"]),
        (("eval", "scenarios=bad.json"), ["bad.json", "directives"]),
        (("check", "path=bad.json"), ["bad.json", "directives"]),
        (("train", "sandbox=docker"), ["unix:///nowhere", "sandbox=bwrap"]),
        (("train", "model=mistral7b", "sandbox=bwrap"), ["mistralai/Mistral-7B-Instruct-v0.2", "hf download"]),
        (("train", "eval.criterion=nice"), ["eval.criterion", "verified"]),
        (("train", "trainer.resume_from=nowhere"), ["trainer.resume_from=nowhere"]),
        (("eval", "adapter=nowhere"), ["adapter=nowhere"]),
        (("collect", "split.held_out=[dance]"), ["dance", "move"]),
        (("train", "--data"), ["--data: no value"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_bad_input_is_one_line_and_leaves_nothing(tmp_path: Path, words: tuple[str, ...], named: list[str]):
    (tmp_path / "empty.jsonl").write_text("")
    (tmp_path / "bad.json").write_text('{"id": "x", "archetype": "copy", "directives": 3}')
    done = run_verb(*words, cwd=tmp_path, DOCKER_HOST="unix:///nowhere")
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert done.returncode == 1 and len(lines) == 1, done.stderr
    assert all(word in lines[0] for word in named), lines[0]
    assert not list(tmp_path.glob("outputs/*/*/summary.json"))


def test_worlds_from_outside_are_not_taken_to_the_weaker_walls_unasked(tmp_path: Path):
    from sekft.scenario.bundle import write
    from sekft.scenario.library import make

    write([make("copy", 0)], tmp_path / "worlds")
    refused = run_verb("check", "path=worlds", cwd=tmp_path, DOCKER_HOST="unix:///nowhere")
    assert refused.returncode == 1 and "only if asked to: sandbox=bwrap" in refused.stderr
    own = run_verb("check", "episodes=1", cwd=tmp_path, DOCKER_HOST="unix:///nowhere")
    assert own.returncode == 0 and "sandbox: bwrap" in own.stdout


def containers() -> set[str]:
    import docker

    client = docker.from_env()
    return {container.id for container in client.containers.list(all=True, filters={"label": "sekft=1"}, ignore_removed=True)}


@pytest.mark.docker
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM], ids=lambda number: number.name)
def test_a_run_that_is_ended_in_its_exam_leaves_no_container_and_no_result(tmp_path: Path, number: signal.Signals):
    before = containers()
    words = ["split.train_bundles=8", "trainer.max_steps=2", "rehearsal=false", "sandbox=docker", "hydra.run.dir=run"]
    run = subprocess.Popen(
        [sys.executable, "-m", "sekft.train", *words, "eval.episodes=32", "workers=4"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    try:
        wait_until(lambda: (tmp_path / "run" / "adapter").exists() and bool(containers() - before), run)
        time.sleep(1.0)
        run.send_signal(number)
        _, errors = run.communicate(timeout=60)
    finally:
        run.kill()
    assert run.returncode == {signal.SIGINT: 130, signal.SIGKILL: -9, signal.SIGTERM: 143}[number], errors
    wait_until(lambda: not containers() - before, None)
    assert not (tmp_path / "run" / "summary.json").exists() and not (tmp_path / "run" / "episodes.jsonl").exists()
    assert (tmp_path / "run" / "adapter" / "adapter_model.safetensors").exists()
    assert read(tmp_path / "run" / "run.json")["status"] == ("running" if number is signal.SIGKILL else "interrupted")


@pytest.mark.docker
def test_an_engine_lost_in_the_exam_keeps_the_adapter_and_leaves_it_unmeasured(tmp_path: Path):
    relay = Relay(tmp_path / "engine.sock", "/var/run/docker.sock")
    words = ["split.train_bundles=8", "trainer.max_steps=2", "rehearsal=false", "sandbox=docker", "hydra.run.dir=run"]
    run = subprocess.Popen(
        [sys.executable, "-m", "sekft.train", *words, "eval.episodes=16", "eval.max_reply_tokens=8", "workers=4"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1", "DOCKER_HOST": f"unix://{tmp_path}/engine.sock"},
    )  # fmt: skip
    try:
        wait_until(lambda: (tmp_path / "run" / "episodes.jsonl.partial").exists(), run)
        relay.cut()
        output, errors = run.communicate(timeout=300)
    finally:
        run.kill()
    assert run.returncode == 0 and "verdict: unmeasured" in output, errors
    summary = read(tmp_path / "run" / "summary.json")
    assert summary["verdict"].startswith("unmeasured") and summary["tuned"]["outcomes"] == {"broken": 16}
    assert (tmp_path / "run" / "adapter" / "adapter_model.safetensors").exists()


def wait_until(true, run: subprocess.Popen | None, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came to that"
        assert run is None or run.poll() is None, run.stderr.read()
        time.sleep(0.2)


def test_the_console_scripts_are_the_verbs(tmp_path: Path):
    for verb in ("train", "eval", "collect", "check", "preview"):
        script = Path(sys.executable).with_name(f"sekft-{verb}")
        done = subprocess.run([script, "--cfg", "job"], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0 and "sandbox:" in done.stdout, done.stderr


def test_conf_is_found_from_a_built_wheel(tmp_path: Path):
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", tmp_path, ROOT], check=True, capture_output=True)
    wheel = next(tmp_path.glob("*.whl"))
    shutil.unpack_archive(wheel, tmp_path / "site", "zip")
    code = (
        "import sekft.command.launch as l, sekft.model.locate as m; print(l.conf_folder());"
        "from sekft.config import ModelConfig; m.load_tokenizer(ModelConfig(name='t', path='sekft:tiny'))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path / "site", capture_output=True, text=True, check=True)
    conf = Path(done.stdout.strip())
    assert conf == tmp_path / "site" / "sekft" / "conf" and (conf / "experiment" / "demo.yaml").exists()
