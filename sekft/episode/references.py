"""Reference episodes as training data: played once per set of scenarios and kept in a file."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from sekft.config import Detour, EvalConfig, SourceConfig
from sekft.episode import trajectory
from sekft.episode.agent import reference
from sekft.episode.outcome import why_lost
from sekft.episode.pool import EpisodeRequest, play_many
from sekft.errors import DataError, SettingsError
from sekft.sandbox.session import Backend
from sekft.sandbox.text import TEXT_VERSION
from sekft.scenario.detours import NONE, Detours
from sekft.scenario.document import Scenario, dumps

FOLDER = Path("outputs/collect")


def fill_sources(sources: Sequence[SourceConfig], scenarios: Sequence[Scenario], backend: Backend, workers: int, seed: int) -> None:
    """Set every source's path to a file of reference episodes in these scenarios. seed: of the detours. Raises SettingsError."""
    for source in sources:
        if not 0 <= source.noise <= 1:
            raise SettingsError(f"data.sources: noise {source.noise}, allowed: 0 to 1")
        if not source.detours:
            raise SettingsError(f"data.sources: detours is empty; allowed: one or more of {', '.join(Detour)}")
        source.path = str(reference_file(scenarios, backend, workers, _detours(source, seed)))


def expected_files(sources: Sequence[SourceConfig], scenarios: Sequence[Scenario], seed: int) -> list[tuple[SourceConfig, Path]]:
    """The file that fill_sources would use for each source, whether it exists or not."""
    return [(source, _file(scenarios, _detours(source, seed))) for source in sources]


def reference_file(scenarios: Sequence[Scenario], backend: Backend, workers: int, detours: Detours = NONE) -> Path:
    """outputs/collect/reference-<digest>.jsonl; its episodes are played unless the file exists.

    Raises DataError if the reference does not verify in every scenario: then a scenario is wrong, and sekft.check names the fault.
    """
    path = _file(scenarios, detours)
    if path.exists():
        return path
    agent = reference(scenarios, detours)
    config = EvalConfig(max_turns=max(scenario.limits.turns for scenario in scenarios))
    played = play_many([EpisodeRequest(scenario, agent) for scenario in scenarios], backend, config, workers, "references")
    if failed := next((episode for episode in played if not episode.kept), None):
        raise DataError(f"{failed.scenario_id}: the reference ended {why_lost(failed)}; see python -m sekft.check")
    trajectory.write(played, path)
    return path


def _detours(source: SourceConfig, seed: int) -> Detours:
    return Detours(source.noise, seed, tuple(source.detours))


def _file(scenarios: Sequence[Scenario], detours: Detours) -> Path:
    return FOLDER / f"reference-{_digest(scenarios, str(detours))}.jsonl"


def _digest(scenarios: Sequence[Scenario], detours: str) -> str:
    text = f"{trajectory.SCHEMA_VERSION}/{TEXT_VERSION}{detours}\n" + "".join(map(dumps, scenarios))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
