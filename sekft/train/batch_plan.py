"""Which rows make an optimizer step, and which of them share a forward pass; pure functions of lengths, seed and epoch."""

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from sekft.config import TrainerConfig

# of one forward pass without trainer.tokens_per_batch: the fastest on a CPU; on a GPU from here on kernel launches and 4-bit weights cost
# under 3 %, see experiments/throughput.md
TOKENS = {"cuda": 8192}
CPU_TOKENS = 1024
Indices = list[int]


@dataclass(frozen=True)
class Layout:
    """How the rows of one step are laid out in forward passes. Speed and memory depend on it; the step's result does not."""

    tokens: int  # at most, in one packed pass; a longer row gets a pass of its own; 0: passes are padded
    rows: int = 1  # in one padded pass

    def passes(self, lengths: Sequence[int]) -> list[Indices]:
        """Positions in `lengths` by pass, each position once."""
        if self.tokens:
            return best_fit(lengths, self.tokens)
        return [list(range(len(lengths)))[at : at + self.rows] for at in range(0, len(lengths), self.rows)]

    def computed(self, lengths: Sequence[int]) -> int:
        """Tokens that the model computes in one pass of these rows, padding included."""
        return sum(lengths) if self.tokens else max(lengths) * len(lengths)

    def halved(self, lengths: Sequence[int]) -> "Layout | None":
        """A layout with smaller passes for rows of these lengths; None if the largest pass is a single row already."""
        largest = max(self.passes(lengths), key=lambda rows: self.computed([lengths[row] for row in rows]))
        if len(largest) == 1:
            return None
        return Layout(sum(lengths[row] for row in largest) // 2) if self.tokens else Layout(0, len(largest) // 2)

    def __str__(self) -> str:
        return f"{self.tokens} tokens" if self.tokens else f"{self.rows} padded rows"


def choose_layout(trainer: TrainerConfig, device: str) -> Layout:
    """The layout that the settings ask for. device: torch's name of the type."""
    if trainer.context_frozen:
        return Layout(0, 1)  # each row has a key-value cache of its own
    if trainer.tokens_per_batch is not None:
        return Layout(trainer.tokens_per_batch, trainer.batch)
    return Layout(TOKENS.get(device, CPU_TOKENS))


def rows_per_step(trainer: TrainerConfig) -> int:
    """Rows in an optimizer step, in every layout."""
    return trainer.batch * trainer.accumulation


def total_steps(trainer: TrainerConfig, amount: int) -> int:
    """Optimizer steps of a whole training on this amount of rows."""
    if trainer.max_steps > 0:
        return trainer.max_steps
    return math.ceil(trainer.epochs * -(-amount // rows_per_step(trainer)))  # as transformers rounds


def last_step(trainer: TrainerConfig, amount: int) -> int:
    """The step at which a training on this amount of rows stops."""
    return max(1, round(trainer.stop_at * total_steps(trainer, amount)))


def steps(amount: int, per_step: int, seed: int, epoch: int) -> list[Indices]:
    """Every row once, shuffled by seed and epoch; the last step may be smaller."""
    order = list(range(amount))
    random.Random(f"{seed}/{epoch}").shuffle(order)
    return [order[at : at + per_step] for at in range(0, amount, per_step)]


def plan(lengths: Sequence[int], per_step: int, layout: Layout, seed: int, epoch: int) -> list[list[Indices]]:
    """The steps of one epoch, each a list of passes, each a list of rows."""
    return [
        [[step[at] for at in positions] for positions in layout.passes([lengths[row] for row in step])]
        for step in steps(len(lengths), per_step, seed, epoch)
    ]


def shares(lengths: Sequence[int], ranks: int) -> list[Indices]:
    """Positions in `lengths` by rank: the longest row first, each to the rank with the fewest tokens so far. A rank may get none."""
    given: list[Indices] = [[] for _ in range(ranks)]
    tokens = [0] * ranks
    for at in sorted(range(len(lengths)), key=lambda at: (-lengths[at], at)):
        least = min(range(ranks), key=lambda rank: (tokens[rank], rank))
        given[least].append(at)
        tokens[least] += lengths[at]
    return [sorted(own) for own in given]


def best_fit(lengths: Sequence[int], most: int) -> list[Indices]:
    """Pack rows into bins of at most `most` tokens: the longest row first, each into the bin where it leaves the least room.

    A longer row gets a bin of its own. Within a bin and among bins the order of `lengths` is kept.
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
