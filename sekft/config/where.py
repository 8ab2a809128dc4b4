"""Settings of where a run is executed and which tracker shows it."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from omegaconf import MISSING

from sekft.config.bounds import at_least

Where = StrEnum("Where", "local resident torchrun ray slurm hf_job")
REMOTE = (Where.ray, Where.slurm, Where.hf_job)  # only planned without live=true
Tracker = StrEnum("Tracker", "wandb tensorboard none")


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
    name: str | None = None  # of the run; null: WANDB_NAME, else its folder; a sweep's jobs get their number behind it; e.g. first-try
    project: str | None = None  # the project that runs appear in; null: WANDB_PROJECT, else sekft; e.g. shells
    entity: str | None = None  # user or team at W&B; null: WANDB_ENTITY, else the account's default; e.g. lab
    group: str | None = None  # of runs; null: WANDB_RUN_GROUP, else the sweep's folder, and none outside a sweep; e.g. ranks
    tags: list[str] = field(default_factory=list)  # besides the chosen options, such as model=tiny; empty: WANDB_TAGS; e.g. [baseline]
    notes: str | None = None  # a text about the run; null: WANDB_NOTES; e.g. 'before the data fix'
    folder: str = "outputs/wandb"  # the tracker's own files, also of runs that are not sent yet; e.g. /tmp/wandb
    upload_adapter: bool = True  # W&B: send the adapter as an artifact of the run
