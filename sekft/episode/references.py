"""Episodes played by the reference, kept in a file that is made once per set of scenarios."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from sekft.config import DataConfig, EvalConfig, SourceConfig, SourceKind
from sekft.episode import trajectory
from sekft.episode.agent import reference
from sekft.episode.pool import play_many
from sekft.errors import DataError, SettingsError
from sekft.sandbox.session import Backend
from sekft.sandbox.text import TEXT_VERSION
from sekft.scenario.document import Scenario, dumps

FOLDER = Path("outputs/collect")


def without_path(data: DataConfig) -> list[SourceConfig]:
    """The sources that are to be filled by the reference."""
    return [source for source in data.sources.values() if source.kind is SourceKind.shell and source.path is None]


def play_for(sources: Sequence[SourceConfig], scenarios: Sequence[Scenario], backend: Backend, workers: int, seed: int) -> None:
    """Give every source the episodes of the reference in these scenarios. seed: of the detours. Raises SettingsError."""
    for source in sources:
        if not 0 <= source.noise <= 1:
            raise SettingsError(f"data.sources: noise {source.noise}, allowed: 0 to 1")
        source.path = str(reference_file(scenarios, backend, workers, source.noise, seed))


def known_for(sources: Sequence[SourceConfig], scenarios: Sequence[Scenario], seed: int) -> list[tuple[SourceConfig, Path]]:
    """Where the episodes of each lie, or would."""
    return [(source, _file(scenarios, source.noise, seed)) for source in sources]


def reference_file(scenarios: Sequence[Scenario], backend: Backend, workers: int, noise: float = 0.0, seed: int = 0) -> Path:
    """outputs/collect/reference-<digest>.jsonl, played now unless it is there.

    Raises DataError if the reference does not verify everywhere: then the scenarios are at fault, see sekft.check.
    """
    path = _file(scenarios, noise, seed)
    if path.exists():
        return path
    agent = reference(scenarios, noise, seed)
    config = EvalConfig(max_turns=max(scenario.limits.turns for scenario in scenarios))
    episodes = play_many([(scenario, agent, 0) for scenario in scenarios], backend, config, workers, "reference plays")
    if lost := [episode for episode in episodes if not episode.kept]:
        raise DataError(f"{lost[0].scenario_id}: the reference ended {lost[0].outcome.value} ({lost[0].reason}); see python -m sekft.check")
    trajectory.write(episodes, path)
    return path


def _file(scenarios: Sequence[Scenario], noise: float, seed: int) -> Path:
    return FOLDER / f"reference-{_digest(scenarios, f'{noise}/{seed}' if noise else '')}.jsonl"


def _digest(scenarios: Sequence[Scenario], detours: str) -> str:
    text = f"{trajectory.SCHEMA_VERSION}/{TEXT_VERSION}{detours}\n" + "".join(map(dumps, scenarios))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
