"""The commands of the prompt of a resident base: run in this process, or sent to a service on a socket."""

import importlib
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol

from sekft.cli.recorded import recorded_run
from sekft.config.commands import COMMANDS
from sekft.config.job import Job
from sekft.data import decision
from sekft.where.resident import follow, request, run_job

PROGRAMS = {  # command of sekft -> help text
    "train": "train an adapter and evaluate it: train lora=r8 trainer.lr=1e-4; -m for several",
    "eval": "evaluate: eval 1 (the first of `list`), eval outputs/train/RUN, eval adapter=FOLDER eval=full",
    "collect": "play scenarios and record the episodes",
    "check": "lint scenarios",
    "preview": "paint training rows",
    "compare": "runs side by side",
}
BUILT_IN = {"help": "this list", "exit": "leave; so does Ctrl-D"}  # handled by the prompt itself
INTERRUPTED = 130  # exit status after Ctrl-C


class CommandSet(Protocol):
    """The commands that a prompt offers."""

    @property
    def commands(self) -> Mapping[str, str]:
        """Help text by command, without those of BUILT_IN."""

    def run(self, words: Sequence[str]) -> int:
        """Run a line whose first word is one of `commands`; returns the exit status."""


def execute(command_set: CommandSet, line: str) -> int:
    """Run one typed line; returns its exit status. An unknown command is one line on stderr and status 1."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:
        return print_error(f"{line!r}: {error}")
    if words == ["help"]:
        print("\n".join(f"  {name:<8} {text}" for name, text in {**command_set.commands, **BUILT_IN}.items()))
    elif words and words[0] not in command_set.commands:
        return print_error(f"{words[0]}: not a command; allowed: {', '.join([*command_set.commands, *BUILT_IN])}")
    elif words:
        return command_set.run(words)
    return 0


def print_error(message: str) -> int:
    """Print one line to stderr; returns the exit status 1."""
    print(f"sekft.resident: {message}", file=sys.stderr, flush=True)
    return 1


@dataclass(frozen=True)
class FinishedRun:
    folder: Path
    command: str
    verdict: str


@dataclass(frozen=True)
class LocalCommands:
    """Commands that run in this process, on the base it holds.

    base_words: the overrides that chose the base, e.g. model=tiny. finished: the runs so far; record_run() appends to it.
    """

    base_words: tuple[str, ...]
    finished: list[FinishedRun] = field(default_factory=list)
    commands = PROGRAMS | {
        "list": "the runs of this prompt: number, folder, verdict",
        "status": "the base in memory, and how much memory it takes",
        "drop": "remove the base from memory; the next command that needs one loads it",
    }

    def run(self, words: Sequence[str]) -> int:
        match words:
            case ["list"]:
                print(
                    "\n".join(f"  {number} {run.folder}  {run.verdict}" for number, run in enumerate(self.finished, 1)) or "  nothing yet"
                )
            case ["status"]:
                print(f"  {describe_base()}")
            case ["drop"]:
                drop_base()
            case [command, *rest] if command in PROGRAMS:
                return self.run_program(command, self.overrides(command, rest))
            case _:
                return print_error(f"{' '.join(words)}: {words[0]} takes no arguments")
        return 0

    def overrides(self, command: str, words: Sequence[str]) -> list[str]:
        """The overrides of a command: those of the base first, unless the command has no base or repeats a recorded run."""
        if recorded_run(words):
            return list(words)
        resolved = resolve_run(command, words, {str(number): run.folder for number, run in enumerate(self.finished, 1)})
        takes_base = "model" in {setting.name for setting in fields(COMMANDS[command])}
        return [*(self.base_words if takes_base else ()), *resolved]

    def record_run(self, command: str, job: Job, summary: Any) -> None:
        """A listener of cli.launch: add the run to the list when it ends. summary: None when the run starts."""
        if summary is not None:
            self.finished.append(FinishedRun(job.folder, command, str(summary.get("verdict", "done"))))

    def run_program(self, command: str, words: Sequence[str]) -> int:
        """Run `python -m sekft.<command> <words>` in this process; returns its exit status."""
        sys.argv = [f"sekft-{command}", *words]
        try:
            importlib.import_module(f"sekft.{command}.__main__").main()
        except SystemExit as end:
            return end.code if isinstance(end.code, int) else int(end.code is not None)
        return 0


def resolve_run(command: str, words: Sequence[str], runs: Mapping[str, Path]) -> list[str]:
    """Replace the run in `eval 2` or `eval outputs/train/RUN` by the override of its adapter. runs: folders by number."""
    if command != "eval" or not words or "=" in words[0] or words[0].startswith("-"):
        return list(words)
    run = runs.get(words[0], Path(words[0]))
    return [f"adapter={run / 'adapter' if (run / 'adapter').is_dir() else run}", *words[1:]]


def describe_base() -> str:
    """One line about the base in memory."""
    from sekft.model import base as bases

    base = bases.resident()
    loads = f"{bases.base_loads()} loaded so far"
    return f"{base.config.name} on {base.device} from {base.folder}; {base.memory_line()}; {loads}" if base else f"no base; {loads}"


def drop_base() -> None:
    from sekft.model import base as bases

    bases.unload()


@dataclass(frozen=True)
class RemoteCommands:
    """Commands that are sent to the service of a resident base. socket: its Unix socket."""

    socket: Path
    commands = PROGRAMS | {
        "list": "the jobs: number, status, command",
        "status": "the base in memory, the running job, the waiting jobs",
        "follow": "the output of a job from its beginning: follow 3",
        "losses": "the loss of a job by step: losses 3",
        "post": "add decision points to learn from: post FILE.jsonl",
        "teach": "train on the decision points that wait: teach lora=r8 adapter=FOLDER",
        "cancel": "stop a running job, or remove a waiting one: cancel 3",
        "drop": "remove the base from memory; the next command that needs one loads it",
    }

    def run(self, words: Sequence[str]) -> int:
        match words:
            case ["list"]:
                for job in request(self.socket, "GET", "/jobs"):
                    error = f"  ({job['error']})" if job["error"] else ""
                    print(f"  {job['job']} {job['status']:<9} {shlex.join(job['words'])}{error}")
            case ["status"]:
                print("\n".join(f"  {key}: {value}" for key, value in request(self.socket, "GET", "/status").items()))
            case ["follow", job]:
                return follow(self.socket, job)
            case ["losses", job]:
                for line in request(self.socket, "GET", f"/jobs/{job}/losses"):
                    print(f"  {line['step']:>6} {line['train/loss']:.4f}  {line['run']}")
            case ["post", file]:
                for point in decision.load(Path(file)):
                    sample = request(self.socket, "POST", "/samples", point.model_dump(mode="json"))
                    print(f"  {sample['id']}  {'used by job ' + sample['job'] if sample['job'] else 'waits'}")
            case ["teach", *rest]:
                return run_job(self.socket, "train", rest, samples=True)
            case ["cancel", job]:
                print(f"  {request(self.socket, 'DELETE', f'/jobs/{job}')['status']}")
            case [command, *rest] if command in (*PROGRAMS, "drop"):
                return run_job(self.socket, command, resolve_run(command, rest, self.newest_runs()))
            case _:
                return print_error(f"{' '.join(words)}: wrong arguments; `help` shows those of {words[0]}")
        return 0

    def newest_runs(self) -> dict[str, Path]:
        """The folder of the newest run of each job, by job number."""
        return {job["job"]: Path(job["runs"][-1]) for job in request(self.socket, "GET", "/jobs") if job["runs"]}
