"""The command line that goes on with a command that was interrupted."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from sekft.cli.quoting import quoted
from sekft.config.job import Job
from sekft.tracking import records
from sekft.tracking.record import RUN

INTERACTIVE = ("chat", "resident", "serve", "status")  # an interrupt is how they end
ELSEWHERE = ("where", "live", "resident")  # settings that are not part of what is resumed
CONTINUE_IN_FOLDER = ("collect", "eval", "pretrain")  # the same line, in the folder that the interrupted one wrote to


def line(command: str, words: Sequence[str], job: Job | None) -> str:
    """The line to type; empty for an interactive command. words: as typed. job: the last one that began; None if none did.

    A training is resumed from its record; a repetition starts again, as it compares whole runs. A sweep finds its folder by its own line.
    """
    if command in INTERACTIVE:
        return ""
    if job is not None and job.sweep is None and (job.folder / RUN).is_file():
        if command == "train" and _is_interrupted(job.folder) and not any(word.startswith("replay=") for word in words):
            return resume(job.folder, [word for word in words if word.split("=")[0].split(".")[0] in ELSEWHERE])
        if command in CONTINUE_IN_FOLDER and not any(word.startswith("hydra.run.dir=") for word in words):
            words = [*words, f"hydra.run.dir={_quoted(job.folder)}"]
    return shlex.join(["python", "-m", f"sekft.{command}", *words])


def resume(folder: Path, elsewhere: Sequence[str] = ()) -> str:
    """The line that resumes an interrupted training, which has its record in this folder. elsewhere: the words that say where it runs."""
    return shlex.join(["python", "-m", "sekft.train", "start=resume", f"parent={_quoted(folder)}", *elsewhere])


def _is_interrupted(folder: Path) -> bool:
    record = records.run(folder)
    return record.command == "train" and record.status != "done"


def _quoted(path: Path) -> str:
    """As a value of an override: Hydra needs quotes around blanks, commas and the like."""
    text = str(path)
    return text if all(sign.isalnum() or sign in "/._-" for sign in text) else quoted(text)
