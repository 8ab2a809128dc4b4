"""Episodes of the reference for training: plain or with detours, played once for the same scenarios."""

from pathlib import Path

import pytest

from sekft.config import BackendKind, SandboxConfig, SourceConfig, SourceKind
from sekft.episode import trajectory
from sekft.episode.references import fill_sources
from sekft.errors import SettingsError
from sekft.sandbox import choose
from sekft.scenario.library import make

SCENARIOS = [make("copy", index) for index in range(4)]


def played(noise: float, seed: int = 0) -> Path:
    source = SourceConfig(kind=SourceKind.shell, noise=noise)
    fill_sources([source], SCENARIOS, choose.backend(SandboxConfig(backend=BackendKind.bwrap)), 2, seed)
    return Path(source.path or "")


def typed(path: Path) -> list[tuple[str, ...]]:
    return [tuple(command.text for command in episode.commands) for episode in trajectory.read(path)]


def test_detours_are_played_as_asked_for_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    plain, noisy, other = played(0.0), played(1.0), played(1.0, seed=1)
    assert len({plain, noisy, other}) == 3 and noisy == played(1.0)
    assert typed(plain) == [scenario.reference for scenario in SCENARIOS]
    assert all(len(after) > len(before) for before, after in zip(typed(plain), typed(noisy), strict=True))
    assert all(episode.kept for episode in trajectory.read(noisy)) and typed(noisy) != typed(other)


def test_a_share_out_of_bounds_is_refused_before_anything_is_played():
    with pytest.raises(SettingsError, match="noise 1.5, allowed: 0 to 1"):
        played(1.5)
