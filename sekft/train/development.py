"""Episodes of base, parent and adapter in development scenarios; see sekft.train.search.iteration."""

from collections.abc import Sequence
from pathlib import Path

from sekft.episode import trajectory
from sekft.episode.agent import reference
from sekft.episode.trajectory import Trajectory
from sekft.eval import score
from sekft.eval.evaluation import Evaluation
from sekft.model.agents import model_agents
from sekft.model.base import Base
from sekft.train.search import iteration


def play_beside(evaluation: Evaluation, base: Base, played: Sequence[Trajectory], parent: str | None, adapter: Path, folder: Path) -> None:
    """Leaves all episodes in the run's folder. played: of the base, in the same scenarios."""
    heirs: dict[str, Path | None] = {iteration.PARENT: Path(parent)} if parent else {}
    with model_agents(base, {**heirs, score.TUNED: adapter}, evaluation.config, evaluation.seed) as cast:
        others = evaluation.play({**cast.agents, score.REFERENCE: reference(evaluation.scenarios)}, "development", tokens=cast.generated)
    trajectory.write([*played, *(episode for own in others.values() for episode in own)], folder / iteration.DEVELOPMENT)
