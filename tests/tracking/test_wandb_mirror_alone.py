"""W&B never stands in the way of the run: no key, no network, no terminal, no W&B."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from sekft.config import Tracker

from .job import KEY, OPENING, SHORT_JOB, UNREACHABLE, environment, overview, records, shown_runs, work


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"WANDB_API_KEY": "short"}, "the API key is malformed"),
        ({"WANDB_API_KEY": ""}, "no API key"),
        ({"WANDB_API_KEY": KEY}, f"{UNREACHABLE} does not answer"),
        ({"WANDB_API_KEY": KEY, "WANDB_MODE": "offline"}, "WANDB_MODE=offline"),
    ],
)
def test_what_cannot_go_online_goes_offline_at_once(tmp_path: Path, variables: dict[str, str], reason: str) -> None:
    answer = work(tmp_path, SHORT_JOB, timeout_s=10, **variables)
    assert answer.returncode == 0
    assert answer.stdout.startswith(f"W&B: offline ({reason}) in outputs/wandb/offline-run-")
    assert answer.stderr == ""


def test_a_host_that_is_not_w_and_b_leads_offline_and_leaves_no_empty_run(tmp_path: Path) -> None:
    job = """
import http.server, threading
class Other(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")
    do_POST = do_GET
    def log_message(self, *_): pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Other)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ["WANDB_BASE_URL"] = f"http://127.0.0.1:{server.server_port}"
from sekft.tracking import wandb_mirror
wandb_mirror.START_TIMEOUT_S = 3.0
"""
    answer = work(tmp_path, job + SHORT_JOB, WANDB_API_KEY=KEY)
    assert answer.returncode == 0, answer.stderr
    (run,) = shown_runs(tmp_path)
    assert f"in outputs/wandb/{run.name};" in answer.stdout
    assert len(records(run, "history")) == 1


@pytest.mark.parametrize("stdin", ["closed", "terminal"])
def test_nobody_is_asked(tmp_path: Path, stdin: str) -> None:
    above, below = pty.openpty()
    try:
        command = [sys.executable, "-c", OPENING + SHORT_JOB]
        if stdin == "closed":
            command = ["sh", "-c", 'exec "$@" <&-', "sh", *command]
        answer = subprocess.run(command, cwd=tmp_path, env=environment(tmp_path), stdin=below, stdout=below, stderr=below, timeout=20)
        seen = os.read(above, 10_000).decode()
    finally:
        os.close(above)
        os.close(below)
    assert answer.returncode == 0
    assert seen.startswith("W&B: offline (no API key) in ")
    assert len(seen.splitlines()) == 1


def test_a_dead_w_and_b_does_not_end_the_run(tmp_path: Path) -> None:
    job = """
import psutil
with mirror() as shown:
    for child in psutil.Process().children(recursive=True):
        if "wandb-core" in child.name():
            child.kill()
            child.wait()
    for step in range(3):
        shown.log({"train/loss": 1.0}, step)
    shown.summary({"verdict": "hold"})
print("still here")
"""
    answer = work(tmp_path, job)
    assert (answer.returncode, answer.stdout) == (0, "still here\n")
    assert answer.stderr.count("W&B is turned off for the rest of this run") == 1


def test_what_w_and_b_refuses_turns_the_mirror_off_once_and_the_rest_of_the_run_is_marked_well(tmp_path: Path) -> None:
    job = """
with mirror() as shown:
    shown.log({"train/loss": 1.0}, 1)
    shown.adapter(Path("missing"), {})
    shown.adapter(Path("missing"), {})
    shown.log({"train/loss": 1.0}, 2)
"""
    answer = work(tmp_path, job)
    assert answer.returncode == 0
    assert answer.stderr.count("W&B is turned off") == 1
    (run,) = shown_runs(tmp_path)
    assert overview(run)["exit_code"] == 0
    assert len(records(run, "history")) == 1


def test_an_unusable_folder_is_no_reason_to_stop(tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("a file")
    answer = work(tmp_path, SHORT_JOB)
    assert answer.returncode == 0
    assert answer.stdout.startswith("W&B: off (")
    assert "the run continues without it" in answer.stderr


def test_a_folder_of_another_name_holds_the_runs_one_level_down(tmp_path: Path) -> None:
    job = "with mirror(folder='elsewhere') as shown:\n    print(shown.message)"
    assert " in elsewhere/wandb/offline-run-" in work(tmp_path, job).stdout


@pytest.mark.parametrize(
    ("kind", "mode", "line"),
    [(Tracker.none, "online", "tracker: none"), (Tracker.wandb, "disabled", "W&B: off (WANDB_MODE=disabled).")],
)
def test_a_mirror_that_is_off_leaves_nothing_behind(tmp_path: Path, kind: Tracker, mode: str, line: str) -> None:
    job = f"""
with mirror(kind=Tracker.{kind.value}) as shown:
    shown.log({{"train/loss": 1.0}}, 1)
    shown.summary({{}})
    shown.episodes([{{"id": 1}}])
    shown.adapter(Path("missing"), {{}})
    print(shown.message)
"""
    answer = work(tmp_path, job, WANDB_MODE=mode)
    assert (answer.returncode, answer.stdout.strip(), answer.stderr) == (0, line, "")
    assert shown_runs(tmp_path) == []


def test_no_tracker_imports_no_wandb(tmp_path: Path) -> None:
    job = """
with mirror(kind=Tracker.none):
    print("wandb" in sys.modules)
"""
    assert work(tmp_path, job).stdout == "False\n"
