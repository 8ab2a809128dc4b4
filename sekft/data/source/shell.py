"""Lives at a shell prompt, as sekft.collect writes them: keepers become samples, rejects are counted."""

from collections import Counter
from pathlib import Path

from sekft.data.sample import Sample
from sekft.errors import DataError
from sekft.rollout import trajectory
from sekft.rollout.trajectory import Trajectory


def _failed(life: Trajectory) -> frozenset[int]:
    """The turns whose command ended in a status other than 0; leaving is no failure, and neither is a line that is continued."""
    return frozenset(command.turn for command in life.commands[:-1] if command.status not in (0, None))


def read(name: str, path: Path) -> tuple[list[Sample], Counter[str]]:
    """Samples, and how many lives were left out by outcome. Raises DataError naming file and line."""
    samples: list[Sample] = []
    left_out: Counter[str] = Counter()
    for life in trajectory.read(path):
        if life.kept:
            samples.append(Sample(life.id, life.bundle_id, name, life.messages, _failed(life)))
        else:
            left_out[life.outcome.value] += 1
    if not samples:
        raise DataError(f"{path}: none of {sum(left_out.values())} trajectories is a keeper; allowed: at least one with kept=true")
    return samples, left_out
