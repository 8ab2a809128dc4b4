"""sekft's scenarios inside Inspect and verifiers, with the packages themselves, in the environments that scripts/neighbours.sh makes."""

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sekft import api
from sekft.eval.rates import CRITERIA

ENVIRONMENTS = Path(__file__).parents[1] / ".venv-neighbours"
pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.skipif(not ENVIRONMENTS.exists() and "CI" not in os.environ, reason="sh scripts/neighbours.sh was not run"),
]
N = 4

INSPECT = """
import json, sys
from inspect_ai import eval as run
from sekft.inspect import scenarios
task = scenarios("test", n=4, overrides="sandbox=bwrap")
(log,) = run(task, model="openai-api/scripted/scripted", model_base_url=sys.argv[1], max_samples=1, display="none", log_dir=sys.argv[2])
assert log.status == "success", log.error
metrics = {score.name: {name: metric.value for name, metric in score.metrics.items()} for score in log.results.scores}
print(json.dumps({"metrics": metrics, "messages": [[message.text for message in sample.messages] for sample in log.samples]}))
"""

VERIFIERS = """
import asyncio, json, sys
import verifiers.v1 as vf
from verifiers.v1.cli.eval.runner import run_eval
from verifiers.v1.configs.cli.eval import EvalConfig
env = {"taskset": {"id": "sekft-verifiers", "scenarios": "test", "n": 4, "overrides": ["sandbox=bwrap"]}}
config = EvalConfig.model_validate(
    {"env": env, "model": "scripted", "client": {"base_url": sys.argv[1]}, "max_concurrent": 1, "rich": None, "push": False,
     "output_dir": sys.argv[2]}
)
assert type(vf.load_environment(config.env)).__name__ == "Environment"
traces = [episode.traces[0] for episode in asyncio.run(run_eval(config))]
print(json.dumps([{"id": t.task.data.id, "rewards": {k: r.value if hasattr(r, "value") else r for k, r in t.rewards.items()},
                   "metrics": t.metrics, "errors": [e.message for e in t.errors], "turns": len(t.calls)} for t in traces]))
"""


def inside(framework: str, script: str, *words: str, cwd: Path) -> dict | list:
    environment = {**os.environ, "OPENAI_API_KEY": "none", "SCRIPTED_API_KEY": "none"}
    done = subprocess.run(
        [ENVIRONMENTS / framework / "bin" / "python", "-c", script, *words],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def scripted() -> Iterator[str]:
    """An endpoint that types the references of the first N test scenarios, one after the other."""
    lines = (line for scenario in api.draw_scenarios("test", N) for line in scenario.reference)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            message = {"role": "assistant", "content": next(lines)}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
            body = {"id": "1", "object": "chat.completion", "created": 0, "model": "scripted", "choices": [choice], "usage": usage}
            answer = json.dumps(body).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()


def test_inspect_plays_the_scenarios_and_scores_them_as_we_do(tmp_path: Path, scripted: str):
    log = inside("inspect", INSPECT, scripted, str(tmp_path), cwd=tmp_path)
    assert {name: metric["mean"] for name, metric in log["metrics"].items()} == {**dict.fromkeys(CRITERIA, 1.0), "false_panic": 0.0}
    played = [list(scenario.reference) for scenario in api.draw_scenarios("test", N)]
    assert [messages[1::2] for messages in log["messages"]] == played


def test_verifiers_plays_the_scenarios_and_rewards_what_is_verified(tmp_path: Path, scripted: str):
    traces = inside("verifiers", VERIFIERS, scripted, str(tmp_path), cwd=tmp_path)
    scenarios = api.draw_scenarios("test", N)
    assert [trace["errors"] for trace in traces] == [[]] * N
    assert [trace["rewards"] for trace in traces] == [{"verified": 1.0}] * N
    assert [(trace["id"], trace["turns"]) for trace in traces] == [(scenario.id, len(scenario.reference)) for scenario in scenarios]
