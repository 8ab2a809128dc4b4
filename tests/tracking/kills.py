"""Trainings killed with SIGKILL at random moments and started again until they end: nothing false is recorded, nothing is lost.

python -m tests.tracking.kills kills=20 seed=0 sandbox=bwrap
"""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

import psutil
from safetensors import safe_open

from sekft.sandbox.backend.engine import OWNER
from sekft.tracking.condition import condition
from sekft.tracking.events import faults as audit_faults
from sekft.tracking.heartbeat import HEARTBEAT
from sekft.tracking.record import METRICS, RUN, SUMMARY
from tests.process import Command, start

EPISODES = 4
WORDS = (
    *(
        "-m",
        "lora=r4",
        "trainer.max_steps=8",
        "trainer.batch=2",
        "trainer.save_every_steps=1",
        "rehearsal=false",
        "split.train_scenarios=12",
    ),
    *(f"eval.episodes={EPISODES}", "eval.max_turns=12", "eval.max_reply_tokens=12", "eval.baselines=false", "tracker=none"),
)
ASIDE = ("seconds", "base_loads", "remembered", "tokens")  # of a summary: what depends on how often it was begun
GONE_S = 30.0


@dataclass
class Report:
    """stages: what the runs were at when they were killed; faults: every claim that does not hold, and every byte that differs."""

    undisturbed_s: float
    ended: int = 0
    stages: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


def kills(amount: int, seed: int, sandbox: str, folder: Path, say: Callable[[str], None] = print) -> Report:
    """Each run is killed and typed again until it ends before it is killed; then the next one begins, in a new folder."""
    random, started = Random(seed), time.monotonic()
    words = (*WORDS, f"sandbox={sandbox}")
    if _started(folder / "calm", words).wait():
        raise RuntimeError((folder / "calm" / "said").read_text())
    report = Report(time.monotonic() - started)
    calm = the_run(folder / "calm")
    assert calm is not None
    while report.stages.total() < amount:
        home, moment = folder / f"run{report.ended}", random.uniform(0, report.undisturbed_s)
        if (stage := _killed(home, words, moment)) is None:
            _ended(report, calm, home)
            continue
        report.stages[stage] += 1
        report.faults += (found := [f"kill {report.stages.total()}: {fault}" for fault in claims(home)])
        say(f"kill {report.stages.total()}: {home.name} after {moment:.1f} s, at {stage}; {len(found)} faults")
    if (home := folder / f"run{report.ended}").exists():
        _killed(home, words, None)
        _ended(report, calm, home)
    return report


def _ended(report: Report, calm: Path, home: Path) -> None:
    report.faults += [f"{home.name}: {fault}" for fault in differences(calm, the_run(home))]
    report.ended += 1


def _started(home: Path, words: Sequence[str]) -> subprocess.Popen[str] | Command:
    home.mkdir(exist_ok=True)
    with (home / "said").open("ab") as said:
        return start("sekft.train", *words, cwd=home, stdout=said, stderr=said, COLUMNS="120")


def _killed(home: Path, words: Sequence[str], moment: float | None) -> str | None:
    """The stage it was killed in; None if it ended before. moment: seconds after it was started; None: it is let to its end."""
    process = _started(home, words)
    try:
        status = process.wait(moment)
    except subprocess.TimeoutExpired:
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
        process.wait()
        psutil.wait_procs(family, GONE_S)
        if left := [child for child in family if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]:
            raise RuntimeError(f"{len(left)} processes outlive their owner, {left[0]} among them") from None
        if "sandbox=docker" in words:
            _require_no_container(process.pid)
        return stage_of(home)
    if status:
        raise RuntimeError(f"exit status {status}: {(home / 'said').read_text()[-2000:]}")
    return None


def _require_no_container(pid: int) -> None:
    """Of a killed process; an engine removes them in its own time."""
    import docker

    end, of_it = time.monotonic() + GONE_S, {"label": f"{OWNER}={socket.gethostname()}:{pid}"}
    while left := docker.from_env().containers.list(all=True, filters=of_it, ignore_removed=True):
        if time.monotonic() > end:
            raise RuntimeError(f"{len(left)} containers outlive their owner")
        time.sleep(0.2)


