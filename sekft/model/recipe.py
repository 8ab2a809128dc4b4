"""The rule of trainer=auto: the optimisation that fits a base, from its size, its context, and what is trained.

Covers: learning rate, schedule, warm-up, epochs, rows per step, longest row, checkpoints, validation. What depends on the memory of the
machine (model.dtype, trainer.checkpointing, trainer.tokens_per_batch) is decided where that memory is known. The rate of an adapter hardly
depends on its rank, and is about ten times that of all weights; steps of fewer than 32 rows suit adapters (LoRA Without Regret, 2025).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sekft.config import Schedule
from sekft.config.automatic import Choice
from sekft.model.shape import Size, size_of

PREFIX = "trainer."
UNKNOWN = 7e9  # parameters assumed where neither config.json nor model.parameters states them
LONGEST_ROW = 8192  # tokens
SAVE_EVERY = 0.1  # of the steps
ALL_WEIGHTS = 0.1  # the rate for all weights, as a share of an adapter's


@dataclass(frozen=True)
class Recipe:
    """A line of the rule, for bases of up to so many parameters. validate_every: steps between validations; 0: none."""

    up_to: float
    name: str
    lr: float  # of an adapter
    accumulation: int
    validate_every: int
    source: str  # of the rate


RECIPES = (
    Recipe(20e6, "up to 20 M", 2e-3, 1, 0, "experiments/lr_x_rank.md"),
    Recipe(500e6, "20 to 500 M", 2e-3, 1, 0, "SmolLM2-135M, experiments/smollm2.md"),
    Recipe(2.5e9, "0.5 to 2.5 G", 5e-4, 4, 25, "LoRA Without Regret, 2025: 4e-4 to 6e-4 for 1 G"),
    Recipe(6e9, "2.5 to 6 G", 3e-4, 4, 25, "between the lines for 1 G and 7 G"),
    Recipe(20e9, "6 to 20 G", 2e-4, 4, 25, "QLoRA, 2023: 7 G and 13 G"),
    Recipe(float("inf"), "over 20 G", 1e-4, 4, 25, "QLoRA, 2023: 33 G and 65 G"),
)


def recipe_for(size: Size) -> Recipe:
    return next(one for one in RECIPES if (size.parameters or UNKNOWN) <= one.up_to)


def choose(settings: Any, open_keys: frozenset[str]) -> list[Choice]:
    """The choices for the automatic settings of conf/trainer/ that are open. settings: of a command with a base and a trainer."""
    if not any(key.startswith(PREFIX) for key in open_keys):
        return []
    size = size_of(settings.model, download=not getattr(settings, "dry_run", False))
    return [choice for choice in choices(size, lora_rank=getattr(settings, "lora", None) and settings.lora.r) if choice.key in open_keys]


def choices(size: Size, lora_rank: int | None) -> Iterator[Choice]:
    """Every automatic setting of the optimisation. lora_rank: 0 trains all weights; None: the command has no adapter."""
    recipe = recipe_for(size)
    whole = lora_rank == 0
    rate = "all weights are trained, so a tenth of the rate for an adapter" if whole else "an adapter"
    given = f"{rate} on a base of {amount(size)} ({size.source}); {recipe.name}: {recipe.source}"
    yield Choice(f"{PREFIX}lr", recipe.lr * ALL_WEIGHTS if whole else recipe.lr, given)
    yield Choice(f"{PREFIX}schedule", Schedule.linear, "rises over a tenth of the steps, then falls to 0")
    yield Choice(f"{PREFIX}warmup", 0.1, "rises over a tenth of the steps, then falls to 0")
    yield Choice(f"{PREFIX}epochs", 3.0, "few episodes: each is read three times")
    rows = 4 * recipe.accumulation
    step = f"{rows} rows a step, as adapters learn best in steps of fewer than 32"
    yield Choice(f"{PREFIX}batch", 4, step)
    yield Choice(f"{PREFIX}accumulation", recipe.accumulation, step)
    longest = min(size.context or LONGEST_ROW, LONGEST_ROW)
    context = "the base's context" if size.context == longest else f"of the base's {size.context}" if size.context else "context unknown"
    yield Choice(f"{PREFIX}max_tokens", longest, context)
    yield Choice(
        f"{PREFIX}save_every_steps", SAVE_EVERY, "a checkpoint after every tenth of the steps, to go on from; the last two are kept"
    )
    often = f"every {recipe.validate_every} steps, as a run takes long" if recipe.validate_every else "only at the end, as a run is short"
    yield Choice(f"{PREFIX}val_every_steps", recipe.validate_every, often)


def amount(size: Size) -> str:
    """The parameters in words: `135 M parameters`."""
    if not size.parameters:
        return f"unknown size, taken as {UNKNOWN / 1e9:.0f} G parameters"
    return f"{size.parameters / 1e9:.3g} G parameters" if size.parameters >= 1e9 else f"{size.parameters / 1e6:.3g} M parameters"
