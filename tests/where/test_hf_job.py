"""A job at Hugging Face, submitted by the real client to a test server: what is sent, recorded and printed, and that secrets are not."""

import json
import subprocess
from pathlib import Path

from tests.conftest import run_command
from tests.where.hub_server import JOB, hub_server

WORDS = ("where=hf_job", "where.options.image=me/sekft", "where.secrets=[WANDB_API_KEY]", "sandbox=bwrap", "eval.episodes=2")
TOKEN, KEY = "hf_abcdefghijklmnopqrstuvwxyz", "0123456789abcdef0123456789abcdef01234567"


def submitted(folder: Path, address: str, *more: str) -> subprocess.CompletedProcess[str]:
    environment = {"HF_ENDPOINT": address, "HF_TOKEN": TOKEN, "WANDB_API_KEY": KEY, "HF_HUB_OFFLINE": "0", "HF_HOME": str(folder / "home")}
    return run_command("eval", *WORDS, "live=true", "hydra.run.dir=run", *more, cwd=folder, **environment)


def everything(folder: Path, done: subprocess.CompletedProcess[str]) -> str:
    return done.stdout + done.stderr + "".join(file.read_text() for file in folder.rglob("*") if file.is_file())


def test_a_job_is_submitted_followed_and_recorded_without_any_secret(tmp_path: Path):
    with hub_server(200, ["RUNNING", "COMPLETED"]) as (address, requests):
        done = submitted(tmp_path, address)
    assert done.returncode == 0, done.stderr
    (sent,) = requests
    assert sent["path"] == "/api/jobs/me" and sent["token"] == f"Bearer {TOKEN}"
    body = sent["body"]
    assert body["secrets"] == {"WANDB_API_KEY": KEY} and body["dockerImage"] == "me/sekft" and body["flavor"] == "cpu-basic"
    assert body["command"][:3] == ["python", "-m", "sekft.eval"] and "where.eval=local" in body["command"]
    assert {"sandbox=bwrap", "eval.episodes=2"} <= set(body["command"]) and not any("hf_job" in word for word in body["command"])
    kept = json.loads((tmp_path / "run" / "submission.json").read_text())
    assert (kept["status"], kept["id"], kept["submitted"]["secrets"]) == ("done", JOB, ["WANDB_API_KEY"])
    assert JOB in done.stdout and kept["url"].endswith(JOB)
    assert TOKEN not in everything(tmp_path, done) and KEY not in everything(tmp_path, done)


def test_a_refused_submission_is_recorded_as_failed(tmp_path: Path):
    with hub_server(402, ["RUNNING"]) as (address, requests):
        done = submitted(tmp_path, address)
    assert (done.returncode, len(requests)) == (1, 1)
    assert done.stderr.startswith("sekft.eval: where=hf_job: not submitted: ") and done.stderr.count("\n") == 1
    kept, run = (json.loads((tmp_path / "run" / name).read_text()) for name in ("submission.json", "run.json"))
    assert (kept["status"], kept["id"], run["status"]) == ("failed", None, "failed") and "Payment" in kept["error"] + run["error"]
    assert TOKEN not in everything(tmp_path, done) and KEY not in everything(tmp_path, done)


def test_a_failed_job_is_recorded_with_its_message(tmp_path: Path):
    with hub_server(200, ["ERROR"], "the image has no sekft") as (address, _):
        done = submitted(tmp_path, address)
    assert done.returncode == 1 and f"job {JOB} ended as ERROR: the image has no sekft" in done.stderr
    assert json.loads((tmp_path / "run" / "run.json").read_text())["status"] == "failed"


def test_without_live_it_only_prints_a_plan(tmp_path: Path):
    with hub_server(200, ["RUNNING"]) as (address, requests):
        done = run_command("eval", *WORDS, cwd=tmp_path, HF_ENDPOINT=address, HF_TOKEN=TOKEN, WANDB_API_KEY=KEY)
    assert done.returncode == 0, done.stderr
    assert requests == [] and list(tmp_path.iterdir()) == []
    assert (
        "start it: python -m sekft.eval where=hf_job" in done.stdout and "live=true" in done.stdout and '"image": "me/sekft"' in done.stdout
    )
    assert "no gain is promoted" in done.stdout and KEY not in done.stdout and TOKEN not in done.stdout
