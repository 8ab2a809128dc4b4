"""Settings of a training: adapter, mask, optimisation, budget, and the repair that may follow."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from omegaconf import MISSING

from sekft.config.bounds import at_least, automatic, between

MaskRule = StrEnum("MaskRule", "assistant final terminal_only terminal_weighted succeeded continuation everything")
Precision = StrEnum("Precision", "auto float32 bfloat16")
Schedule = StrEnum("Schedule", "constant linear cosine")
Start = StrEnum("Start", "bootstrap continue resume release")


@dataclass
class LoraConfig:
    """The adapter, in PEFT's terms."""

    name: str = MISSING
    r: int = at_least(0, default=MISSING)  # rank; 0: no adapter, all weights of the base are trained
    alpha: int = MISSING  # the adapter's output is scaled by alpha / r
    dropout: float = between(0, 1, default=0.0)
    target_modules: str = "all-linear"  # or module names, separated by commas
    extra: dict[str, Any] = field(default_factory=dict)  # more fields of peft.LoraConfig


@dataclass
class MaskConfig:
    """Which tokens are learned; docs/masks.md."""

    rule: MaskRule = MISSING
    terminal_weight: float = at_least(0, default=4.0)  # rule=terminal_weighted: loss weight of the turn that leaves; other turns have 1


@dataclass
class TrainerConfig:
    """The optimisation. A step is one update of the optimizer. Automatic settings follow the base: sekft/model/recipe.py."""

    max_steps: int = at_least(-1, default=-1, excluded=0)  # -1: as many as epochs give
    epochs: float = at_least(0, default=3.0, automatic=True)
    batch: int = at_least(1, default=4, automatic=True)  # rows; one step learns from batch * accumulation rows
    max_tokens: int = at_least(1, default=1024, automatic=True)  # longest row; data.overlong decides about longer ones
    accumulation: int = at_least(1, default=1, automatic=True)  # batches per step
    tokens_per_batch: int | None = at_least(0, default=None)  # of packed rows in one forward pass; null: 8192 on CUDA, else 1024; 0: padded
    lr: float = at_least(0, default=2e-4, automatic=True)
    schedule: Schedule = automatic(Schedule.linear)
    warmup: float = at_least(0, default=0.03, automatic=True)  # below 1: a share of the steps; else a number of steps
    weight_decay: float = at_least(0, default=0.0)
    max_grad_norm: float = at_least(0, default=1.0)
    precision: Precision = Precision.auto
    compile: bool = False  # torch.compile
    checkpointing: bool | None = None  # recompute activations to save memory; null: on CUDA, if they would not fit
    context_frozen: bool = False  # mask=continuation only: no gradient through the context; see experiments/context_frozen.md first
    log_every_steps: int = at_least(1, default=1)
    # steps between checkpoints, of which the last two are kept; below 1: a share of all steps; 0: only the final adapter is saved
    save_every_steps: float = at_least(0, default=0.0, automatic=True)
    val_every_steps: int = at_least(0, default=0, automatic=True)  # 0: validation loss only before and after training
    resume_from: str | None = None  # a checkpoint folder of an earlier run
    stop_at: float = between(0, 1, default=1.0)  # stop with a checkpoint after this share of the steps; the schedule is that of all steps
    extra: dict[str, Any] = field(default_factory=dict)  # more fields of trl.SFTConfig


@dataclass
class BudgetConfig:
    """Limits of a run; 0: no limit. Training ends in good order after the step that reaches one; its schedule stays that of all steps."""

    max_steps: int = at_least(0, default=0)  # of the optimizer; a training that continues a checkpoint counts the steps before it
    max_tokens: int = at_least(0, default=0)  # trained on, learned or not; counted like steps
    max_wall_s: float = at_least(0, default=0.0)  # of the whole run, loading and evaluation included; a resumed run starts from 0
    max_disk_mb: float = at_least(0, default=0.0)  # of the run's folder; a checkpoint that would exceed it is not written


@dataclass
class RepairConfig:
    """After a training, the adapter is compared in development scenarios with its parent (adapter=) and the base; docs/heal.md."""

    scenarios: int = at_least(0, default=0)  # development scenarios, which are new ones of training archetypes; 0: no comparison
    seed: int = at_least(0, default=0)  # of these scenarios; every iteration uses another
    aimed: bool = True  # the next training data follows the episodes that failed; false: the ordinary mix, as a control
    tests: int = at_least(1, default=1)  # planned comparisons with a parent: p values are multiplied by this (Bonferroni)
    after: str | None = None  # the run whose iteration.json proposed this training
