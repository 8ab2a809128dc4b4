"""What a command gets beside its settings: the job, and the two function types that every command shares."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CONFIG_DIR = "config_dir"  # in Job.facts and run.json: the absolute path that --config-dir gave
Report = Callable[[str], None]  # prints one line to the person at the terminal


@dataclass(frozen=True)
class Job:
    """One run of a command as Hydra composed it, without its settings."""

    folder: Path  # the run directory
    name: str
    group: str | None  # the name of the sweep's folder; None outside a sweep
    overrides: tuple[str, ...]
    choices: tuple[str, ...]  # group=option, as chosen
    sweep: Path | None = None  # the folder of all jobs of the sweep
    checkpoint: Path | None = None  # training resumes from it
    facts: Mapping[str, Any] = field(default_factory=dict)  # for run.json: --config-dir, the training's start, which run it repeats


RunFunction = Callable[[Any, Job], Any]  # runs a command: (settings, job) -> summary
