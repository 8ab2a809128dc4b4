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

    train: Where = Where.local  # where the training runs; where=NAME sets it together with its options
    eval: Where = Where.local  # where the evaluation runs: local, or the same as train; ignored without an evaluation
    processes: int = at_least(1, default=1)  # [processes] torchrun: they share the rows of every step
    wait: bool = True  # ray, slurm, hf_job: wait for the end and return its exit status; false: return after the submission
    folder: str | None = None  # hf_job: the run's folder inside the job; null: the job's default; e.g. /runs/one
    secrets: list[str] = field(default_factory=list)  # hf_job: names of environment variables to hand over; e.g. [WANDB_API_KEY]
    # for ray.init and ray.remote, submitit's executor, or huggingface_hub's run_job; e.g. .num_gpus=1
    options: dict[str, Any] = field(default_factory=dict)


@dataclass
class TrackerConfig:
    """Where a run is shown besides its own files."""

    kind: Tracker = MISSING  # which tracker; tracker=NAME sets it; e.g. none
    project: str = "sekft"  # the project that runs appear in; e.g. shells
    folder: str = "outputs/wandb"  # the tracker's own files, also of runs that are not sent yet; e.g. /tmp/wandb
    upload_adapter: bool = True  # send the adapter as an artifact of the run
