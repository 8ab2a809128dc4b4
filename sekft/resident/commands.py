"""A desk with a base on it: commands in the words of the commands, done in this process, one after another."""

import importlib
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Protocol

from sekft.cli.recorded import stands_for
from sekft.config.commands import COMMANDS
from sekft.config.job import Job
from sekft.data import decision
from sekft.where.resident import ask, do, follow

WORK = {
    "train": "train an adapter and evaluate it: train lora=r8 trainer.lr=1e-4; -m for several",
    "eval": "evaluate: eval 1 (the first of `list`), eval outputs/train/RUN, eval adapter=FOLDER eval=full",
    "collect": "play scenarios and record the episodes",
    "check": "lint scenarios",
    "preview": "paint training rows",
    "compare": "runs side by side",
}
ALWAYS = {"help": "this", "exit": "leave; so does Ctrl-D"}
INTERRUPTED = 130


@dataclass(frozen=True)
class Done:
    folder: Path
    command: str
    verdict: str


class Desk(Protocol):
    """commands: name and story of everything it can do besides help and exit."""

    @property
    def commands(self) -> Mapping[str, str]: ...

    def do(self, words: Sequence[str]) -> int:
        """The exit status of a command, as its command has it on a command line of its own."""


def obey(desk: Desk, line: str) -> int:
    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:
        return refuse(f"{line!r}: {error}")
    if words == ["help"]:
        print("\n".join(f"  {name:<8} {story}" for name, story in {**desk.commands, **ALWAYS}.items()))
    elif words and words[0] not in desk.commands:
        return refuse(f"{words[0]}: allowed: {', '.join([*desk.commands, *ALWAYS])}")
    elif words:
        return desk.do(words)
    return 0


def refuse(said: str) -> int:
    print(f"sekft.resident: {said}", file=sys.stderr, flush=True)
    return 1


@dataclass(frozen=True)
class Here:
    """about: the base, as it was typed. done grows."""

    about: tuple[str, ...]
    done: list[Done] = field(default_factory=list)
    commands = WORK | {
        "list": "what ran here: number, folder, verdict",
        "status": "the base in memory, and how much of that it takes",
        "drop": "take the base out of memory; the next command that wants one loads it",
    }

    def do(self, words: Sequence[str]) -> int:
        match words:
            case ["list"]:
                print("\n".join(f"  {number} {one.folder}  {one.verdict}" for number, one in enumerate(self.done, 1)) or "  nothing yet")
            case ["status"]:
                print(f"  {held()}")
            case ["drop"]:
                drop()
            case [command, *told] if command in WORK:
                return self.work(command, self.meant(command, told))
            case _:
                return refuse(f"{' '.join(words)}: {words[0]} stands by itself")
        return 0

    def meant(self, command: str, told: Sequence[str]) -> list[str]:
        """The base is the one that is kept, if the command has one; a line that stands for a run's has that run's."""
        if stands_for(told):
            return list(told)
        words = about_a_run(command, told, {str(number): one.folder for number, one in enumerate(self.done, 1)})
        return [*(self.about if "model" in {one.name for one in fields(COMMANDS[command])} else ()), *words]

    def hear(self, command: str, job: Job, summary: Any) -> None:
        if summary is not None:
            self.done.append(Done(job.folder, command, str(summary.get("verdict", "done"))))

    def work(self, command: str, words: Sequence[str]) -> int:
        sys.argv = [f"sekft-{command}", *words]
        try:
            importlib.import_module(f"sekft.{command}.__main__").main()
        except SystemExit as left:
            return left.code if isinstance(left.code, int) else int(left.code is not None)
        return 0


def about_a_run(command: str, told: Sequence[str], runs: Mapping[str, Path]) -> list[str]:
    """`eval 2` and `eval outputs/train/RUN` are about that run's adapter. runs: by number."""
    if command != "eval" or not told or "=" in told[0] or told[0].startswith("-"):
        return list(told)
    run = runs.get(told[0], Path(told[0]))
    return [f"adapter={run / 'adapter' if (run / 'adapter').is_dir() else run}", *told[1:]]


def held() -> str:
    from sekft.model import base as bases

    kept = bases.kept()
    loads = f"{bases.base_loads()} loaded so far"
    return f"{kept.config.name} on {kept.device} from {kept.folder}; {kept.memory_line()}; {loads}" if kept else f"no base; {loads}"


def drop() -> None:
    from sekft.model import base as bases

    bases.drop()


@dataclass(frozen=True)
class There:
    """A desk at the socket of a resident base."""

    socket: Path
    commands = WORK | {
        "list": "the jobs: number, what became of it, command",
        "status": "the base in memory, what runs, what waits",
        "follow": "what a job prints, from its beginning: follow 3",
        "losses": "the loss of a job by step: losses 3",
        "post": "decision points to learn from, each once: post FILE.jsonl",
        "teach": "train on those that wait: teach lora=r8 adapter=FOLDER",
        "cancel": "stop a job that runs, forget one that waits: cancel 3",
        "drop": "take the base out of memory; the next command that wants one loads it",
    }

    def do(self, words: Sequence[str]) -> int:
        match words:
            case ["list"]:
                for job in ask(self.socket, "GET", "/jobs"):
                    why = f"  ({job['error']})" if job["error"] else ""
                    print(f"  {job['job']} {job['status']:<9} {shlex.join(job['words'])}{why}")
            case ["status"]:
                print("\n".join(f"  {key}: {value}" for key, value in ask(self.socket, "GET", "/status").items()))
            case ["follow", job]:
                return follow(self.socket, job)
            case ["losses", job]:
                for line in ask(self.socket, "GET", f"/jobs/{job}/losses"):
                    print(f"  {line['step']:>6} {line['train/loss']:.4f}  {line['run']}")
            case ["post", file]:
                for point in decision.load(Path(file)):
                    known = ask(self.socket, "POST", "/samples", point.model_dump(mode="json"))
                    print(f"  {known['id']}  {known['job'] and 'learned from by job ' + known['job'] or 'waits'}")
            case ["teach", *told]:
                return do(self.socket, "train", told, samples=True)
            case ["cancel", job]:
                print(f"  {ask(self.socket, 'DELETE', f'/jobs/{job}')['status']}")
            case [command, *told] if command in (*WORK, "drop"):
                return do(self.socket, command, about_a_run(command, told, self.runs()))
            case _:
                return refuse(f"{' '.join(words)}: {words[0]} wants the number of a job, or nothing; see `help`")
        return 0

    def runs(self) -> dict[str, Path]:
        """The youngest run of each job."""
        return {job["job"]: Path(job["runs"][-1]) for job in ask(self.socket, "GET", "/jobs") if job["runs"]}
