"""Episodes of base, parent and adapter in development scenarios; see sekft.train.search.iteration."""

from collections.abc import Sequence
from pathlib import Path

from sekft.episode import trajectory
from sekft.episode.agent import reference
from sekft.episode.trajectory import Trajectory
from sekft.eval import score
from sekft.eval.evaluation import Exam
from sekft.model.agents import players
from sekft.model.base import Base
from sekft.train.search import iteration


def live_beside(exam: Exam, base: Base, lived: Sequence[Trajectory], parent: str | None, adapter: Path, folder: Path) -> None:
    """Leaves all lives in the run's folder. lived: of the base, in the same worlds."""
    heirs: dict[str, Path | None] = {iteration.PARENT: Path(parent)} if parent else {}
    with players(base, {**heirs, score.TUNED: adapter}, exam.limits, exam.seed) as cast:
        others = exam.play({**cast.operators, score.REFERENCE: reference(exam.bundles)}, "development", tokens=cast.generated)
    trajectory.write([*lived, *(life for own in others.values() for life in own)], folder / iteration.DEVELOPMENT)