def stage_of(home: Path) -> str:
    run = the_run(home)
    if run is None or not (run / HEARTBEAT).exists():
        return "before"
    return str(json.loads((run / HEARTBEAT).read_text())["stage"])


def the_run(home: Path) -> Path | None:
    return next((file.parent for file in home.glob("outputs/train/*/0/run.json")), None)


def claims(home: Path) -> Iterator[str]:
    """What a killed run says that is not so, or that cannot be read."""
    for file in home.rglob("*"):
        if file.is_file() and (trouble := _unreadable(file)):
            yield f"{file.relative_to(home)}: {trouble}"
    if (run := the_run(home)) is None:
        return
    status, state = json.loads((run / RUN).read_text())["status"], condition(run, 600).state
    if (status, state) not in (("running", "dead"), ("done", "done")):
        yield f"run.json says {status}, sekft.status {state}"
    if status == "done":
        yield from audit_faults(run)
    if (run / SUMMARY).exists() and not json.loads((run / SUMMARY).read_text()).get("verdict"):
        yield "a summary without a verdict"
    if (run / SUMMARY).exists() and not (run / "episodes.jsonl").exists():
        yield "a summary without its episodes"
    if (run / "episodes.jsonl").exists() and (found := len((run / "episodes.jsonl").read_text().splitlines())) != 3 * EPISODES:
        yield f"{found} of {3 * EPISODES} episodes under the name of all of them"


def _unreadable(file: Path) -> str:
    """What is wrong with a file under its own name; a draft, which has another one, may be anything."""
    if file.name.endswith(".tmp") or any(part.endswith(".partial") and not part.endswith(".jsonl.partial") for part in file.parts):
        return ""
    if "checkpoints" in file.parts and not (file.parent / "whole.json").exists():
        return ""  # not one to go on from
    try:
        match file.suffix:
            case ".json":
                json.loads(file.read_text())
            case ".jsonl" | ".partial":
                text = file.read_text()
                [json.loads(line) for line in text.splitlines()]
                if text and not text.endswith("\n"):
                    return "ends in half a line"
            case ".safetensors":
                with safe_open(file, framework="numpy") as weights:
                    list(weights.keys())
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


def differences(calm: Path, run: Path | None) -> Iterator[str]:
    """Between a run that was never disturbed and one that ended after it was."""
    if run is None:
        yield "no run"
        return
    yield from audit_faults(run)
    for file in [*sorted((calm / "adapter").iterdir()), calm / "episodes.jsonl", calm / "report.html"]:
        own = run / file.relative_to(calm)
        if not own.exists() or own.read_bytes() != file.read_bytes():
            yield f"{file.relative_to(calm)} is another one"
    if (one := _summary(calm)) != (other := _summary(run)):
        yield f"summary.json differs in {', '.join(key for key in one if one[key] != other.get(key))}"
    if not (run / METRICS).read_text().endswith("\n"):
        yield "metrics.jsonl ends in half a line"


def _summary(run: Path) -> dict[str, Any]:
    told = json.loads((run / SUMMARY).read_text())
    return {key: value for key, value in told.items() if key not in ASIDE}


def main(arguments: Sequence[str]) -> int:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # a fork takes no threads along
    given = {"kills": "20", "seed": "0", "sandbox": "bwrap"} | dict(argument.split("=", 1) for argument in arguments)
    with tempfile.TemporaryDirectory(prefix="sekft-kills-") as folder:
        report = kills(int(given["kills"]), int(given["seed"]), given["sandbox"], Path(folder), lambda line: print(line, flush=True))
    print(*report.faults, sep="\n")
    stages = ", ".join(f"{stage} {count}" for stage, count in report.stages.items())
    print(f"{report.stages.total()} kills ({stages}) of {report.ended} runs; one takes {report.undisturbed_s:.0f} s undisturbed")
    print(f"  faults: {len(report.faults)}; every run ended as the undisturbed one: {not report.faults}")
    return 1 if report.faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
