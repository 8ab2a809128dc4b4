"""Keep the base hot: train and examine adapters on it, one command after another, in the words of the verbs."""

import importlib
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from sekft.command import prompt
from sekft.command.launch import Job, launch, listeners
from sekft.config.resident import ResidentConfig
from sekft.config.verbs import VERBS

AT_WORK = {
    "train": "train an adapter and examine it: train lora=r8 trainer.lr=1e-4; -m for several",
    "eval": "examine: eval 1 (the first of `list`), eval outputs/train/RUN, eval adapter=FOLDER eval=full",
    "collect": "play worlds and record the lives",
    "check": "lint worlds",
    "preview": "paint training rows",
    "compare": "runs side by side",
}
AT_DESK = {
    "list": "what ran here: number, folder, verdict",
    "status": "the base in memory, and how much of that it takes",
    "drop": "take the base out of memory; the next command that wants one loads it",
    "help": "this",
    "exit": "leave; so does Ctrl-D",
}
INTERRUPTED = 130


@dataclass(frozen=True)
class Done:
    folder: Path
    verb: str
    verdict: str


@dataclass(frozen=True)
class Desk:
    """about: the base, as it was typed. done grows."""

    about: tuple[str, ...]
    done: list[Done] = field(default_factory=list)

    def obey(self, line: str) -> int:
        """One command; its exit status, as its verb has it on a command line of its own."""
        try:
            words = shlex.split(line, comments=True)
        except ValueError as error:
            return self.refuse(f"{line!r}: {error}")
        match words:
            case []:
                return 0
            case ["help"]:
                print("\n".join(f"  {name:<8} {story}" for name, story in (AT_WORK | AT_DESK).items()))
            case ["list"]:
                print("\n".join(f"  {number} {one.folder}  {one.verdict}" for number, one in enumerate(self.done, 1)) or "  nothing yet")
            case ["status"]:
                print(f"  {held()}")
            case ["drop"]:
                drop()
            case [verb, *told] if verb in AT_WORK:
                return self.work(verb, self.meant(verb, told))
            case [word, *_]:
                return self.refuse(f"{word}: allowed: {', '.join(AT_WORK | AT_DESK)}")
        return 0

    def refuse(self, said: str) -> int:
        print(f"sekft.resident: {said}", file=sys.stderr, flush=True)
        return 1

    def meant(self, verb: str, told: Sequence[str]) -> list[str]:
        """`eval 2` and `eval outputs/train/RUN` are about that run's adapter; the base is the one that is kept."""
        words = list(told)
        if verb == "eval" and words and "=" not in words[0] and not words[0].startswith("-"):
            run = words.pop(0)
            if run.isdecimal() and 0 < int(run) <= len(self.done):
                run = str(self.done[int(run) - 1].folder)
            words.insert(0, f"adapter={Path(run) / 'adapter' if (Path(run) / 'adapter').is_dir() else run}")
        return [*(self.about if "model" in {one.name for one in fields(VERBS[verb])} else ()), *words]

    def hear(self, verb: str, job: Job, summary: Any) -> None:
        self.done.append(Done(job.folder, verb, str(summary.get("verdict", "done"))))

    def work(self, verb: str, words: Sequence[str]) -> int:
        sys.argv = [f"sekft-{verb}", *words]
        try:
            importlib.import_module(f"sekft.{verb}").main()
        except SystemExit as left:
            return left.code if isinstance(left.code, int) else int(left.code is not None)
        return 0


def held() -> str:
    from sekft.model import base as bases

    kept = bases.kept()
    loads = f"{bases.base_loads()} loaded so far"
    return f"{kept.config.name} on {kept.device} from {kept.folder}; {kept.memory_line()}; {loads}" if kept else f"no base; {loads}"


def drop() -> None:
    from sekft.model import base as bases

    bases.drop()


def session(settings: ResidentConfig, about: Sequence[str]) -> int:
    """The status of the first command that failed, if nobody sat there; a person has seen it."""
    from sekft.model import base as bases

    bases.load(settings.model)
    desk, failed = Desk(tuple(about)), 0
    listeners.append(desk.hear)
    print(f"{held()}\n`help` lists the commands.", flush=True)
    for line in prompt.lines((*AT_WORK, *AT_DESK), prompt.history_file("history")):
        if line.strip() == "exit":
            break
        status = desk.obey(line)
        failed = failed or status
        if status == INTERRUPTED and not sys.stdin.isatty():
            break
    return 0 if sys.stdin.isatty() else failed


def main() -> None:
    begun: list[tuple[ResidentConfig, Job]] = []
    launch("resident", lambda settings, job: begun.append((settings, job)))
    if begun:
        settings, job = begun[0]
        sys.exit(session(settings, [word for word in job.overrides if word.split("=")[0].split(".")[0] == "model"]))


if __name__ == "__main__":
    main()
