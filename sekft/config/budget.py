"""What a training may use up; see docs/trust.md for what happens where it is reached."""

from dataclasses import dataclass


@dataclass
class BudgetConfig:
    """0: no limit. Training ends in good order after the step that reached one; its schedule stays that of all steps."""

    max_steps: int = 0  # of the optimizer; a training that goes on from a checkpoint counts those before it
    max_tokens: int = 0  # that went through training, learned from or not; counted like steps
    max_wall_s: float = 0.0  # of the run from its begin, loading and evaluation included; a run that goes on begins anew
    max_disk_mb: float = 0.0  # of the run's folder: no checkpoint is written over it
