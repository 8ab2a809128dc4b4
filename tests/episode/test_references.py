"""Episodes of the reference for training: plain or with detours, played once for the same scenarios."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from sekft.config import DEFAULT_DETOURS, BackendKind, Detour, SandboxConfig, SourceConfig, SourceKind
from sekft.episode import trajectory
from sekft.episode.references import fill_sources
from sekft.errors import SettingsError
from sekft.sandbox import choose
from sekft.scenario.library import make

SCENARIOS = [make("copy", index) for index in range(4)]


def played(noise: float, seed: int = 0, detours: Sequence[Detour] = DEFAULT_DETOURS) -> Path:
    source = SourceConfig(kind=SourceKind.trajectories, noise=noise, detours=list(detours))
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


@pytest.mark.parametrize("kind", [Detour.absent_help, Detour.wrong_name])
def test_an_error_by_the_agent_itself_is_followed_by_a_second_try(kind: Detour, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    episodes = list(trajectory.read(played(1.0, detours=[kind])))
    failed = [
        (command.text, command.status, following.text)
        for episode in episodes
        for command, following in zip(episode.commands, episode.commands[1:], strict=False)
        if command.status
    ]
    assert all(episode.kept for episode in episodes) and failed and not any(after.startswith("panic") for _, _, after in failed)
    assert kind is Detour.wrong_name or ("help", 127) in {(text, status) for text, status, _ in failed}


def test_no_detour_to_draw_from_is_refused():
    with pytest.raises(SettingsError, match="detours is empty; allowed: one or more of look_around"):
        played(0.5, detours=[])


def test_a_share_out_of_bounds_is_refused_before_anything_is_played():
    with pytest.raises(SettingsError, match="noise 1.5, allowed: 0 to 1"):
        played(1.5)
