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

    name: str = MISSING  # the name of these settings in reports; e.g. r12
    r: int = at_least(0, default=MISSING)  # [rank] of the adapter's matrices; 0: no adapter, all weights of the base are trained; e.g. 12
    alpha: int = at_least(0, default=MISSING)  # [scale] the adapter's output is multiplied by alpha / r; e.g. 24
    dropout: float = between(0, 1, default=0.0)  # [share] of the adapter's inputs that is set to 0 in training; e.g. 0.05
    # the modules that get an adapter: all linear layers, or names separated by commas; e.g. 'q_proj,v_proj'
    target_modules: str = "all-linear"
    extra: dict[str, Any] = field(default_factory=dict)  # more fields of peft.LoraConfig; e.g. .use_rslora=true


@dataclass
class MaskConfig:
    """Which tokens are learned; docs/masks.md."""

    rule: MaskRule = MISSING  # which tokens are learned; mask=NAME sets it; e.g. final
    # [weight] rule=terminal_weighted: loss weight of the turn that leaves; other turns have 1
    terminal_weight: float = at_least(0, default=4.0)


@dataclass
class TrainerConfig:
    """The optimisation. A step is one update of the optimizer. Automatic settings follow the base: sekft/model/recipe.py."""

    max_steps: int = at_least(-1, default=-1, excluded=0)  # length of the training; -1: as many steps as epochs give; e.g. 100
    epochs: float = at_least(0, default=3.0, automatic=True)  # how often each row is read; trainer.max_steps wins; e.g. 2
    batch: int = at_least(1, default=4, automatic=True)  # [rows] one step learns from batch * accumulation rows
    max_tokens: int = at_least(1, default=1024, automatic=True)  # longest row; data.overlong decides about longer ones
    accumulation: int = at_least(1, default=1, automatic=True)  # [batches] per step; e.g. 4
    # [tokens] packed in one pass; null: 8192 on CUDA, else 1024; 0: padded; e.g. 4096
    tokens_per_batch: int | None = at_least(0, default=None)
    lr: float = at_least(0, default=2e-4, automatic=True)  # [per step] learning rate at its highest, after the warm-up; e.g. 1e-3
    schedule: Schedule = automatic(Schedule.linear)  # how the learning rate changes after the warm-up: it stays, or falls to 0; e.g. cosine
    # [share or steps] of the steps in which the learning rate rises: below 1 a share, else a number; e.g. 0.1
    warmup: float = at_least(0, default=0.03, automatic=True)
    # [share] of AdamW: the part of a weight that a step takes away, times the rate; e.g. 0.01
    weight_decay: float = at_least(0, default=0.0)
    max_grad_norm: float = at_least(0, default=1.0)  # [L2 norm] longer gradients are shortened to this; 0: never
    precision: Precision = Precision.auto  # of the computation; auto: bfloat16 where the device has it fast, else float32; e.g. bfloat16
    compile: bool = False  # use torch.compile
    checkpointing: bool | None = None  # recompute activations to save memory; null: on CUDA, if they would not fit
    context_frozen: bool = False  # mask=continuation only: no gradient through the context; see experiments/context_frozen.md first
    log_every_steps: int = at_least(1, default=1)  # how often loss and learning rate are written to metrics.jsonl; e.g. 10
    # [steps] between checkpoints, all kept; below 1: a share of all steps, the last two kept; 0: only the final adapter is saved; e.g. 50
    save_every_steps: float = at_least(0, default=0.0, automatic=True)
    val_every_steps: int = at_least(0, default=0, automatic=True)  # how often validation loss is measured; 0: before and after; e.g. 50
    resume_from: str | None = None  # a checkpoint folder of an earlier run; e.g. outputs/train/RUN/checkpoints/checkpoint-50
    # [share] of the steps after which training stops with a checkpoint; the schedule is that of all steps
    stop_at: float = between(0, 1, default=1.0)
    extra: dict[str, Any] = field(default_factory=dict)  # more fields of trl.SFTConfig; e.g. .neftune_noise_alpha=5


@dataclass
class BudgetConfig:
    """Limits of a run; 0: no limit. Training ends in good order after the step that reaches one; its schedule stays that of all steps."""

    max_steps: int = at_least(0, default=0)  # of the optimizer, those before a checkpoint included; e.g. 1000
    max_tokens: int = at_least(0, default=0)  # trained on, learned or not; counted like steps; e.g. 1000000
    max_wall_s: float = at_least(0, default=0.0)  # of the whole run, loading and evaluation included; anew when resumed; e.g. 3600
    max_disk_mb: float = at_least(0, default=0.0)  # of the run's folder; a checkpoint that would exceed it is not written; e.g. 2000


@dataclass
class RepairConfig:
    """After a training, the adapter is compared in development scenarios with its parent (adapter=) and the base; docs/heal.md."""

    scenarios: int = at_least(0, default=0)  # new ones of training archetypes to compare in; 0: no comparison; e.g. 96
    seed: int = at_least(0, default=0)  # [seed] of these scenarios; every iteration uses another; e.g. 1
    aimed: bool = True  # the next training data follows the episodes that failed; false: the ordinary mix, as a control
    tests: int = at_least(1, default=1)  # [comparisons] planned with a parent: p values are multiplied by this (Bonferroni)
    after: str | None = None  # the run whose iteration.json proposed this training; e.g. outputs/train/RUN
