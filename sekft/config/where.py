"""The settings of where a run runs."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Where = StrEnum("Where", "local resident torchrun ray slurm hf_job")
REMOTE = (Where.ray, Where.slurm, Where.hf_job)  # they only plan until live=true


@dataclass
class WhereConfig:
    """Training and evaluation apart, both looked at before anything starts; docs/where.md says what goes together."""

    train: Where = Where.local
    eval: Where = Where.local  # local, or where the training is; without an evaluation it counts for nothing
    processes: int = 1  # torchrun: that share the rows of every step
    wait: bool = True  # ray, slurm, hf_job: until it ends there, with its exit status; false: return once it is submitted
    folder: str | None = None  # hf_job: the folder of the run there; null: the one it has there by itself
    secrets: list[str] = field(default_factory=list)  # hf_job: variables of this environment that the job gets, such as WANDB_API_KEY
    options: dict[str, Any] = field(default_factory=dict)  # of ray.init and its task, of submitit's executor, of huggingface_hub's run_job
