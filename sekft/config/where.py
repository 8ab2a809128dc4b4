"""Settings of where a run is executed and which tracker shows it."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from omegaconf import MISSING

from sekft.config.bounds import at_least

Where = StrEnum("Where", "local resident torchrun ray slurm hf_job")
REMOTE = (Where.ray, Where.slurm, Where.hf_job)  # only planned without live=true
Tracker = StrEnum("Tracker", "wandb none")


@dataclass
class WhereConfig:
    """Where training and evaluation run; both are checked before anything starts. docs/where.md lists the allowed pairs."""

    train: Where = Where.local
    eval: Where = Where.local  # local, or the same as train; ignored without an evaluation
    processes: int = at_least(1, default=1)  # torchrun: processes that share the rows of every step
    wait: bool = True  # ray, slurm, hf_job: wait for the end and return its exit status; false: return after the submission
    folder: str | None = None  # hf_job: the run's folder inside the job; null: the job's default
    secrets: list[str] = field(default_factory=list)  # hf_job: names of environment variables to hand over, such as WANDB_API_KEY
    options: dict[str, Any] = field(default_factory=dict)  # for ray.init and ray.remote, submitit's executor, or huggingface_hub's run_job


@dataclass
class TrackerConfig:
    """Where a run is shown besides its own files."""

    kind: Tracker = MISSING
    project: str = "sekft"
    folder: str = "outputs/wandb"
    upload_adapter: bool = True
