"""After training: base, what was trained on from, and the adapter in worlds that decide what is learned next; see sekft.exam.iteration."""

from collections.abc import Sequence
from pathlib import Path

from sekft.exam import iteration, score
from sekft.exam.sitting import Exam
from sekft.model.base import Base
from sekft.model.players import players
from sekft.rollout import trajectory
from sekft.rollout.operator import reference
from sekft.rollout.trajectory import Trajectory


def live_beside(exam: Exam, base: Base, lived: Sequence[Trajectory], parent: str | None, adapter: Path, folder: Path) -> None:
    """Leaves all lives in the run's folder. lived: of the base, in the same worlds."""
    heirs: dict[str, Path | None] = {iteration.PARENT: Path(parent)} if parent else {}
    with players(base, {**heirs, score.TUNED: adapter}, exam.limits, exam.seed) as cast:
        others = exam.play({**cast.operators, score.REFERENCE: reference(exam.bundles)}, "development", tokens=cast.generated)
    trajectory.write([*lived, *(life for own in others.values() for life in own)], folder / iteration.DEVELOPMENT)
