"""Which rows make a step, and which of them share a forward pass: pure, from lengths, seed and epoch."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from sekft.config import TrainerConfig

# of one pass, if trainer.tokens_per_batch does not say: what a CPU takes fastest, and from where on a GPU hides launches and 4-bit
# weights (under 3 %), see experiments/throughput.md
TOKENS = {"cuda": 8192}
CPU_TOKENS = 1024
Indices = list[int]


@dataclass(frozen=True)
class Layout:
    """How the rows of one step are laid out in forward passes: speed and memory depend on it, the step's result does not."""

    tokens: int  # of one packed pass, at most; a longer row goes alone; 0: passes are padded
    rows: int = 1  # of one padded pass

    def passes(self, lengths: Sequence[int]) -> list[Indices]:
        """Positions in `lengths`, every one once."""
        if self.tokens:
            return best_fit(lengths, self.tokens)
        return [list(range(len(lengths)))[at : at + self.rows] for at in range(0, len(lengths), self.rows)]

    def computed(self, lengths: Sequence[int]) -> int:
        """Tokens that go through the model for one pass of these rows, pads included."""
        return sum(lengths) if self.tokens else max(lengths) * len(lengths)

    def halved(self, lengths: Sequence[int]) -> "Layout | None":
        """The layout for rows of these lengths when the largest pass did not fit; None if that was a single row."""
        largest = max(self.passes(lengths), key=lambda rows: self.computed([lengths[row] for row in rows]))
        if len(largest) == 1:
            return None
        return Layout(sum(lengths[row] for row in largest) // 2) if self.tokens else Layout(0, len(largest) // 2)

    def __str__(self) -> str:
        return f"{self.tokens} tokens" if self.tokens else f"{self.rows} padded rows"


def layout(trainer: TrainerConfig, device: str) -> Layout:
    """As trainer.tokens_per_batch asks. device: its type, as torch names it."""
    if trainer.context_frozen:
        return Layout(0, 1)  # each row has its own context
    if trainer.tokens_per_batch is not None:
        return Layout(trainer.tokens_per_batch, trainer.batch)
    return Layout(TOKENS.get(device, CPU_TOKENS))


def rows_per_step(trainer: TrainerConfig) -> int:
    """The definition of a step, whatever the layout."""
    return trainer.batch * trainer.accumulation


def planned(trainer: TrainerConfig, amount: int) -> int:
    """Steps of a whole run on so many rows."""
    if trainer.max_steps > 0:
        return trainer.max_steps
    return math.ceil(trainer.epochs * -(-amount // rows_per_step(trainer)))  # as transformers counts


def last_step(trainer: TrainerConfig, amount: int) -> int:
    """Where a run on so many rows stops."""
    return max(1, round(trainer.stop_at * planned(trainer, amount)))


def steps(amount: int, per_step: int, seed: int, epoch: int) -> list[Indices]:
    """Every row once, in an order that seed and epoch decide; the last step takes what is left."""
    order = list(range(amount))
    random.Random(f"{seed}/{epoch}").shuffle(order)
    return [order[at : at + per_step] for at in range(0, amount, per_step)]


def plan(lengths: Sequence[int], per_step: int, how: Layout, seed: int, epoch: int) -> list[list[Indices]]:
    """The steps of one epoch, each a list of passes, each a list of rows."""
    return [
        [[step[at] for at in one] for one in how.passes([lengths[row] for row in step])]
        for step in steps(len(lengths), per_step, seed, epoch)
    ]


def shares(lengths: Sequence[int], ranks: int) -> list[Indices]:
    """Positions in `lengths` for every rank: the longest row first, each to whom the least was given. Some may get none."""
    given: list[Indices] = [[] for _ in range(ranks)]
    tokens = [0] * ranks
    for at in sorted(range(len(lengths)), key=lambda at: (-lengths[at], at)):
        least = min(range(ranks), key=lambda rank: (tokens[rank], rank))
        given[least].append(at)
        tokens[least] += lengths[at]
    return [sorted(own) for own in given]


def best_fit(lengths: Sequence[int], most: int) -> list[Indices]:
    """Bins of at most `most` tokens, the longest row placed first, each where it leaves the least room.

    A row that is longer goes alone. Within a bin and among bins the order of `lengths` is kept.
    """
    bins: list[Indices] = []
    room: list[int] = []
    for at in sorted(range(len(lengths)), key=lambda at: (-lengths[at], at)):
        fitting = [chosen for chosen in range(len(bins)) if room[chosen] >= lengths[at]]
        chosen = min(fitting, key=lambda chosen: (room[chosen], chosen), default=len(bins))
        if chosen == len(bins):
            bins.append([])
            room.append(most)
        bins[chosen].append(at)
        room[chosen] -= lengths[at]
    return sorted(sorted(rows) for rows in bins)
