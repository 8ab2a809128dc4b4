"""Lives played by the reference, kept in a file that is made once per set of worlds."""

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
from sekft.scenario.document import Bundle, dumps

FOLDER = Path("outputs/collect")


def without_path(data: DataConfig) -> list[SourceConfig]:
    """The sources that are to be filled by the reference."""
    return [source for source in data.sources.values() if source.kind is SourceKind.shell and source.path is None]


def play_for(sources: Sequence[SourceConfig], bundles: Sequence[Bundle], backend: Backend, workers: int, seed: int) -> None:
    """Give every source the lives of the reference in these worlds. seed: of the detours. Raises SettingsError."""
    for source in sources:
        if not 0 <= source.noise <= 1:
            raise SettingsError(f"data.sources: noise {source.noise}, allowed: 0 to 1")
        source.path = str(reference_file(bundles, backend, workers, source.noise, seed))


def known_for(sources: Sequence[SourceConfig], bundles: Sequence[Bundle], seed: int) -> list[tuple[SourceConfig, Path]]:
    """Where the lives of each lie, or would."""
    return [(source, _file(bundles, source.noise, seed)) for source in sources]


def reference_file(bundles: Sequence[Bundle], backend: Backend, workers: int, noise: float = 0.0, seed: int = 0) -> Path:
    """outputs/collect/reference-<digest>.jsonl, played now unless it is there.

    Raises DataError if the reference does not verify everywhere: then the worlds are at fault, see sekft.check.
    """
    path = _file(bundles, noise, seed)
    if path.exists():
        return path
    operator = reference(bundles, noise, seed)
    limits = EvalConfig(max_turns=max(bundle.limits.turns for bundle in bundles))
    lives = play_many([(bundle, operator, 0) for bundle in bundles], backend, limits, workers, "reference plays")
    if lost := [life for life in lives if not life.kept]:
        raise DataError(f"{lost[0].bundle_id}: the reference ended {lost[0].outcome.value} ({lost[0].reason}); see python -m sekft.check")
    trajectory.write(lives, path)
    return path


def _file(bundles: Sequence[Bundle], noise: float, seed: int) -> Path:
    return FOLDER / f"reference-{_digest(bundles, f'{noise}/{seed}' if noise else '')}.jsonl"


def _digest(bundles: Sequence[Bundle], detours: str) -> str:
    text = f"{trajectory.SCHEMA_VERSION}/{TEXT_VERSION}{detours}\n" + "".join(map(dumps, bundles))
    return hashlib.sha256(text.encode()).hexdigest()[:12]
